"""Large objects: taken in and given out as they come, each part on the record before it leaves."""

import asyncio
import heapq
import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from functools import partial
from typing import Self

import msgspec

from databox.kit import log as lines
from databox.kit.guard import Verified
from databox.kit.http.message import Answer, Request, Response, Stream
from databox.store import asked, media, questions
from databox.store.answers.means import Means
from databox.store.audit import DELETE, READ, WRITE
from databox.store.door import access
from databox.store.file import DeleteObject, DeleteObjects, NewObject, Reader
from databox.store.objects import ranges
from databox.store.objects.rows import Held
from databox.store.objects.shelf import Reading, Shelf
from databox.store.objects.stored import Damaged
from databox.wire.caveats import Caveats, Duty
from databox.wire.errors import BadRequest, NotFound
from databox.wire.tokens import BadToken

log = logging.getLogger("databox.store")

Headers = tuple[tuple[str, str], ...]
MOST_NAMED = 100
"""Damaged objects that are kept in mind."""
_KEPT = frozenset({Duty.DATASOURCES, Duty.RATE})
"""The caveats about data that an object can be given under: there is no part of a photo that would
be a time, a place or a member."""


class ObjectAnswers:
    """Answers of keys and the objects they hold. `damaged`: keys whose object could not be read."""

    def __init__(self, means: Means, shelf: Shelf) -> None:
        self._means = means
        self._shelf = shelf
        self.damaged: dict[str, str] = {}

    async def write(self, request: Request, verified: Verified) -> Answer:
        """Hold what comes as body under a key."""
        key = _key(request, verified)
        asked.refuse_guests(verified.user, verified.role)
        kind = media.of(request.headers, media.ANYTHING)
        length = request.headers.get("content-length")
        expected = None if length is None else int(length)
        assert request.stream is not None
        async with self._shelf.received(request.stream, expected, request.caller) as stored:
            new = NewObject(key, kind, self._means.clock.now(), stored)
            written = access(verified, WRITE, key, items=1, size=stored.size)
            superfluous = await self._means.door.write(verified, new, written)
        assert isinstance(superfluous, tuple)
        await self._shelf.remove(superfluous)
        self.damaged.pop(key, None)
        told = {"digest": stored.digest.hex(), "size": stored.size}
        return Response(200, msgspec.json.encode(told))

    async def read(self, request: Request, verified: Verified) -> Answer:
        """The object of a key, or a range of it."""
        key = _key(request, verified)
        held = await self._find(key, verified)
        while True:
            try:
                return await self._answer(request, verified, held)
            except Damaged as error:
                now = await self._find(key, verified)
                # If the key was given another object meanwhile, the file was removed rightly.
                if now.stored.name == held.stored.name:
                    self._note(held, error)
                    raise
                held = now

    async def delete(self, request: Request, verified: Verified) -> Answer:
        """Let go what a key holds."""
        key = _key(request, verified)
        return await self._delete(verified, key, DeleteObject(key))

    async def forget(self, request: Request, verified: Verified) -> Answer:
        """Let go every object of a source."""
        key = _key(request, verified)
        return await self._delete(verified, key, DeleteObjects(key))

    async def listed(self, request: Request, verified: Verified) -> Answer:
        """All objects in order of their keys, as far as the token lets see them."""
        _permit(verified.caveats)
        question, names = questions.keys(request.parameters), verified.caveats.datasources
        if names is None:
            places = [question.prefix]
        else:
            exact = [name for name in names if name.startswith(question.prefix)]
            places = [*exact, *filter(None, (_both(f"{n}/", question.prefix) for n in names))]
        return await self._listed(verified, "", question, places, names or ())

    async def listed_of(self, request: Request, verified: Verified) -> Answer:
        """A source's many objects in order of their keys."""
        source = _key(request, verified)
        question = questions.keys(request.parameters)
        below = _both(f"{source}/", question.prefix)
        return await self._listed(verified, source, question, [below] if below else [], ())

    async def _listed(
        self,
        verified: Verified,
        source: str,
        question: questions.Keys,
        places: Sequence[str],
        exact: Collection[str],
    ) -> Answer:
        """The objects whose keys begin with one of `places`, or for those in `exact` are it."""
        most = question.limit + 1

        def find(reader: Reader) -> list[Held]:
            found = (
                held
                for place in places
                for held in (
                    filter(None, [reader.objects.find(place)])
                    if place in exact
                    else reader.objects.listed(place, question.after, most)
                )
            )
            behind = (held for held in found if held.key > question.after)
            return heapq.nsmallest(most, behind, key=lambda held: held.key)

        found = await self._means.read(find)
        shown = found[: question.limit]
        last = shown[-1].key if len(found) > len(shown) else None
        await self._means.door.record(verified, access(verified, READ, source, items=len(shown)))
        told = {"objects": [_told(held) for held in shown], "next": last}
        return Response(200, msgspec.json.encode(told))

    async def _delete(
        self, verified: Verified, key: str, change: DeleteObject | DeleteObjects
    ) -> Answer:
        asked.refuse_guests(verified.user, verified.role)
        written = access(verified, DELETE, key)
        superfluous = await self._means.door.write(verified, change, written)
        if isinstance(superfluous, tuple):
            await self._shelf.remove(superfluous, cut_off=True)
        many = isinstance(change, DeleteObjects)
        for each in [*self.damaged]:
            if each == key or (many and each.startswith(f"{key}/")):
                del self.damaged[each]
        return Response(200, b'{"deleted":%b}' % (b"false" if superfluous is None else b"true"))

    async def _find(self, key: str, verified: Verified) -> Held:
        held = await self._means.read(lambda reader: reader.objects.find(key))
        if held is None:
            await self._means.door.record(verified, access(verified, READ, key))
            raise NotFound("there is no such object", field="key", found=key)
        return held

    async def _answer(self, request: Request, verified: Verified, held: Held) -> Answer:
        etag = f'"{held.stored.digest.hex()[:64]}"'
        size = held.stored.size
        wanted = ranges.asked(request.headers, etag, size)
        headers: Headers = (("ETag", etag), ("Accept-Ranges", "bytes"), media.NOSNIFF)
        if wanted.status == 206:
            headers = (*headers, ("Content-Range", _span(wanted, size)))
        if request.method != "HEAD" and wanted.length:
            sending = _Sending(self._means, verified, held.key, wanted, partial(self._note, held))
            await sending.begin(await self._shelf.open(held.stored))
            return Stream(wanted.status, held.type, sending, headers, wanted.length)
        await self._means.door.record(verified, access(verified, READ, held.key, items=1))
        if wanted.status == 304:
            return Response(304, b"", "", headers)
        if wanted.status == 416:
            headers = (("Content-Range", f"bytes */{size}"), *headers)
            return Response(416, _no_such_range(request, size), media.JSON, headers)
        return Stream(wanted.status, held.type, _nothing(), headers, wanted.length)

    def _note(self, held: Held, error: Damaged) -> None:
        error.field = held.key
        if len(self.damaged) < MOST_NAMED:
            self.damaged[held.key] = error.found or ""
        file = held.stored.name.hex()
        lines.event(log, logging.ERROR, "object-damaged", file=file, found=error.found)


