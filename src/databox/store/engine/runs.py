"""Points in order, a run at a time: gathers from all series up to a horizon, then hands out."""

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from databox.store.engine.blocks import Meta
from databox.store.engine.points import RUN_BYTES, RUN_POINTS, Position, Run, render
from databox.store.engine.scan import Point, Scan

if TYPE_CHECKING:
    from databox.store.engine.batch import Batch

GATHER_POINTS: Final = 65_536
GATHER_BYTES: Final = 1024 * 1024
"""What is gathered at once, about."""
_POINTS: Final = 256
_BYTES: Final = 4096
"""The same of each series, where there are very many: a block would be unpacked too often."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, both ends inclusive, Unix ms, and from which end it is read."""

    first: int
    last: int
    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is gathered next: from `first` to `last`, of these blocks."""

    first: int
    last: int
    metas: dict[int, list[Meta]]


class Runs:
    """Goes through the points of some series.

    Args:
        scan: Within whose snapshots this reads.
        span: Which stretch.
        after: Where to go on, if not at its end.
        limit: Points in all; None is no limit.
    """

    def __init__(
        self, scan: Scan, span: Span, after: Position | None = None, limit: int | None = None
    ) -> None:
        self._scan = scan
        self._after = after
        self._left = limit
        self._forwards = not span.newest_first
        self._first, self._last = span.first, span.last
        if after is not None and self._forwards:
            self._first = max(span.first, after.t)
        elif after is not None:
            self._last = min(span.last, after.t)
        self._ready: deque[Run] = deque()

    def ready(self) -> Run | None:
        """The next run, if it was gathered already."""
        if not self._ready or self._left == 0:
            return None
        run = self._ready.popleft()
        if self._left is None:
            return run
        run = _shortened(run, self._left)
        self._left -= len(run)
        return run

    def gather(self, series: dict[int, str]) -> bool:
        """Gather more, within a snapshot; gives whether there may be any."""
        if self._left == 0:
            # There may be runs behind the limit, and nobody will ever take them.
            return False
        while not self._ready:
            if self._first > self._last or not series:
                return False
            plan = self._plan(series)
            self._ready.extend(self._gathered(plan, series))
            if self._forwards:
                self._first = plan.last + 1
            else:
                self._last = plan.first - 1
        return True

    def _plan(self, series: Iterable[int]) -> _Plan:
        """How far to gather, so that it is neither too much nor too little."""
        numbers = list(series)
        points = max(GATHER_POINTS // len(numbers), 1)
        if self._left is not None:
            points = min(points, self._left)
        size = max(GATHER_BYTES // len(numbers), 1)
        chosen = {number: self._choose(number, points, size) for number in numbers}
        horizons = [horizon for _, horizon in chosen.values()]
        first, last = self._first, self._last
        if self._forwards:
            last = min(horizons)
        else:
            first = max(horizons)
        if len(numbers) > 1:
            blocks = [meta for each, _ in chosen.values() for meta in each]
            first, last = self._bounded(first, last, blocks, len(numbers))
        metas = {
            number: [meta for meta in blocks if meta.last >= first and meta.first <= last]
            for number, (blocks, _) in chosen.items()
        }
        return _Plan(first, last, metas)

    def _bounded(
        self, first: int, last: int, blocks: Sequence[Meta], series: int
    ) -> tuple[int, int]:
        """A shorter stretch, if blocks of many series would be too much at once."""
        points, size = max(GATHER_POINTS, _POINTS * series), max(GATHER_BYTES, _BYTES * series)
        inside = [meta for meta in blocks if meta.last >= first and meta.first <= last]
        if not inside:
            return first, last
        # What lies before or behind all blocks need not be cut.
        if self._forwards:
            low, high = max(first, min(meta.first for meta in inside)), last
        else:
            low, high = first, min(last, max(meta.last for meta in inside))
        while high > low and not _few(inside, low, high, points, size):
            middle = low + (high - low) // 2
            low, high = (low, middle) if self._forwards else (middle + 1, high)
        return (first, high) if self._forwards else (low, last)

    def _choose(self, number: int, points: int, size: int) -> tuple[list[Meta], int]:
        """The blocks of one series to gather, and up to where then nothing of it is missing."""
        most = points // 1024 + 2
        find = self._scan.blocks
        if self._forwards:
            blocks = find.overlapping(number, self._first, self._last, most)
        else:
            blocks = find.overlapping_backwards(number, self._first, self._last, most)
        taken = 0
        while taken < len(blocks) and points > 0 and size > 0:
            points -= blocks[taken].points
            size -= blocks[taken].size
            taken += 1
        horizon = self._last if self._forwards else self._first
        if taken < len(blocks):
            horizon = blocks[taken].first - 1 if self._forwards else blocks[taken].last + 1
        elif len(blocks) >= most and self._forwards:
            horizon = min(blocks[-1].last, horizon)
        elif len(blocks) >= most:
            horizon = max(blocks[-1].first, horizon)
        chosen = blocks[:taken] if self._forwards else blocks[:taken][::-1]
        return chosen, self._narrowed(number, horizon)

    def _narrowed(self, number: int, horizon: int) -> int:
        """A horizon up to which the journal has not too much, either."""
        low, high = (self._first, horizon) if self._forwards else (horizon, self._last)
        times = self._scan.journal.tail(number).times(low, high)
        most = RUN_POINTS if self._left is None else min(RUN_POINTS, self._left)
        if len(times) <= most:
            return horizon
        return times[most - 1] if self._forwards else times[-most]

    def _gathered(self, plan: _Plan, tags: dict[int, str]) -> Iterable[Run]:
        if not any(plan.metas.values()):
            return self._of_journal(plan, tags)
        parts: dict[int, list[Batch]] = {}
        for number, metas in plan.metas.items():
            first, last = self._ends(number, plan)
            found = self._scan.together(number, metas, first, last) if first <= last else []
            if found:
                parts[number] = found
        return _runs_of(parts, tags, forwards=self._forwards)

    def _of_journal(self, plan: _Plan, tags: dict[int, str]) -> list[Run]:
        """Without loading what unpacks blocks."""
        points: list[Point] = []
        for number in plan.metas:
            tail = self._scan.journal.tail(number)
            points += [(t, number, tail.points[t]) for t in tail.times(*self._ends(number, plan))]
        points.sort(key=lambda point: point[:2], reverse=not self._forwards)
        found, start, size = [], 0, 0
        for place, (_, _, content) in enumerate(points, 1):
            size += len(content) if isinstance(content, bytes) else 8
            if place - start == RUN_POINTS or size >= RUN_BYTES or place == len(points):
                found.append(run_of(points[start:place], tags))
                start, size = place, 0
        return found

    def _ends(self, number: int, plan: _Plan) -> tuple[int, int]:
        """The ends of a plan for one series: of the moment to go on in, some are done already."""
        first, last = plan.first, plan.last
        if self._after is None:
            return first, last
        if self._forwards and first == self._after.t and number <= self._after.series:
            return first + 1, last
        if not self._forwards and last == self._after.t and number >= self._after.series:
            return first, last - 1
        return first, last


def run_of(points: Sequence[Point], tags: dict[int, str]) -> Run:
    """A run of these points, at least one."""
    numbers = sorted({number for _, number, _ in points})
    places = {number: place for place, number in enumerate(numbers)}
    which = [places[number] for _, number, _ in points] if len(numbers) > 1 else None
    times = array("q", [t for t, _, _ in points])
    end = Position(points[-1][0], points[-1][1])
    contents = [content for _, _, content in points]
    names = tuple(tags[number] for number in numbers)
    if any(isinstance(each, bytes) for each in contents):
        texts = [each if isinstance(each, bytes) else render(each) for each in contents]
        return Run(names, tuple(numbers), which, times, None, b"", texts, end)
    whole = bytes([isinstance(each, int) for each in contents])
    values = array("d", [each for each in contents if not isinstance(each, bytes)])
    return Run(names, tuple(numbers), which, times, values, whole if any(whole) else b"", None, end)


def _runs_of(
    parts: "dict[int, list[Batch]]", tags: dict[int, str], *, forwards: bool
) -> Iterable[Run]:
    from databox.store.engine.weave import runs_of

    return runs_of(parts, tags, forwards=forwards)


def _few(blocks: Sequence[Meta], first: int, last: int, points: int, size: int) -> bool:
    """Whether there is not too much in a stretch of time, if points are spread evenly."""
    for meta in blocks:
        shared = min(meta.last, last) - max(meta.first, first) + 1
        share = max(shared, 0) / (meta.last - meta.first + 1)
        points -= int(meta.points * share)
        size -= int(meta.size * share)
    return points >= 0 and size >= 0


def _shortened(run: Run, most: int) -> Run:
    if len(run) <= most:
        return run
    cut = slice(0, most)
    which = None if run.which is None else run.which[cut]
    place = 0 if which is None else which[-1]
    return Run(
        run.tags,
        run.series,
        which,
        run.times[cut],
        None if run.values is None else run.values[cut],
        run.whole[cut],
        None if run.documents is None else run.documents[cut],
        Position(int(run.times[cut][-1]), run.series[place]),
    )
