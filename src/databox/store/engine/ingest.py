"""The writing side: takes points into the journal, and out again. Used by the writer thread."""

from collections import Counter
from collections.abc import Callable, Sequence

import apsw

from databox.kit.database import rows
from databox.store.engine import journal
from databox.store.engine.journal import Entry
from databox.store.engine.points import render
from databox.store.readings import EARLIEST, LATEST, Reading
from databox.store.writes import (
    DeletePoints,
    DeleteSource,
    DropRaw,
    NewColumns,
    NewDocuments,
    NewReading,
    PointWrite,
    Result,
)
from databox.wire.errors import BadRequest, Conflict

MOST_SERIES = 10_000
MOST_OF_A_SOURCE = 1_000
_ROWS_A_GROUP = 16
"""Bits of a journal row's number for its place within the group."""


class Ingest:
    """Writes points within the transaction of a group.

    What it knows of the file may be wrong after a transaction that failed: `load` it again then.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.load()

    def load(self) -> None:
        """Learn what the file has."""
        found = rows(self._connection, "SELECT source, tags, id FROM series")
        self._series = {(source, tags): number for source, tags, number in found}
        self._of_source = Counter(source for source, _ in self._series)
        points, size = rows(
            self._connection,
            "SELECT coalesce(sum(points), 0), coalesce(sum(length(entries)), 0) FROM journal",
        )[0]
        self._points, self._bytes = int(points), int(size)
        self._entries: list[Entry] = []
        self._count = 0
        self._next = 0

    def begin(self, group: int) -> None:
        """A group begins. `group`: its number, greater than any before."""
        self._entries, self._count, self._next = [], 0, group << _ROWS_A_GROUP

    def write(self, write: PointWrite) -> Result:
        """Do one write; an error is given back, for this write alone, and nothing is written."""
        try:
            return self._write(write)
        except (BadRequest, Conflict) as error:
            return error

    def finish(self) -> None:
        """The group ends: put what it brought into the journal."""
        if self._entries:
            self._put_row(self._entries, self._count)
            self._entries, self._count = [], 0

    def _write(self, write: PointWrite) -> Result:
        match write:
            case NewReading():
                series = self._number(write.source, write.tags)
                self._add((series, write.t, write.data), 1)
                return Reading.of(series, write.t, write.data)
            case NewColumns():
                return self._write_columns(write)
            case NewDocuments():
                series = self._number(write.source, write.tags)
                for t, data in write.points:
                    self._add((series, t, data), 1)
                return len(write.points)
            case DeletePoints():
                numbers = self._numbers(write.source, write.tags)
                return self._delete(numbers, write.first, write.last)
            case DeleteSource():
                return self._delete(self._numbers(write.source, None), EARLIEST, LATEST)
            case DropRaw():
                return self._delete(self._numbers(write.source, None), EARLIEST, write.before - 1)

    def _write_columns(self, write: NewColumns) -> int:
        count = len(write.times) // 8
        if not (len(write.times) == len(write.values) == 8 * count) or (
            write.whole and len(write.whole) != count
        ):
            raise BadRequest("the columns are not equally long", code="columns")
        series = self._number(write.source, write.tags)
        self._add((series, write.times, write.values, write.whole), count)
        return count

    def _number(self, source: str, tags: str) -> int:
        known = self._series.get((source, tags))
        if known is not None:
            return known
        if self._of_source[source] >= MOST_OF_A_SOURCE or len(self._series) >= MOST_SERIES:
            raise Conflict(
                "there are too many series",
                code="series-full",
                found=f"{self._of_source[source]} of this source, {len(self._series)} in all",
                remedy="Use fewer different tags, or delete sources that are not needed",
            )
        found = rows(
            self._connection,
            "INSERT INTO series (source, tags) VALUES (?, ?) RETURNING id",
            (source, tags),
        )
        self._of_source[source] += 1
        number = int(found[0][0])
        self._series[source, tags] = number
        return number

    def _numbers(self, source: str, tags: str | None) -> list[int]:
        return [
            number
            for (one, its_tags), number in self._series.items()
            if one == source and tags in (None, its_tags)
        ]

    def _add(self, entry: Entry, count: int) -> None:
        self._entries.append(entry)
        self._count += count

    def _put_row(self, entries: Sequence[Entry], count: int) -> None:
        blob = journal.encode(entries)
        self._connection.execute("INSERT INTO journal VALUES (?, ?, ?)", (self._next, count, blob))
        self._next += 1
        self._points += count
        self._bytes += len(blob)

    def _delete(self, numbers: Sequence[int], first: int, last: int) -> int:
        self.finish()
        chosen = frozenset(numbers)
        gone: set[tuple[int, int]] = set()

        def keep(series: int, t: int) -> bool:
            if series in chosen and first <= t <= last:
                gone.add((series, t))
                return False
            return True

        self._rewrite(keep)
        return len(gone)

    def _rewrite(self, keep: Callable[[int, int], bool]) -> None:
        """Put the journal into one row, of the points that are to be kept."""
        blobs = rows(self._connection, "SELECT entries FROM journal ORDER BY id")
        left: list[Entry] = []
        for (blob,) in blobs:
            for series, t, content in journal.decode(blob):
                if keep(series, t):
                    data = content if isinstance(content, bytes) else render(content)
                    left.append((series, t, data))
        self._connection.execute("DELETE FROM journal")
        self._points = self._bytes = 0
        if left:
            self._put_row(left, len(left))
