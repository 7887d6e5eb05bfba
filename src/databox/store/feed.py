"""What is written, passed on as events, and kept a while for those who come back. No I/O.

Each write takes its numbers before it is committed, together with the list of those who are to
hear of it, because their accesses are recorded in the same commit. It is passed on once it is
durable and everything before it is settled, so events leave in the order of their numbers, and a
number alone tells what somebody has missed.

What was written lately is kept only for sources that somebody has followed.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from databox.kit.guard import Verified
from databox.store import leaving
from databox.store.audit import SUBSCRIBE
from databox.store.door import access
from databox.store.leaving import Fields
from databox.store.readings import EARLIEST, record_of

MOST_EVENTS = 1_000
"""Points of one write that are sent one by one; of more, only how many there were."""
KEPT_EVENTS = 4_096
KEPT_BYTES = 2 * 1024 * 1024
MOST_FOLLOWED = 1_024
"""Sources that are kept: whoever may follow any name may make names up."""

Point = tuple[int, bytes]
"""Time, Unix ms, and data, JSON."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Points of one series that are written together, at least one.

    `size`: bytes of data; `earliest`, `latest`: Unix ms. `points`: gives them one by one, for which
    there is a need only if somebody hears of them.
    """

    tags: str
    count: int
    size: int
    earliest: int
    latest: int
    points: Callable[[], Sequence[Point]]


@dataclass(frozen=True, slots=True)
class Event:
    """Something to be told.

    `number`: its place among all. `name`: what kind it is. `t`: the newest time, Unix ms, that
    there was in its source once it was told. `body`: a JSON object. `at`: the time of the point
    that it tells of.
    """

    number: int
    name: str
    t: int
    body: bytes
    at: int | None = None


class Receiver(Protocol):
    """Somebody who hears of what is written."""

    @property
    def verified(self) -> Verified:
        """Under which token."""
        ...

    @property
    def fields(self) -> Fields:
        """The members of documents that were asked for."""
        ...

    def wants(self, tags: str, t: int) -> bool:
        """Whether a point of this series and time is for them."""
        ...

    def expect(self, tags: str, points: Iterable[Point]) -> None:
        """These points will be passed on."""
        ...

    def deliver(self, events: Sequence[Event]) -> None:
        """Pass events on."""
        ...


@dataclass(slots=True)
class Written:
    """One write: its points, or only how many, and who is to hear of it.

    `heard`: somebody hears of it, now or perhaps later. `series`: its number, once it is committed.
    `newest`: the newest time in its source before it.
    """

    first: int
    source: str
    batch: Batch
    points: Sequence[Point]
    skipped: int
    receivers: Sequence[Receiver]
    heard: bool
    series: int | None = None
    failed: bool = False
    newest: int = EARLIEST

    @property
    def last(self) -> int:
        """The number of its last event."""
        return self.first + max(1, len(self.points)) - 1

    @property
    def size(self) -> int:
        """Bytes of data."""
        return sum(len(data) for _, data in self.points)

    @property
    def settled(self) -> bool:
        """Whether it is known what came of it."""
        return self.failed or self.series is not None

    def records(self) -> list[bytes]:
        """The accesses of those who are to hear of it."""
        return [self._record(each) for each in self.receivers]

    def events(self, receiver: Receiver, after: int = 0) -> list[Event]:
        """What a receiver is told, of what comes after a number. Only once it is settled."""
        if self.failed:
            return []
        if self.skipped:
            return [self._note(receiver)] if self.first > after else []
        places = [
            place
            for place, (t, _) in enumerate(self.points)
            if self.first + place > after and receiver.wants(self.batch.tags, t)
        ]
        texts = [self.points[place][1] for place in places]
        caveats = receiver.verified.caveats
        shown = leaving.documents(texts, caveats, receiver.fields)
        tags = leaving.tags(self.batch.tags, caveats)
        return [self._event(place, tags, data) for place, data in zip(places, shown, strict=True)]

    def _record(self, receiver: Receiver) -> bytes:
        seen = [point for point in self.points if receiver.wants(self.batch.tags, point[0])]
        times = [t for t, _ in seen]
        return access(
            receiver.verified,
            SUBSCRIBE,
            self.source,
            items=len(seen),
            size=sum(len(data) for _, data in seen),
            earliest=min(times, default=None),
            latest=max(times, default=None),
        )

    def _event(self, place: int, tags: str, data: bytes) -> Event:
        at = self.points[place][0]
        t = max(self.newest, *(t for t, _ in self.points[: place + 1]))
        body = _body(msgspec.json.encode(self.source), at, self.series or 0, tags, data)
        return Event(self.first + place, "reading", t, body, at)

    def _note(self, receiver: Receiver) -> Event:
        # Who sees only a stretch of time is not told how many points lie outside of it.
        whole = receiver.wants(self.batch.tags, self.batch.earliest) and receiver.wants(
            self.batch.tags, self.batch.latest
        )
        told = {"datasource_id": self.source, "skipped": self.skipped if whole else None}
        t = max(self.newest, self.batch.latest)
        return Event(self.first, "skipped", t, msgspec.json.encode(told))


def past_event(source: bytes, at: int, series: int, tags: str, data: bytes) -> Event:
    """The event of a point that was found in the file. `source`: its name as JSON."""
    return Event(0, "past", at, _body(source, at, series, tags, data), at)


def _body(source: bytes, t: int, series: int, tags: str, data: bytes) -> bytes:
    body = record_of(source, t, series, data)
    return b'%b,"tags":%b}' % (body[:-1], tags.encode()) if tags else body


@dataclass(slots=True)
class Feed:
    """All that was written lately to sources that somebody follows."""

    _number: int = 0
    _forgotten: int = 0
    _unsettled: deque[Written] = field(default_factory=deque)
    _kept: deque[Written] = field(default_factory=deque)
    _events: int = 0
    _bytes: int = 0
    _began: dict[str, int] = field(default_factory=dict)
    _newest: dict[str, int] = field(default_factory=dict)
    _waiter: asyncio.Future[None] | None = None

    @property
    def number(self) -> int:
        """The number of the last event, perhaps not settled."""
        return self._number

    def follow(self, source: str) -> None:
        """From now on keep what is written to this source."""
        self._began.setdefault(source, self._number)
        if len(self._began) > MOST_FOLLOWED:
            longest = next(iter(self._began))
            del self._began[longest]
            self._newest.pop(longest, None)

    def forget(self, source: str) -> None:
        """Points of this source were deleted: nothing of it is told of the past any more."""
        self._kept = deque(each for each in self._kept if each.source != source)
        self._events = sum(max(1, len(each.points)) for each in self._kept)
        self._bytes = sum(each.size for each in self._kept)
        if source in self._began:
            self._began[source] = self._number

    def follows(self, source: str) -> bool:
        """Whether what is written to this source is kept."""
        return source in self._began

    def submit(self, source: str, batch: Batch, receivers: Iterable[Receiver]) -> Written:
        """Points are about to be written."""
        kept = source in self._began
        few = batch.count <= MOST_EVENTS
        points = batch.points() if few and (kept or receivers) else ()
        times = [t for t, _ in points] or (batch.earliest, batch.latest)
        heard = [each for each in receivers if any(each.wants(batch.tags, t) for t in times)]
        skipped = 0 if few else batch.count
        told = kept or bool(heard)
        written = Written(self._number + 1, source, batch, points, skipped, heard, told)
        if told:
            self._number = written.last
            self._unsettled.append(written)
            for each in heard:
                each.expect(batch.tags, points)
        return written

    def settle(self, written: Written, series: int | None) -> None:
        """It was committed, as points of this series, or it failed, if there is none."""
        written.series, written.failed = series, series is None
        if not written.heard:
            return
        while self._unsettled and self._unsettled[0].settled:
            self._pass_on(self._unsettled.popleft())
        if self._waiter is not None:
            self._waiter.set_result(None)
            self._waiter = None

    def missed(self, source: str, after: int, until: int) -> Iterator[Written] | None:
        """What was written to a source after one number, up to another; None if it is not kept."""
        began = self._began.get(source)
        if began is None or after < max(self._forgotten, began):
            return None
        kept = (*self._kept, *self._unsettled)
        return (each for each in kept if each.source == source and after < each.last <= until)

    async def settled(self, until: int) -> None:
        """Wait until it is known what came of everything up to a number."""
        while self._unsettled and self._unsettled[0].first <= until:
            self._waiter = self._waiter or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiter)

    def has(self, source: str, t: int) -> None:
        """There is a point of this time in a source that is followed."""
        self._newest[source] = max(t, self._newest.get(source, EARLIEST))

    def _pass_on(self, written: Written) -> None:
        written.newest = self._newest.get(written.source, EARLIEST)
        if not written.failed:
            self.has(written.source, written.batch.latest)
        for each in written.receivers:
            if events := written.events(each):
                each.deliver(events)
        written.receivers = ()
        if written.source in self._began and not written.failed:
            self._keep(written)

    def _keep(self, written: Written) -> None:
        self._kept.append(written)
        self._events += max(1, len(written.points))
        self._bytes += written.size
        while self._events > KEPT_EVENTS or self._bytes > KEPT_BYTES:
            oldest = self._kept.popleft()
            self._forgotten = oldest.last
            self._events -= max(1, len(oldest.points))
            self._bytes -= oldest.size
