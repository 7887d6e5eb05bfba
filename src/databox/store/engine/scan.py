"""The reading side: finds the points of a source in order of time."""

from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import apsw

from databox.store.engine import windows
from databox.store.engine.journal import Content, Journal
from databox.store.engine.points import RUN_BYTES, RUN_POINTS, Position, Run, render
from databox.store.engine.windows import Window

Point = tuple[int, int, Content]
"""Time, series, content."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, both ends inclusive, Unix ms, and from which end it is read."""

    first: int
    last: int
    newest_first: bool = False


class Scan:
    """Reads points within the snapshot that its caller has begun."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._journal = Journal()

    def begin(self) -> None:
        """A snapshot has begun."""
        self._journal.refresh(self._connection)

    def series(self, source: str, tags: str | None = None) -> dict[int, str]:
        """The series of a source: their numbers and tags."""
        found = self._connection.execute(
            "SELECT id, tags FROM series WHERE source = ?1 AND (?2 IS NULL OR tags = ?2)",
            (source, tags),
        )
        return {int(number): str(text) for number, text in found}

    def newest(self, series: Collection[int], last: int) -> Point | None:
        """The newest point up to `last`."""
        found: Point | None = None
        for number in series:
            tail = self._journal.tail(number)
            t = tail.newest(last)
            if t is not None and (found is None or (t, number) > found[:2]):
                found = t, number, tail.points[t]
        return found

    def points(self, series: Collection[int], first: int, last: int) -> Iterator[Point]:
        """All points from `first` to `last`, in order."""
        every: list[Point] = []
        for number in series:
            tail = self._journal.tail(number)
            every += [(t, number, tail.points[t]) for t in tail.times(first, last)]
        every.sort(key=lambda point: point[:2])
        return iter(every)

    def run(
        self, series: dict[int, str], span: Span, after: Position | None, most: int
    ) -> Run | None:
        """The next run after a position, None if there is nothing more."""
        every = list(self.points(series, span.first, span.last))
        if span.newest_first:
            every.reverse()
        if after is not None:
            place = (after.t, after.series)
            every = [
                each
                for each in every
                if (each[:2] < place if span.newest_first else each[:2] > place)
            ]
        taken, size = [], 0
        for each in every[: min(most, RUN_POINTS)]:
            taken.append(each)
            size += len(each[2]) if isinstance(each[2], bytes) else 8
            if size >= RUN_BYTES:
                break
        return run_of(taken, series) if taken else None


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


def windows_of(
    points: Iterator[Point],
    first: int,
    length: int,
    *,
    fields: Collection[str] | None,
    percentiles: Sequence[float],
) -> Iterator[Window]:
    """What points come to, window by window; windows begin at `first` and so on."""

    def start_of(point: Point) -> int:
        return first + (point[0] - first) // length * length

    for start, each in groupby(points, start_of):
        contents = (content for _, _, content in each)
        yield from windows.summarize(start, contents, fields, percentiles)
