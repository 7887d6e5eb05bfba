"""Much of a granted source at once: pages of points, windows, and what is written as it is.

Written once, as coroutines over a `Line`; `source.py` drives them without an event loop, `aio.py`
awaits them.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Protocol

from databox.sdk import columns as cols
from databox.sdk import events, questions
from databox.sdk.columns import Columns
from databox.sdk.events import Event
from databox.sdk.line import BINARY, Line, Sleep
from databox.sdk.peers import Route
from databox.sdk.questions import EARLIEST, LATEST, Question, Window, WindowQuestion
from databox.sdk.readings import Reading
from databox.sdk.stored import bounds, readings
from databox.sdk.surroundings import Granted
from databox.wire.errors import BadRequest, Denied, TooLarge, Unavailable
from databox.wire.exactness import WINDOWS_MS

PAGE = 10_000
"""Points of one page: some 200 KB of JSON, and 1 MB when decoded."""
PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds between two tries to follow again."""
_STOPPED = "access was stopped"
_NEWER_THAN = "00000000.0000000000000000."
"""The id of an event that nobody sent: what follows is newer than the time behind it."""


class Many(Protocol):
    """Much of a source at once. All raise as `Peers.call` does."""

    def pages(self, asked: Question) -> AsyncGenerator[Columns, None]:
        """Points, page by page."""
        ...

    async def numbers(self, asked: Question) -> Columns | None:
        """Numbers of one series as numpy's arrays; None if they cannot be had so."""
        ...

    async def at(self, t: int, tags: tuple[tuple[str, str], ...]) -> Reading | None:
        """The reading that held at a moment."""
        ...

    async def length(self, asked: Question) -> int:
        """How many points there are."""
        ...

    def windows(self, asked: WindowQuestion) -> AsyncGenerator[Window, None]:
        """Windows, oldest first."""
        ...

    def follow(
        self, after: str | int | None, tags: tuple[tuple[str, str], ...]
    ) -> AsyncGenerator[Event, None]:
        """What is written, as it is."""
        ...


