"""What a store answers: the launch-era interface, behind the door. One function an endpoint."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from typing import TypeVar

from databox.kit.clock import Clock
from databox.kit.guard import Verified
from databox.kit.http.message import Answer, Held, Request, Response, Stream, Upgrade
from databox.kit.http.websocket import WebSocket, frame_text
from databox.store import asked, queries, windows
from databox.store.asked import Stretch
from databox.store.audit import READ, SUBSCRIBE, WRITE
from databox.store.door import Door, access
from databox.store.file import NewItem, NewReading, NewValue, Reader
from databox.store.latest import Latest, prepare
from databox.store.listing import Listing
from databox.store.readings import (
    LATEST,
    Reading,
    parse_reading,
    parse_value,
    record,
    value_event,
)
from databox.store.subscriptions import Subscription, Subscriptions, Topic
from databox.wire import catalogue
from databox.wire.errors import BadRequest, Conflict, NotFound

T = TypeVar("T")

MOST_AT_ONCE = 512 * 1024
"""Bytes of data that are sent as one body; more is sent as it is read."""
_LONGEST_NAME = 128
_NO_VALUE = b'{"status":404,"error":"Document not found"}'
_NO_WEBSOCKET = (
    b"No open WebSocket connection to client;"
    b" WebSocket connection must exist before subscription requests"
)
_ONLY_WEBSOCKET = b"Connection must be over secure WebSockets"


class Answers:
    """Everything that is answered under a token.

    Args:
        door: Records accesses.
        reader: A connection for the reading thread, which `executor` is.
        clock: A time that never goes back.
        origin: Where this store is, such as `https://hue-store:443`.
    """

    def __init__(
        self, door: Door, reader: Reader, executor: Executor, *, clock: Clock, origin: str
    ) -> None:
        self._door = door
        self._reader = reader
        self._executor = executor
        self._clock = clock
        self._origin = origin
        self._latest = Latest()
        self.listing = Listing(reader.items())
        self.subscriptions = Subscriptions()

    async def read(self, work: Callable[[Reader], T]) -> T:
        """Do something with the reader on the reading thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, work, self._reader)

    # Catalogue.

    async def cat(self, request: Request, verified: Verified) -> Answer:
        """The catalogue, as far as the token lets see it."""
        seen = self.listing.visible(verified.caveats.datasources)
        found = catalogue.search(seen, request.parameters)
        return Response(200, catalogue.encode(catalogue.of_store(found)))

    async def register(self, request: Request, verified: Verified) -> Answer:
        """Register a data source."""
        asked.refuse_bounded(verified.caveats)
        item = catalogue.decode_source(request.body)
        asked.source_permitted(verified.caveats, item.source)
        self.listing.check_room(item)
        write = NewItem(item.href, catalogue.encode(item))
        written = access(verified, WRITE, item.source, items=1, size=len(write.json))
        new = await self._door.write(verified, write, written)
        self.listing.put(item)
        return Response(201 if new else 200, b"", "", (("Location", self._origin),))

    # Time series.

    async def write_reading(self, request: Request, verified: Verified) -> Answer:
        """Write a reading, and send it to those who subscribed."""
        source = _permitted(request, "source", verified)
        asked.refuse_bounded(verified.caveats)
        t, data = parse_reading(request.body, self._clock.now())
        receivers = [each for each in self._receivers(source, "ts") if _sees(each, t)]
        size = len(data)
        written = [access(verified, WRITE, source, items=1, size=size, earliest=t, latest=t)]
        for each in receivers:
            written.append(
                access(each.verified, SUBSCRIBE, source, items=1, size=size, earliest=t, latest=t)
            )
        reading = await self._door.write(verified, NewReading(source, t, data), *written)
        assert isinstance(reading, Reading)
        self._latest.written(source, reading)
        body = record(source, reading)
        self._send(receivers, body)
        return Response(200, body)

    def latest_at_once(self, request: Request, verified: Verified) -> Held | None:
        """The newest reading, if this token's holder has been given it before."""
        prepared = self._latest.prepared(request.args["source"], verified)
        return self._door.hold(prepared.answer, prepared.record) if prepared else None

    async def latest(self, request: Request, verified: Verified) -> Answer:
        """The newest reading, or the last closed window."""
        source = _permitted(request, "source", verified)
        stretch = asked.visible(verified.caveats)
        if verified.caveats.exact:
            return await self._windows(verified, source, stretch, queries.latest_window)
        if stretch.last == LATEST:
            reading = self._latest.get(source) or await self._find_newest(source)
        else:
            reading = await self.read(lambda reader: reader.newest(source, stretch.last))
        if reading is None or reading.t < stretch.first:
            return await self._nothing(verified, source)
        if stretch.last == LATEST:
            prepared = self._latest.answer(source, reading, verified)
        else:
            prepared = prepare(source, reading, verified)
        await self._door.record(verified, prepared.record)
        return prepared.answer

    async def since(self, request: Request, verified: Verified) -> Answer:
        """Readings since a moment."""
        source = _permitted(request, "source", verified)
        stretch = asked.since(request.body, request.parameters, verified.caveats)
        return await self._stretch(verified, source, stretch)

    async def range(self, request: Request, verified: Verified) -> Answer:
        """Readings between two moments."""
        source = _permitted(request, "source", verified)
        stretch = asked.range_(request.body, request.parameters, verified.caveats)
        return await self._stretch(verified, source, stretch)

    # Values.

    async def write_value(self, request: Request, verified: Verified) -> Answer:
        """Write a value, and send it to those who subscribed."""
        key = _permitted(request, "key", verified)
        asked.refuse_bounded(verified.caveats)
        value = parse_value(request.body)
        receivers = self._receivers(key, "kv")
        written = [access(verified, WRITE, key, items=1, size=len(value))]
        for each in receivers:
            written.append(access(each.verified, SUBSCRIBE, key, items=1, size=len(value)))
        await self._door.write(verified, NewValue(key, value), *written)
        self._send(receivers, value_event(key, value))
        return Response(200, value)

    async def read_value(self, request: Request, verified: Verified) -> Answer:
        """Read a value."""
        key = _permitted(request, "key", verified)
        asked.refuse_bounded(verified.caveats)
        value = await self.read(lambda reader: reader.value(key))
        if value is None:
            await self._nothing(verified, key)
            return Response(404, _NO_VALUE)
        await self._door.record(verified, access(verified, READ, key, items=1, size=len(value)))
        return Response(200, value)

    # Subscriptions.

    async def websocket(self, request: Request, verified: Verified) -> Answer:
        """Open a WebSocket for events. Inside the box a pair's own socket is as good as TLS."""
        if not request.wants_websocket or request.kind == "outer":
            return Response(426, _ONLY_WEBSOCKET, "text/plain")
        await self._door.record(verified, access(verified, SUBSCRIBE, ""))

        async def accept(socket: WebSocket) -> None:
            if not self._door.holds(verified):
                socket.close(1008, "access was stopped")
                return
            self.subscriptions.connect(socket, verified)
            try:
                while await socket.receive() is not None:
                    pass
            finally:
                self.subscriptions.disconnect(socket, verified)

        return Upgrade(accept)

    async def subscribe(self, request: Request, verified: Verified) -> Answer:
        """Send this client the events of a source or key."""
        topic = _topic(request, verified)
        if topic.kind == "kv":
            asked.refuse_bounded(verified.caveats)
        await self._door.record(verified, access(verified, SUBSCRIBE, topic.name))
        try:
            self.subscriptions.subscribe(topic, verified, self._clock.now())
        except Conflict as error:
            if error.code != "no-websocket":
                raise
            return Response(409, _NO_WEBSOCKET, "text/plain")
        return Response(200, b"", "")

    async def unsubscribe(self, request: Request, verified: Verified) -> Answer:
        """Send them no more."""
        topic = _topic(request, verified)
        await self._door.record(verified, access(verified, SUBSCRIBE, topic.name))
        self.subscriptions.unsubscribe(topic, verified)
        return Response(200, b"", "")

    async def send_windows(self, before: int) -> None:
        """Send the windows that have closed since `before`, Unix ms, to those who get windows."""
        for each in self.subscriptions.to_windows():
            if self._door.holds(each.verified):
                await self._send_windows(each, max(before, each.since))

    async def _send_windows(self, to: Subscription, before: int) -> None:
        length, source = to.verified.caveats.exact, to.topic.name
        seen = asked.visible(to.verified.caveats)
        # A window that was open at `before` and is closed now.
        first = max(seen.first, windows.closed_before(before, length))
        stretch = Stretch(first, seen.last)
        now = self._clock.now()
        found = await self.read(
            lambda reader: queries.closed_windows(reader, source, stretch, length=length, now=now)
        )
        if found.records:
            await self._door.record(
                to.verified, _windows_read(to.verified, SUBSCRIBE, source, found)
            )
            for each in found.records:
                self._send([to], each)

    # Shared by several endpoints.

    async def _find_newest(self, source: str) -> Reading | None:
        return await self._latest.load(
            source, lambda: self.read(lambda reader: reader.newest(source, LATEST))
        )

    async def _stretch(self, verified: Verified, source: str, stretch: Stretch) -> Answer:
        if verified.caveats.exact:
            return await self._windows(verified, source, stretch, queries.closed_windows)
        extent = await self.read(lambda reader: reader.extent(source, stretch.first, stretch.last))
        written = access(
            verified,
            READ,
            source,
            items=extent.count,
            size=extent.size,
            earliest=extent.earliest,
            latest=extent.latest,
        )
        if extent.size + 100 * extent.count > MOST_AT_ONCE:
            await self._door.record(verified, written)
            parts = await self.read(lambda r: queries.parts(r, source, stretch, extent))
            return Stream(200, "application/json", self._streamed(verified, parts))
        body = await self.read(lambda reader: queries.whole(reader, source, stretch, extent))
        await self._door.record(verified, written)
        return Response(200, body)

    async def _streamed(self, verified: Verified, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
        while part := await self.read(lambda _: next(parts, b"")):
            if not self._door.holds(verified):
                raise NotFound("access was stopped while this was sent")
            yield part

    async def _windows(
        self, verified: Verified, source: str, stretch: Stretch, find: "FindWindows"
    ) -> Answer:
        length, now = verified.caveats.exact, self._clock.now()
        found = await self.read(
            lambda reader: find(reader, source, stretch, length=length, now=now)
        )
        await self._door.record(verified, _windows_read(verified, READ, source, found))
        return Response(200, queries.array(found.records))

    async def _nothing(self, verified: Verified, source: str) -> Answer:
        await self._door.record(verified, access(verified, READ, source))
        return Response(200, b"[]")

    def _receivers(self, name: str, kind: str) -> list[Subscription]:
        topic = Topic(name, "kv" if kind == "kv" else "ts")
        return [
            each
            for each in self.subscriptions.to(topic)
            if not each.verified.caveats.exact and self._door.holds(each.verified)
        ]

    def _send(self, receivers: list[Subscription], event: bytes) -> None:
        if receivers:
            frame = frame_text(event.decode())
            for each in receivers:
                self.subscriptions.send(each, frame)


FindWindows = Callable[..., queries.Windows]


def _windows_read(verified: Verified, operation: str, source: str, found: queries.Windows) -> bytes:
    return access(
        verified,
        operation,
        source,
        items=len(found.records),
        size=found.size,
        earliest=found.earliest,
        latest=found.latest,
    )


def _sees(subscription: Subscription, t: int) -> bool:
    seen = asked.visible(subscription.verified.caveats)
    return seen.first <= t <= seen.last


def _permitted(request: Request, placeholder: str, verified: Verified) -> str:
    """The source or key that the path names, if the token's list of sources has it.

    Raises:
        BadRequest: no usable name.
        BadToken: it is not in the list.
    """
    name = request.args[placeholder]
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise BadRequest(
            "this is not a usable name",
            code="name-grammar",
            field=placeholder,
            found=repr(name[:40]),
            remedy=f"Use up to {_LONGEST_NAME} printable characters",
        )
    asked.source_permitted(verified.caveats, name)
    return name


def _topic(request: Request, verified: Verified) -> Topic:
    kind = request.args["kind"].lower()
    if kind not in ("ts", "kv"):
        raise NotFound("There is nothing under this path", found=request.path[:200])
    return Topic(_permitted(request, "source", verified), "ts" if kind == "ts" else "kv")
