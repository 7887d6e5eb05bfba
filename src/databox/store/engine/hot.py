"""The hot journal as the writer has it: takes rows in, gives them up once they are in blocks."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import apsw

from databox.kit.database import rows
from databox.store.engine import journal
from databox.store.engine.journal import Entry, Tail
from databox.store.engine.points import Content, render

MOST_POINTS: Final = 16_384
MOST_BYTES: Final = 4 * 1024 * 1024
"""What the journal holds at most when a group is done."""
SEAL_POINTS: Final = 4_096
SEAL_BYTES: Final = 2 * 1024 * 1024
"""From here on what it holds is sealed, a step at a time.

A store that wakes reads all of it for its first answer: 4,096 points take 5 ms.
"""
_ROWS_A_GROUP: Final = 16
"""Bits of a row's number for its place within the group."""


class Hot:
    """The writer's side of the journal.

    What it knows of the file may be wrong after a transaction that failed: `load` it again then.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.load()

    def load(self) -> None:
        """Learn what the file has."""
        self.points, self.size = rows(
            self._connection,
            "SELECT coalesce(sum(points), 0), coalesce(sum(length(entries)), 0) FROM journal",
        )[0]
        self._entries: list[Entry] = []
        self._count = 0
        self._next = 0
        self._reach: dict[int, tuple[int, int]] | None = None

    @property
    def is_full(self) -> bool:
        """Whether it should be sealed soon."""
        return bool(self.points >= SEAL_POINTS or self.size >= SEAL_BYTES)

    @property
    def is_over(self) -> bool:
        """Whether each group must seal some of it."""
        return bool(self.points > MOST_POINTS or self.size > MOST_BYTES)

    @property
    def is_far_over(self) -> bool:
        """Whether nothing may be added before it is sealed."""
        return bool(self.points > 2 * MOST_POINTS or self.size > 2 * MOST_BYTES)

    def begin(self, group: int) -> None:
        """A group begins. `group`: its number, greater than any before."""
        self._entries, self._count, self._next = [], 0, group << _ROWS_A_GROUP

    def add(self, entry: Entry, count: int) -> None:
        """Take an entry with this many points, at least one."""
        self._entries.append(entry)
        self._count += count
        if self._reach is not None:
            self._widen(self._reach, entry)

    def flush(self) -> None:
        """Write what was taken as a row."""
        if self._entries:
            self._put(self._entries, self._count)
            self._entries, self._count = [], 0

    def reaches(self, series: int, first: int, last: int) -> bool:
        """Whether it may have points of a series in a stretch of time."""
        if self._reach is None:
            self._reach = {}
            for (blob,) in rows(self._connection, "SELECT entries FROM journal"):
                for entry in journal.entries(blob):
                    self._widen(self._reach, entry)
            for entry in self._entries:
                self._widen(self._reach, entry)
        reach = self._reach.get(series)
        return reach is not None and reach[0] <= last and first <= reach[1]

    def snapshot(self) -> tuple[int, dict[int, Tail]]:
        """The number of the last row, and all points by series."""
        points: defaultdict[int, dict[int, Content]] = defaultdict(dict)
        last = 0
        for number, blob in rows(self._connection, "SELECT id, entries FROM journal ORDER BY id"):
            last = number
            for series, t, content in journal.decode(blob):
                points[series][t] = content
        return last, {series: Tail(its) for series, its in points.items()}

    def drop(self, last: int) -> None:
        """Give up the rows up to a number: their points are in blocks."""
        gone = rows(
            self._connection,
            "SELECT coalesce(sum(points), 0), coalesce(sum(length(entries)), 0)"
            " FROM journal WHERE id <= ?",
            (last,),
        )[0]
        self._connection.execute("DELETE FROM journal WHERE id <= ?", (last,))
        self.points -= gone[0]
        self.size -= gone[1]
        self._reach = None

    def rewrite(self, keep: Callable[[int, int], bool]) -> None:
        """Put all into one row, of the points that are to be kept: `keep(series, t)`."""
        self.flush()
        left: list[Entry] = []
        for (blob,) in rows(self._connection, "SELECT entries FROM journal ORDER BY id"):
            for series, t, content in journal.decode(blob):
                if keep(series, t):
                    left.append(
                        (series, t, content if isinstance(content, bytes) else render(content))
                    )
        self._connection.execute("DELETE FROM journal")
        self.points = self.size = 0
        self._reach = None
        if left:
            self._put(left, len(left))

    def _put(self, entries: Sequence[Entry], count: int) -> None:
        blob = journal.encode(entries)
        self._connection.execute("INSERT INTO journal VALUES (?, ?, ?)", (self._next, count, blob))
        self._next += 1
        self.points += count
        self.size += len(blob)

    def _widen(self, reach: dict[int, tuple[int, int]], entry: Entry) -> None:
        if len(entry) == 3:
            series, first = entry[:2]
            last = first
        else:
            series, times = entry[0], array("q", entry[1])
            first, last = min(times), max(times)
        earliest, latest = reach.get(series, (first, last))
        reach[series] = (min(earliest, first), max(latest, last))