class StoredMany:
    """One source of one store, under the grants the owner gave."""

    def __init__(self, line: Line, granted: Granted, sleep: Sleep) -> None:
        self._line = line
        self._sleep = sleep
        self._granted = granted
        self._windows = granted.exact in WINDOWS_MS

    async def pages(self, asked: Question) -> AsyncGenerator[Columns, None]:
        """Points, page by page; only one page is held at a time."""
        questions.refuse_windows_only(self._granted.exact, "points")
        route = self._route("points")
        since, until = await self._allowed(route, asked.since, asked.until)
        if since > until:
            return
        cursor: str | None = ""
        left, most = asked.limit, PAGE
        while cursor is not None and left != 0:
            query = questions.query(
                first=since,
                to=until,
                limit=min(most, left or most),
                order="newest" if asked.newest_first else "",
                cursor=cursor,
                fields=",".join(asked.fields),
            )
            try:
                body = await self._line.call(route, query=questions.tagged(query, asked.tags))
            except TooLarge:
                if most == 1:
                    raise
                most = max(1, most // 8)
                continue
            page, cursor = cols.read_page(body)
            left = None if left is None else left - len(page)
            yield page

    async def numbers(self, asked: Question) -> Columns | None:
        """Numbers in binary, if all are of one series and of no document's members."""
        questions.refuse_windows_only(self._granted.exact, "points")
        if asked.fields or asked.newest_first or not cols.has_numpy():
            return None
        series = questions.tagged("", asked.tags)
        told = json.loads(await self._line.call(self._route("series"), query=series))["series"]
        if len(told) > 1:
            return None
        route = self._route("points")
        since, until = await self._allowed(route, asked.since, asked.until)
        if since > until:
            return Columns([], [])
        query = questions.query(first=since, to=until, limit=asked.limit)
        found = self._line.receive(
            route, query=questions.tagged(query, asked.tags), fields={"Accept": BINARY}
        )
        body = bytearray()
        try:
            async with aclosing(found):
                async for piece in found:
                    body += piece
        except (BadRequest, Unavailable):
            # There is a document among them, which the store sees only when it comes to it.
            return None
        times, values = cols.read_binary(bytes(body))
        return Columns(times, values, [told[0]] * len(times) if told and told[0] else ())

    async def at(self, t: int, tags: tuple[tuple[str, str], ...]) -> Reading | None:
        """The reading that held at a moment, the newest up to it."""
        query = questions.tagged(questions.query(t=t), tags)
        found = readings(
            await self._line.call(self._route("at"), query=query), windows=self._windows
        )
        return found[-1] if found else None

    async def length(self, asked: Question) -> int:
        """How many points there are."""
        questions.refuse_windows_only(self._granted.exact, "length")
        route = self._route("length")
        since, until = await self._allowed(route, asked.since, asked.until)
        if since > until:
            return 0
        query = questions.tagged(questions.query(first=since, to=until), asked.tags)
        try:
            return int(json.loads(await self._line.call(route, query=query))["length"])
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable("the store's answer is no length") from error

    async def windows(self, asked: WindowQuestion) -> AsyncGenerator[Window, None]:
        """Windows; a stretch that does not fit into one answer is halved."""
        route, step = self._route("windows"), asked.every
        since, until = await self._allowed(route, asked.since, asked.until)
        waiting = [(since, until)] if since <= until else []
        while waiting:
            first, last = waiting.pop()
            try:
                found = await self._windows_of(route, asked, first, last)
            except TooLarge:
                middle = (first + last) // 2 // step * step
                if not first < middle <= last:
                    raise
                waiting += [(middle, last), (first, middle - 1)]
                continue
            for window in found:
                yield window

    async def _windows_of(
        self, route: Route, asked: WindowQuestion, first: int, last: int
    ) -> list[Window]:
        query = questions.query(
            first=first,
            to=last,
            every=f"PT{asked.every // 1000}S",
            of=",".join(asked.of),
            field=",".join(asked.fields),
        )
        body = await self._line.call(route, query=questions.tagged(query, asked.tags))
        try:
            return [_window(told) for told in json.loads(body)["windows"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unavailable("the store's answer is not a list of windows") from error

    async def follow(
        self, after: str | int | None, tags: tuple[tuple[str, str], ...]
    ) -> AsyncGenerator[Event, None]:
        """Each event once, also over connections that break; it ends with an exception only."""
        mark = self._mark(after) if isinstance(after, int) else after or ""
        # Where to go on if nothing came before the first connection breaks.
        spare = mark or self._mark(await self._newest())
        pause = PAUSE
        while True:
            try:
                async with aclosing(self._heard(mark, tags)) as heard:
                    async for event in heard:
                        mark = spare = event.id or spare
                        pause = PAUSE
                        yield event._replace(id=spare)
            except Unavailable:
                await self._sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            mark = spare

    async def _heard(
        self, mark: str, tags: tuple[tuple[str, str], ...]
    ) -> AsyncGenerator[Event, None]:
        """The events of one connection. Ends, or raises Unavailable, when it breaks."""
        parser = events.Parser()
        fields = {"Accept": "text/event-stream", **({"Last-Event-ID": mark} if mark else {})}
        pieces = self._line.receive(
            self._route("tail"), query=questions.tagged("", tags), fields=fields
        )
        async with aclosing(pieces):
            async for piece in pieces:
                for message in parser.feed(piece):
                    if message.name == events.END:
                        self._end(events.reason(message))
                    event = events.event_of(message, windows=self._windows)
                    if event is not None:
                        yield event

    def _end(self, why: str) -> None:
        if why == _STOPPED:
            raise self._line.refused(Denied(_STOPPED))
        raise Unavailable("the store ended the stream", found=why)

    async def _newest(self) -> int:
        """The time of the newest thing there is."""
        route = self._route("latest")
        found = readings(await self._line.call(route), windows=self._windows)
        if not found:
            return EARLIEST
        return found[-1].t + WINDOWS_MS.get(self._granted.exact, 0)

    def _mark(self, t: int) -> str:
        return f"w{t}" if self._windows else f"{_NEWER_THAN}{t}"

    async def _allowed(self, route: Route, since: int | None, until: int | None) -> tuple[int, int]:
        """The part of a stretch that the owner allows: asking for more is refused as a whole."""
        earliest, newest = bounds(await self._line.token(route))
        first = EARLIEST if since is None else max(since, EARLIEST)
        last = LATEST if until is None else min(until, LATEST)
        return max(first, earliest), min(last, newest)

    def _route(self, what: str) -> Route:
        return Route(self._granted.store, "GET", f"/{self._granted.source}/ts/{what}")


def _window(told: dict[str, Any]) -> Window:
    approximate = bool(told.pop("approximate", False))
    return Window(int(told.pop("start")), str(told.pop("field")), told, approximate)
