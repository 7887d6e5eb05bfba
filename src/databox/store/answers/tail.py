"""A source followed as it is written, by Server-Sent Events or over a WebSocket of its own.

Each event has an id. Who comes back with the last one is told first what came meanwhile: exactly
that, as long as it is kept in memory, else the points that are newer in time, after an event `gap`
that says so, because points that came late are then not among them.

A token with a granularity hears of windows when they close, and comes back to those that closed
meanwhile.

Source: HTML Living Standard, 9.2 (Server-sent events).
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing

import msgspec

from databox.kit.guard import Verified
from databox.kit.http.message import Answer, Request, Stream, Upgrade
from databox.kit.http.websocket import WebSocket, frame_text
from databox.store import asked, leaving, marks, pages, queries, questions, windows
from databox.store.answers.means import Means
from databox.store.answers.points import refuse_choice, refuse_tags
from databox.store.answers.sending import windows_read
from databox.store.asked import Stretch
from databox.store.audit import SUBSCRIBE
from databox.store.door import access
from databox.store.engine import tags as series
from databox.store.feed import Event, past_event
from databox.store.marks import Marks
from databox.store.reader import Reader
from databox.store.readings import EARLIEST
from databox.store.tails import GONE, STOPPED, TOO_SLOW, Tail
from databox.wire.errors import NotFound

KEEP_ALIVE = 15.0
"""Seconds of silence after which a stream says that it is still there."""
_POLICY = 1008
_GAP = b'{"resumed":"by time"}'
_NAMED = frozenset({"gap", "skipped"})
"""Kinds of events that browsers are to tell apart from plain ones."""
_MOST_WINDOWS = 1_000
"""Windows that are looked at in one turn."""

Key = tuple[str, int]
"""Tags and time of a point."""


class TailAnswers:
    """Answers to those who follow."""

    def __init__(self, means: Means) -> None:
        self._means = means
        # Of another run nothing is kept in memory, so its numbers mean nothing here.
        self._marks = Marks(secrets.token_bytes(32))

    async def tail(self, request: Request, verified: Verified) -> Answer:
        """Follow a source, from now on or from the last event that came."""
        source = asked.name(request, "source", verified.caveats)
        asked.refuse_rated(verified.caveats)
        after, tail = self._question(request, verified, source)
        # Before the record: what was written earlier is durable with it, what comes later is kept.
        self._means.feed.follow(source)
        await self._means.door.record(verified, access(verified, SUBSCRIBE, source))
        # Before the first event, whose id says it: one that is late must not seem the newest.
        newest = await self._means.read(lambda reader: reader.newest(source))
        self._means.feed.has(source, EARLIEST if newest is None else newest.t)
        if request.wants_websocket:
            return Upgrade(lambda socket: self._over_websocket(socket, tail, after))
        events = self._streamed(tail, after)
        return Stream(200, "text/event-stream", events, (("Cache-Control", "no-store"),))

    async def send_windows(self) -> None:
        """Send the windows that have closed to those who get windows."""
        for tail in self._means.tails.to_windows():
            if self._means.door.holds(tail.verified):
                await self._send_windows(tail)

    async def _streamed(self, tail: Tail, after: str) -> AsyncIterator[bytes]:
        async with aclosing(self._followed(tail, after)) as batches:
            async for events in batches:
                yield b"".join(self._as_stream(tail, each) for each in events) or b":\n\n"
        if tail.ended == TOO_SLOW:
            raise NotFound("this reader is too slow")
        yield b"event: end\ndata: %b\n\n" % msgspec.json.encode({"why": tail.ended})

    async def _over_websocket(self, socket: WebSocket, tail: Tail, after: str) -> None:
        listening = asyncio.create_task(_until_gone(socket, tail))
        try:
            async with aclosing(self._followed(tail, after)) as batches:
                async for events in batches:
                    for each in events:
                        socket.send_frame(frame_text(self._as_message(tail, each).decode()))
        finally:
            listening.cancel()
        socket.close(_POLICY, tail.ended)

    async def _followed(self, tail: Tail, after: str) -> AsyncGenerator[list[Event], None]:
        """What is to be told, in pieces; an empty one is a sign of life."""
        means = self._means
        if not means.door.holds(tail.verified):
            tail.end(STOPPED)
            return
        until = means.feed.number
        means.tails.add(tail)
        try:
            if tail.verified.caveats.exact:
                self._begin_windows(tail, after)
            else:
                async for past in self._past(tail, after, until):
                    yield past
            tail.caught_up()
            while not tail.ended:
                yield await tail.take(KEEP_ALIVE)
        finally:
            means.tails.remove(tail)

    async def _past(self, tail: Tail, after: str, until: int) -> AsyncIterator[list[Event]]:
        """What came since the event with the id `after`, up to the number `until`."""
        if not after:
            return
        mark = self._marks.read(after)
        missed = None
        await self._means.feed.settled(until)
        if mark.number is not None:
            missed = self._means.feed.missed(tail.source, mark.number, until)
        if mark.number is not None and missed is not None:
            for written in missed:
                events = written.events(tail, mark.number)
                await self._record(tail, events)
                yield events
            return
        yield [Event(0, "gap", 0, _GAP)]
        parts = await self._means.read(lambda reader: _by_time(reader, tail, mark.t))
        while not tail.ended and (part := await self._means.read(lambda _: next(parts, None))):
            # What will be delivered anyway is not told twice.
            events = [event for key, event in part if not tail.is_expected(*key)]
            await self._record(tail, events)
            yield events

    async def _record(self, tail: Tail, events: Sequence[Event]) -> None:
        """Record what is told of the past; nothing of it may have left before."""
        told = [each for each in events if each.at is not None]
        written = access(
            tail.verified,
            SUBSCRIBE,
            tail.source,
            items=len(told),
            size=sum(len(each.body) for each in told),
            earliest=min((each.at for each in told if each.at is not None), default=None),
            latest=max((each.at for each in told if each.at is not None), default=None),
        )
        await self._means.door.record(tail.verified, written)

    def _question(self, request: Request, verified: Verified, source: str) -> tuple[str, Tail]:
        """After which event, and what to tell.

        Raises:
            BadRequest: a parameter is not known, or not well formed.
            BadToken: the token shows windows, and only some series or members are asked for.
        """
        query, caveats = request.parameters, verified.caveats
        questions.known(query, ("after", "fields"))
        # A browser that comes back repeats the address, and says in the header what it has heard.
        after = request.headers.get("last-event-id") or query.get("after", "")
        wanted, fields = questions.tags(query), questions.fields(query)
        series.canonical(wanted)
        if caveats.exact:
            refuse_choice(each for each in query if each != "after")
        if wanted:
            refuse_tags(caveats)
        if after:
            marks.window_end(after) if caveats.exact else self._marks.read(after)
        return after, Tail(verified, source, wanted, fields)

    def _begin_windows(self, tail: Tail, after: str) -> None:
        length, now = tail.verified.caveats.exact, self._means.clock.now()
        closed = windows.closed_before(now, length)
        tail.windows_from = min(closed, marks.window_end(after)) if after else closed

    async def _send_windows(self, tail: Tail) -> None:
        caveats, now = tail.verified.caveats, self._means.clock.now()
        length, first = caveats.exact, tail.windows_from
        end = min(windows.closed_before(now, length), first + _MOST_WINDOWS * length)
        if first >= end:
            return
        seen = asked.visible(caveats)
        stretch = Stretch(max(first, seen.first), min(end - 1, seen.last))
        found = await self._means.read(
            lambda reader: queries.closed_windows(
                reader, tail.source, stretch, length=length, now=now, caveats=caveats
            )
        )
        if found.records:
            written = windows_read(tail.verified, SUBSCRIBE, tail.source, found)
            await self._means.door.record(tail.verified, written)
        tail.deliver([_window(each, length) for each in found.records])
        tail.windows_from = end

    def _id(self, tail: Tail, event: Event) -> bytes:
        match event.name:
            case "gap":
                return b""
            case "window":
                return marks.of_window(event.t).encode()
            case "past":
                return marks.by_time(event.t).encode()
            case _:
                # The newest time there was may be one that is hidden.
                return self._marks.of(event.number, tail.seen(event.t)).encode()

    def _as_stream(self, tail: Tail, event: Event) -> bytes:
        told = self._id(tail, event)
        name = b"event: %b\n" % event.name.encode() if event.name in _NAMED else b""
        return b"%b%bdata: %b\n\n" % (b"id: %b\n" % told if told else b"", name, event.body)

    def _as_message(self, tail: Tail, event: Event) -> bytes:
        told = self._id(tail, event)
        return b'{"id":"%b",%b' % (told, event.body[1:]) if told else event.body


async def _until_gone(socket: WebSocket, tail: Tail) -> None:
    while await socket.receive() is not None:
        pass
    tail.end(GONE)


def _by_time(reader: Reader, tail: Tail, t: int) -> Iterator[list[tuple[Key, Event]]]:
    """The points that are newer than a time, with their series and time, in pieces."""
    seen = asked.visible(tail.verified.caveats)
    found = pages.chosen(reader, tail.source, dict(tail.tags))
    name = msgspec.json.encode(tail.source)
    newer = reader.runs(tail.source, max(seen.first, t + 1), seen.last, tags=found)
    for run in newer:
        (shown,) = leaving.runs([run], tail.verified.caveats, tail.fields)
        places = [0] * len(run) if run.which is None else run.which
        yield [
            (
                (run.tags[place], at),
                past_event(name, at, run.series[place], shown.tags[place], data),
            )
            for at, place, data in zip(run.times.tolist(), places, shown.texts(), strict=True)
        ]


def _window(record: bytes, length: int) -> Event:
    start = msgspec.json.decode(record, type=_Window).timestamp
    return Event(0, "window", start + length, record)


class _Window(msgspec.Struct, frozen=True):
    timestamp: int
