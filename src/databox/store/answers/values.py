"""Values under keys."""

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from databox.kit.guard import Verified
from databox.kit.http.message import Answer, Request, Response
from databox.store import asked, media, questions
from databox.store.answers.events import EventAnswers
from databox.store.answers.means import Means
from databox.store.audit import DELETE, READ, SUBSCRIBE, WRITE
from databox.store.door import access
from databox.store.file import DeleteValue, NewValue, Reader
from databox.store.readings import parse_value, value_event

_NO_VALUE = b'{"status":404,"error":"Document not found"}'


class ValueAnswers:
    """Answers of keys and values."""

    def __init__(self, means: Means, events: EventAnswers) -> None:
        self._means = means
        self._events = events

    async def write(self, request: Request, verified: Verified) -> Answer:
        """Write a value of any type, JSON if it says none, and send it to those who subscribed."""
        key = asked.name(request, "key", verified.caveats)
        asked.refuse_bounded(verified.caveats)
        kind = media.of(request.headers, media.JSON)
        json = media.is_json(kind)
        value, kind = (parse_value(request.body), media.JSON) if json else (request.body, kind)
        receivers = self._events.subscribed(key, "kv")
        written = [access(verified, WRITE, key, items=1, size=len(value))]
        for each in receivers:
            written.append(access(each.verified, SUBSCRIBE, key, items=1, size=len(value)))
        await self._means.door.write(verified, NewValue(key, value, kind), *written)
        self._events.send(receivers, value_event(key, value, kind))
        return Response(200, value if json else b'{"size":%d}' % len(value))

    async def read(self, request: Request, verified: Verified) -> Answer:
        """Read a value."""
        key = asked.name(request, "key", verified.caveats)
        asked.refuse_bounded(verified.caveats)
        found = await self._means.read(lambda reader: reader.value(key))
        door = self._means.door
        if found is None:
            await door.record(verified, access(verified, READ, key))
            return Response(404, _NO_VALUE)
        value, kind = found
        await door.record(verified, access(verified, READ, key, items=1, size=len(value)))
        return Response(200, value, kind, () if kind == media.JSON else (media.NOSNIFF,))

    async def keys(self, request: Request, verified: Verified) -> Answer:
        """Keys in order, as far as the token lets see them."""
        asked.refuse_bounded(verified.caveats)
        question = questions.keys(request.parameters)
        names = verified.caveats.datasources
        prefix, after, most = question.prefix, question.after, question.limit

        def find(reader: Reader) -> list[str]:
            if names is None:
                return reader.keys(prefix, after, most + 1)
            seen = (name for name in sorted(names) if name > after)
            return list(islice(_present(reader, seen, prefix), most + 1))

        found = await self._means.read(find)
        shown = found[:most]
        last = shown[-1] if len(found) > most else None
        await self._means.door.record(verified, access(verified, READ, "", items=len(shown)))
        return Response(200, msgspec.json.encode({"keys": shown, "next": last}))

    async def count(self, request: Request, verified: Verified) -> Answer:
        """How many keys there are, as far as the token lets see them."""
        asked.refuse_bounded(verified.caveats)
        prefix = questions.prefix(request.parameters)
        names = verified.caveats.datasources

        def count(reader: Reader) -> int:
            if names is None:
                return reader.key_count(prefix)
            return sum(1 for _ in _present(reader, names, prefix))

        found = await self._means.read(count)
        await self._means.door.record(verified, access(verified, READ, "", items=found))
        return Response(200, b'{"count":%d}' % found)

    async def delete(self, request: Request, verified: Verified) -> Answer:
        """Delete the value under a key."""
        key = asked.name(request, "key", verified.caveats)
        asked.refuse_bounded(verified.caveats)
        asked.refuse_guests(verified.user, verified.role)
        written = access(verified, DELETE, key)
        deleted = await self._means.door.write(verified, DeleteValue(key), written)
        return Response(200, b'{"deleted":%b}' % (b"true" if deleted else b"false"))


def _present(reader: Reader, names: Iterable[str], prefix: str) -> Iterator[str]:
    """The names, of those that a token lists, that are keys."""
    return (name for name in names if name.startswith(prefix) and reader.has_value(name))
