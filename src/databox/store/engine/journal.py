"""The hot journal: one row a group commit, with the points of all series of the group.

A row is a msgpack array of entries in order of writing: `[series, t, data]` for a point, and
`[series, times, values, whole]` for columns as they came. Later entries replace earlier ones for
the same moment, and all of them what blocks hold.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apsw
import msgspec

from databox.kit.database import rows
from databox.store.engine.points import Content, Number, content_of

Entry = tuple[int, int, bytes] | tuple[int, bytes, bytes, bytes]

encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[list[Any]]).decode


def entries(blob: bytes) -> list[Any]:
    """The entries of a row as they were written."""
    return _decode(blob)


def decode(blob: bytes) -> Iterator[tuple[int, int, Content]]:
    """The points of a row, `(series, t, content)` each, in order of writing."""
    for entry in _decode(blob):
        if len(entry) == 3:
            series, t, data = entry
            yield series, t, content_of(data)
        else:
            series, times, values, whole = entry
            for t, content in zip(*columns(times, values, whole), strict=True):
                yield series, t, content


def columns(times: bytes, values: bytes, whole: bytes) -> tuple[Sequence[int], Sequence[Number]]:
    """Columns as they came, as lists."""
    t, plain = array("q", times), array("d", values)
    if not whole:
        return t, plain
    return t, [int(v) if flag else v for v, flag in zip(plain, whole, strict=True)]


class Tail:
    """The points of one series that are in the journal."""

    __slots__ = ("_last", "_times", "points")

    def __init__(self, points: dict[int, Content] | None = None) -> None:
        self.points = {} if points is None else points
        self._times: list[int] | None = None
        self._last = max(self.points, default=None)

    def put(self, t: int, content: Content) -> None:
        """Take a point, in place of an older one for the same moment."""
        self.points[t] = content
        self._times = None
        if self._last is None or t > self._last:
            self._last = t

    def times(self, first: int, last: int) -> list[int]:
        """The times from `first` to `last`, in order."""
        if self._times is None:
            self._times = sorted(self.points)
        return self._times[bisect_left(self._times, first) : bisect_right(self._times, last)]

    def newest(self, last: int) -> int | None:
        """The newest time up to `last`."""
        if self._last is None or self._last <= last:
            return self._last
        before = self.times(min(self.points), last)
        return before[-1] if before else None


class Journal:
    """What a reader remembers of the journal; brought up to date within each snapshot."""

    def __init__(self) -> None:
        self._tails: dict[int, Tail] = {}
        self._first = self._last = 0

    def refresh(self, connection: apsw.Connection) -> None:
        """Read what is new. Rows have ever greater numbers, and go from the oldest on."""
        first = rows(connection, "SELECT min(id) FROM journal")[0][0] or 0
        if first != self._first:
            self._tails, self._first, self._last = {}, first, 0
        if not first:
            return
        query = "SELECT id, entries FROM journal WHERE id > ? ORDER BY id"
        for number, blob in rows(connection, query, (self._last,)):
            self._take(decode(blob))
            self._last = number

    def tail(self, series: int) -> Tail:
        """The points of one series."""
        return self._tails.get(series) or _NOTHING

    def _take(self, points: Iterable[tuple[int, int, Content]]) -> None:
        for series, t, content in points:
            tail = self._tails.get(series)
            if tail is None:
                tail = self._tails[series] = Tail()
            tail.put(t, content)


_NOTHING = Tail()
