"""Values under keys."""

from databox.kit.guard import Verified
from databox.kit.http.message import Answer, Request, Response
from databox.store import asked
from databox.store.answers.events import EventAnswers
from databox.store.answers.means import Means
from databox.store.audit import READ, SUBSCRIBE, WRITE
from databox.store.door import access
from databox.store.file import NewValue
from databox.store.readings import parse_value, value_event

_NO_VALUE = b'{"status":404,"error":"Document not found"}'


class ValueAnswers:
    """Answers of keys and values."""

    def __init__(self, means: Means, events: EventAnswers) -> None:
        self._means = means
        self._events = events

    async def write(self, request: Request, verified: Verified) -> Answer:
        """Write a value, and send it to those who subscribed."""
        key = asked.name(request, "key", verified.caveats)
        asked.refuse_bounded(verified.caveats)
        value = parse_value(request.body)
        receivers = self._events.receivers(key, "kv")
        written = [access(verified, WRITE, key, items=1, size=len(value))]
        for each in receivers:
            written.append(access(each.verified, SUBSCRIBE, key, items=1, size=len(value)))
        await self._means.door.write(verified, NewValue(key, value), *written)
        self._events.send(receivers, value_event(key, value))
        return Response(200, value)

    async def read(self, request: Request, verified: Verified) -> Answer:
        """Read a value."""
        key = asked.name(request, "key", verified.caveats)
        asked.refuse_bounded(verified.caveats)
        found = await self._means.read(lambda reader: reader.value(key))
        door = self._means.door
        if found is None:
            await door.record(verified, access(verified, READ, key))
            return Response(404, _NO_VALUE)
        value, _ = found
        await door.record(verified, access(verified, READ, key, items=1, size=len(value)))
        return Response(200, value)