class _Sending:
    """The parts of an answer; while one is put on the record and sent the next is read."""

    def __init__(
        self,
        means: Means,
        verified: Verified,
        key: str,
        wanted: ranges.Asked,
        note: Callable[[Damaged], None],
    ) -> None:
        self._means = means
        self._note = note
        self._verified = verified
        self._key = key
        self._wanted = wanted
        self._at = wanted.first
        self._reading: Reading | None = None
        self._next: asyncio.Future[bytes] | None = None

    async def begin(self, reading: Reading) -> None:
        """Read the first part, so that a damaged one is told by the answer's status.

        Raises:
            Damaged: it is.
        """
        self._reading = reading
        self._read_on()
        assert self._next is not None
        try:
            await asyncio.wait([self._next])
            self._next.result()
        except BaseException:
            await self.aclose()
            raise

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._next is None:
            await self.aclose()
            raise StopAsyncIteration
        try:
            part = await self._next
        except Damaged as error:
            self._note(error)
            raise
        items = 1 if self._at == self._wanted.first else 0
        self._at += len(part)
        self._next = None
        self._read_on()
        written = access(self._verified, READ, self._key, items=items, size=len(part))
        # A token that expires meanwhile was good when it was asked; a grant that ends is looked at
        # here, and ends what is half sent.
        await self._means.door.record(self._verified, written)
        return part

    async def aclose(self) -> None:
        """Read no further."""
        if self._next is not None and not self._next.cancel():
            # Looked at, so that nobody misses it: there is nobody left to tell.
            self._next.exception()
        self._next = None
        if self._reading is not None:
            self._reading.close()

    def _read_on(self) -> None:
        if self._reading is not None and self._at < self._wanted.end:
            part = self._reading.part(self._at, self._wanted.end)
            self._next = asyncio.ensure_future(part)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def _key(request: Request, verified: Verified) -> str:
    """The key that the path names, of a source or of one of its many objects.

    Raises:
        BadRequest: no usable name.
        BadToken: the token is not for objects, or not for this source.
    """
    _permit(verified.caveats)
    source = asked.name(request, "key", verified.caveats)
    if "name" not in request.args:
        return source
    return f"{source}/{asked.usable(request, 'name')}"


def _both(place: str, prefix: str) -> str:
    """What keys begin with that begin with both; "" if none can."""
    longer = max(place, prefix, key=len)
    return longer if longer.startswith(place) and longer.startswith(prefix) else ""


def _permit(caveats: Caveats) -> None:
    unkept = caveats.duties - _KEPT
    if unkept:
        raise BadToken(
            "the token does not allow whole objects",
            code="token-caveat",
            found=", ".join(sorted(unkept)),
        )


def _span(wanted: ranges.Asked, size: int) -> str:
    return f"bytes {wanted.first}-{wanted.end - 1}/{size}"


def _no_such_range(request: Request, size: int) -> bytes:
    error = BadRequest(
        "this object does not reach so far",
        code="range",
        field="range",
        found=request.headers.get("range", "")[:80],
        remedy=f"It has {size} bytes",
    )
    return msgspec.json.encode(error.as_json())


def _told(held: Held) -> dict[str, object]:
    stored = held.stored
    return {
        "key": held.key,
        "type": held.type,
        "size": stored.size,
        "digest": stored.digest.hex(),
        "timestamp": held.t,
    }
