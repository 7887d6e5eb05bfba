"""Windows over blocks and journal: hourly sums where they will do, single points elsewhere.

The sums of an hour are used if the hour lies within one window and the journal has no point in it.
So an answer is the same as from the points alone, but for rounding; percentiles of hours that were
not looked at point by point are right to one percent, and say so.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import apsw

from databox.kit.database import rows
from databox.store.engine import windows
from databox.store.engine.points import HOUR
from databox.store.engine.scan import Point, Scan
from databox.store.engine.windows import Window
from databox.store.readings import LATEST

_AT_ONCE: Final = 1024
"""Windows that are made in one snapshot, at most."""
_HOURLY_AT_ONCE: Final = 4096
_POINTS_AT_ONCE: Final = 500_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about windows: see `Reader.windows`."""

    first: int
    end: int
    length: int
    fields: Collection[str] | None = None
    percentiles: tuple[float, ...] = ()

    def start_of(self, t: int) -> int:
        """The start of the window that a moment lies in."""
        return self.first + (t - self.first) // self.length * self.length

    @property
    def is_hourly(self) -> bool:
        """Whether every hour lies within one window."""
        return self.first % HOUR == 0 and self.length % HOUR == 0


class Summing:
    """Answers one question about windows, some windows at a time."""

    def __init__(self, connection: apsw.Connection, scan: Scan, asked: Asked) -> None:
        self._connection = connection
        self._scan = scan
        self._asked = asked
        self._at = asked.first

    def some(self, series: Collection[int]) -> list[Window] | None:
        """The next windows, within a snapshot; None if there are no more."""
        asked = self._asked
        found = [t for number in series if (t := self._next(number)) is not None]
        if not found or min(found) >= asked.end:
            return None
        start = max(asked.start_of(min(found)), self._at)
        end = self._end(series, start)
        windows = list(self._made(series, start, end))
        self._at = end
        return windows

    def _made(self, series: Collection[int], start: int, end: int) -> Iterator[Window]:
        if not any(self._has_blocks(number, start, end) for number in series):
            return self._of_journal(series, start, end)
        from databox.store.engine.tally import Tally

        tally = Tally(self._connection, self._scan, self._asked, start=start, end=end)
        for number in series:
            tally.add(number)
        return tally.windows()

    def _next(self, number: int) -> int | None:
        """The moment from which a series may have something."""
        found = [meta.first for meta in self._scan.blocks.overlapping(number, self._at, LATEST, 1)]
        found += self._scan.journal.tail(number).times(self._at, LATEST)[:1]
        found += [
            int(hour) * HOUR
            for (hour,) in rows(
                self._connection,
                "SELECT min(hour) FROM past WHERE series = ? AND hour >= ?",
                (number, self._at // HOUR),
            )
            if hour is not None
        ]
        return max(min(found), self._at) if found else None

    def _end(self, series: Collection[int], start: int) -> int:
        """Where the windows end that are made at once."""
        asked = self._asked
        most = _HOURLY_AT_ONCE if asked.is_hourly else _AT_ONCE
        while most > 1 and not asked.is_hourly:
            last = start + most * asked.length - 1
            points = sum(self._scan.blocks.points_between(number, start, last) for number in series)
            if points <= _POINTS_AT_ONCE:
                break
            most //= 2
        return min(start + most * asked.length, asked.end)

    def _has_blocks(self, number: int, start: int, end: int) -> bool:
        past = "SELECT 1 FROM past WHERE series = ? AND hour BETWEEN ? AND ? LIMIT 1"
        return bool(
            self._scan.blocks.overlapping(number, start, end - 1, 1)
            or rows(self._connection, past, (number, start // HOUR, (end - 1) // HOUR))
        )

    def _of_journal(self, series: Collection[int], start: int, end: int) -> Iterator[Window]:
        """Without loading what unpacks blocks."""
        points: list[Point] = []
        for number in series:
            tail = self._scan.journal.tail(number)
            points += [(t, number, tail.points[t]) for t in tail.times(start, end - 1)]
        points.sort(key=lambda point: point[:2])
        asked = self._asked
        for at, each in groupby(points, lambda point: asked.start_of(point[0])):
            contents = (content for _, _, content in each)
            yield from windows.summarize(at, contents, asked.fields, asked.percentiles)
