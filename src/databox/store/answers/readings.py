"""Readings as the interface of 2017 has them: write, latest, since, range."""

from collections.abc import Callable
from functools import partial

from databox.kit.guard import Verified
from databox.kit.http.message import Answer, Held, Request, Response
from databox.store import asked, queries
from databox.store.answers.events import EventAnswers
from databox.store.answers.means import Means
from databox.store.answers.sending import Sender, windows_read
from databox.store.asked import Stretch
from databox.store.audit import READ, WRITE
from databox.store.door import access
from databox.store.feed import Batch
from databox.store.file import Outcome
from databox.store.latest import prepare
from databox.store.readings import LATEST, Reading, parse_reading, record
from databox.store.writes import NewReading
from databox.wire.errors import DataboxError

FindWindows = Callable[..., queries.Windows]


class ReadingAnswers:
    """Answers of one source's readings."""

    def __init__(self, means: Means, events: EventAnswers) -> None:
        self._means = means
        self._events = events

    async def write(self, request: Request, verified: Verified) -> Answer:
        """Write a reading, and send it to those who subscribed."""
        source = asked.name(request, "source", verified.caveats)
        asked.refuse_bounded(verified.caveats)
        t, data = parse_reading(request.body, self._means.clock.now())
        batch = Batch("", 1, len(data), t, t, lambda: [(t, data)])
        outcome = await self._events.write(verified, NewReading(source, t, data), batch)
        return self._written(source, outcome)

    def write_at_once(self, request: Request, verified: Verified) -> Held | None:
        """A reading that nobody waits for but who wrote it. What is to be refused is not for us."""
        try:
            source = asked.name(request, "source", verified.caveats)
            asked.refuse_bounded(verified.caveats)
            t, data = parse_reading(request.body, self._means.clock.now())
        except DataboxError:
            return None
        if self._events.is_heard(source):
            return None
        record = access(verified, WRITE, source, items=1, size=len(data), earliest=t, latest=t)
        return self._means.door.hold_write(
            NewReading(source, t, data), record, partial(self._written, source)
        )

    def _written(self, source: str, outcome: Outcome) -> Response:
        assert isinstance(outcome, Reading)
        self._means.latest.written(source, outcome)
        return Response(200, record(source, outcome))

    def latest_at_once(self, request: Request, verified: Verified) -> Held | None:
        """The newest reading, if this token's holder has been given it before."""
        prepared = self._means.latest.prepared(request.args["source"], verified)
        return self._means.door.hold(prepared.answer, prepared.record) if prepared else None

    async def latest(self, request: Request, verified: Verified) -> Answer:
        """The newest reading, or the last closed window."""
        source = asked.name(request, "source", verified.caveats)
        stretch = asked.visible(verified.caveats)
        if verified.caveats.exact:
            return await self._windows(verified, source, stretch, queries.latest_window)
        if stretch.last == LATEST:
            reading = self._means.latest.get(source) or await self._find_newest(source)
        else:
            reading = await self._means.read(lambda reader: reader.newest(source, stretch.last))
        if reading is None or reading.t < stretch.first:
            await self._means.door.record(verified, access(verified, READ, source))
            return Response(200, b"[]")
        if stretch.last == LATEST:
            prepared = self._means.latest.answer(source, reading, verified)
        else:
            prepared = prepare(source, reading, verified)
        await self._means.door.record(verified, prepared.record)
        return prepared.answer

    async def since(self, request: Request, verified: Verified) -> Answer:
        """Readings since a moment."""
        source = asked.name(request, "source", verified.caveats)
        stretch = asked.since(request.body, request.parameters, verified.caveats)
        return await self._stretch(verified, source, stretch)

    async def range(self, request: Request, verified: Verified) -> Answer:
        """Readings between two moments."""
        source = asked.name(request, "source", verified.caveats)
        stretch = asked.range_(request.body, request.parameters, verified.caveats)
        return await self._stretch(verified, source, stretch)

    async def _find_newest(self, source: str) -> Reading | None:
        return await self._means.latest.load(
            source, lambda: self._means.read(lambda reader: reader.newest(source, LATEST))
        )

    async def _stretch(self, verified: Verified, source: str, stretch: Stretch) -> Answer:
        caveats = verified.caveats
        if caveats.exact:
            return await self._windows(verified, source, stretch, queries.closed_windows)
        return await Sender(self._means, verified, source).send(
            lambda reader: queries.parts(reader, source, stretch, caveats)
        )

    async def _windows(
        self, verified: Verified, source: str, stretch: Stretch, find: FindWindows
    ) -> Answer:
        caveats, now = verified.caveats, self._means.clock.now()
        found = await self._means.read(
            lambda reader: find(
                reader, source, stretch, length=caveats.exact, now=now, caveats=caveats
            )
        )
        await self._means.door.record(verified, windows_read(verified, READ, source, found))
        return Response(200, queries.array(found.records))
