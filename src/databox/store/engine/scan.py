"""The reading side: what blocks and the journal together say, within one snapshot."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import apsw

from databox.kit.database import rows
from databox.store.engine.blocks import Blocks, Meta, UnreadableError
from databox.store.engine.journal import Journal
from databox.store.engine.points import Content, Damage, content_of
from databox.store.readings import EARLIEST

if TYPE_CHECKING:
    from databox.store.engine.batch import Batch

Point = tuple[int, int, Content]
"""Time, series, content."""

_TRIES: Final = 64
"""Unreadable blocks that are passed over in search of the newest point."""
_MOST_DAMAGE: Final = 1000
_DAMAGED: Final = (
    "SELECT source, tags, first, last, why FROM damage JOIN series ON series.id = damage.series"
)


class Scan:
    """Reads points within the snapshot that its caller has begun."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.journal = Journal()
        self.blocks = Blocks(connection)
        self._unreadable: dict[Meta, str] = {}

    def begin(self) -> None:
        """A snapshot has begun."""
        self.journal.refresh(self._connection)

    def series(self, source: str, tags: str | None = None) -> dict[int, str]:
        """The series of a source: their numbers and tags."""
        found = rows(
            self._connection,
            "SELECT id, tags FROM series WHERE source = ?1 AND (?2 IS NULL OR tags = ?2)",
            (source, tags),
        )
        return dict(found)

    def newest(self, series: Iterable[int], last: int) -> Point | None:
        """The newest point up to `last`."""
        found: Point | None = None
        for number in series:
            point = self._newest_of(number, last)
            if point is not None and (found is None or point[:2] > found[:2]):
                found = point
        return found

    def count(self, series: Iterable[int], first: int, last: int) -> int:
        """How many points there are from `first` to `last`."""
        return sum(self._count_of(number, first, last) for number in series)

    def read(self, meta: Meta) -> "Batch | None":
        """The points of a block; None, and a word in `damage`, if they are lost."""
        try:
            return self.blocks.read(meta)
        except UnreadableError as error:
            if len(self._unreadable) < _MOST_DAMAGE:
                self._unreadable[meta] = error.why
            return None

    def damage(self) -> list[Damage]:
        """What was found unreadable so far."""
        found = [Damage(*row) for row in rows(self._connection, _DAMAGED)]
        for meta, why in self._unreadable.items():
            query = "SELECT source, tags FROM series JOIN block ON series = id WHERE chunk = ?"
            for source, tags in rows(self._connection, query, (meta.chunk,)):
                found.append(Damage(source, tags, meta.first, meta.last, why))
        return found

    def together(self, number: int, metas: Sequence[Meta], first: int, last: int) -> "list[Batch]":
        """The points of a series from `first` to `last`, block by block, with the journal's.

        `metas`: the blocks that reach into that stretch, in order.
        """
        parts: list[Batch] = []
        tail, at = self.journal.tail(number), first
        for meta in metas:
            end = min(meta.last, last)
            batch = self.read(meta)
            cut = None if batch is None else batch.between(max(meta.first, first), end).alone()
            self._add(parts, cut, number, tail.times(at, end))
            at = end + 1
        self._add(parts, None, number, tail.times(at, last))
        return parts

    def _add(
        self, parts: "list[Batch]", batch: "Batch | None", number: int, times: list[int]
    ) -> None:
        from databox.store.engine.batch import batch_of, merged

        if times:
            points = self.journal.tail(number).points
            newer = batch_of(times, [points[t] for t in times])
            batch = newer if batch is None else merged(batch, newer)
        if batch is not None and len(batch):
            parts.append(batch)

    def _newest_of(self, number: int, last: int) -> Point | None:
        tail = self.journal.tail(number)
        hot = tail.newest(last)
        cold = self._newest_in_blocks(number, last, -(2**62) if hot is None else hot)
        if cold is not None and (hot is None or cold[0] > hot):
            return cold
        return None if hot is None else (hot, number, tail.points[hot])

    def _newest_in_blocks(self, number: int, last: int, above: int) -> Point | None:
        """The newest point up to `last` that is in a block, if it is newer than `above`."""
        t, data = rows(self._connection, "SELECT t, data FROM series WHERE id = ?", (number,))[0]
        if t is None or t <= above:
            return None
        if t <= last:
            return t, number, content_of(data)
        for meta in self.blocks.overlapping_backwards(number, EARLIEST, last, _TRIES):
            if meta.last <= above:
                return None
            batch = self.read(meta)
            if batch is not None:
                batch = batch.between(meta.first, last)
                return batch.last, number, batch.content(len(batch) - 1)
        return None

    def _count_of(self, number: int, first: int, last: int) -> int:
        tail = self.journal.tail(number)
        found, at = 0, first
        for meta in self.blocks.overlapping(number, first, last):
            hot = tail.times(max(meta.first, first), min(meta.last, last))
            if not hot and first <= meta.first and meta.last <= last:
                found += meta.points
            else:
                parts = self.together(number, [meta], max(meta.first, first), min(meta.last, last))
                found += sum(map(len, parts))
            found += len(tail.times(at, meta.first - 1))
            at = max(meta.last + 1, at)
        return found + len(tail.times(at, last))
