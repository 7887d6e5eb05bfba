"""The writing side: takes points into the journal or straight into blocks, and out again."""

import math
from array import array
from collections import Counter
from typing import TYPE_CHECKING, Final

import apsw

from databox.kit.database import rows
from databox.store.engine.blocks import Blocks
from databox.store.engine.hot import Hot
from databox.store.engine.points import content_of
from databox.store.engine.removal import Removal
from databox.store.engine.seal import Seal, take_out
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

if TYPE_CHECKING:
    from databox.store.engine.batch import Batch

MOST_SERIES: Final = 10_000
MOST_OF_A_SOURCE: Final = 1_000
_STRAIGHT: Final = 512
"""So many points make blocks of their own without passing through the journal."""
_FEW_BLOCKS: Final = 4
"""Blocks that are written anew within a group; more is done by sealing, a step at a time."""


class Ingest:
    """Writes points within transactions that its caller makes.

    What it knows of the file may be wrong after a transaction that failed: `load` it again then.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.hot = Hot(connection)
        self._blocks = Blocks(connection)
        self._seal = Seal(self.hot, self._blocks)
        self._removal = Removal(connection, self.hot, self._blocks)
        self._load_series()

    def load(self) -> None:
        """Learn again what the file has."""
        self.hot.load()
        self._seal.forget()
        self._load_series()

    def begin(self, group: int) -> None:
        """A group begins. `group`: its number, greater than any before."""
        self.hot.begin(group)

    def write(self, write: PointWrite) -> Result:
        """Do one write; an error is given back, for this write alone, and nothing is written."""
        try:
            return self._write(write)
        except (BadRequest, Conflict) as error:
            return error

    def finish(self) -> None:
        """The group ends: put what it brought into the journal."""
        self.hot.flush()

    @property
    def blocks(self) -> Blocks:
        """The blocks, as the writer has them."""
        return self._blocks

    @property
    def has_to_seal(self) -> bool:
        """Whether a step of sealing would do anything."""
        return self._seal.is_under_way or self.hot.is_full

    def seal(self) -> bool:
        """A step of sealing; gives whether there is more to do."""
        return self._seal.step()

    def _load_series(self) -> None:
        found = rows(self._connection, "SELECT source, tags, id FROM series")
        self._series = {(source, tags): number for source, tags, number in found}
        self._of_source = Counter(source for source, _ in self._series)

    def _write(self, write: PointWrite) -> Result:
        match write:
            case NewReading():
                series = self._number(write.source, write.tags)
                self.hot.add((series, write.t, write.data), 1)
                return Reading.of(series, write.t, write.data)
            case NewColumns():
                return self._write_columns(write)
            case NewDocuments():
                return self._write_documents(write)
            case DeletePoints():
                numbers = self._numbers(write.source, write.tags)
                return self._delete(numbers, write.first, write.last)
            case DeleteSource():
                return self._delete(self._numbers(write.source, None), EARLIEST, LATEST)
            case DropRaw():
                self._seal.forget()
                return self._removal.drop_raw(self._numbers(write.source, None), write.before)

    def _write_columns(self, write: NewColumns) -> int:
        count = len(write.times) // 8
        if not (len(write.times) == len(write.values) == 8 * count) or (
            write.whole and len(write.whole) != count
        ):
            raise BadRequest("the columns are not equally long", code="columns")
        if not count:
            return 0
        if not _is_sound(write.times, write.values):
            raise BadRequest(
                "the columns have what is no time or no number",
                code="columns",
                remedy="Send times in milliseconds, and numbers that are finite",
            )
        if count >= _STRAIGHT:
            from databox.store.engine.batch import batch_of_columns

            batch = batch_of_columns(write.times, write.values, write.whole)
            series = self._number(write.source, write.tags)
            if self._write_straight(series, batch):
                return count
        series = self._number(write.source, write.tags)
        self.hot.add((series, write.times, write.values, write.whole), count)
        return count

    def _write_documents(self, write: NewDocuments) -> int:
        if not write.points:
            return 0
        series = self._number(write.source, write.tags)
        if len(write.points) >= _STRAIGHT:
            from databox.store.engine.batch import batch_of

            last = dict(write.points)
            times = sorted(last)
            if self._write_straight(series, batch_of(times, [content_of(last[t]) for t in times])):
                return len(write.points)
        for t, data in write.points:
            self.hot.add((series, t, data), 1)
        return len(write.points)

    def _write_straight(self, series: int, batch: "Batch") -> bool:
        """Put many points into blocks at once, if that needs few others to be written anew.

        The journal counts for more than blocks do, so it must not have older ones for these times.
        """
        from databox.store.engine.batch import merged

        if self.hot.reaches(series, batch.first, batch.last):
            return False
        before = self._blocks.before(series, batch.first)
        touched = self._blocks.overlapping(series, batch.first, batch.last, _FEW_BLOCKS + 1)
        if len(touched) > _FEW_BLOCKS:
            return False
        if before is not None and before not in touched and before.is_small:
            touched.insert(0, before)
        for meta in touched:
            older = take_out(self._blocks, meta, overlapped=meta.last >= batch.first)
            if older is not None:
                batch = merged(older, batch)
        self._blocks.write(series, batch)
        self._blocks.note_newest(series, batch)
        return True

    def _delete(self, numbers: list[int], first: int, last: int) -> int:
        self._seal.forget()
        gone = self._removal.delete(numbers, first, last)
        for series in numbers:
            if self._removal.is_empty(series) and not self.hot.reaches(series, EARLIEST, LATEST):
                self._connection.execute("DELETE FROM series WHERE id = ?", (series,))
        self._load_series()
        return gone

    def _number(self, source: str, tags: str) -> int:
        known: int | None = self._series.get((source, tags))
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
        number = int(found[0][0])
        self._series[source, tags] = number
        self._of_source[source] += 1
        return number

    def _numbers(self, source: str, tags: str | None) -> list[int]:
        return [
            number
            for (one, its_tags), number in self._series.items()
            if one == source and tags in (None, its_tags)
        ]


def _is_sound(times: bytes, values: bytes) -> bool:
    """Whether columns hold moments and finite numbers alone."""
    moments, numbers = array("q", times), array("d", values)
    return min(moments) >= EARLIEST and max(moments) <= LATEST and all(map(math.isfinite, numbers))
