"""What is left of points that were dropped: the sums of their hours."""

from collections.abc import Iterator
from typing import Final

import apsw

from databox.kit.database import rows
from databox.store.engine import rollup, sketch
from databox.store.engine.arrays import np
from databox.store.engine.batch import Batch
from databox.store.engine.rollup import ROW, Rows
from databox.store.engine.sketch import BUCKET, Sketch

_FULL: Final = 4096
"""Sums of hours and fields."""


class Past:
    """Gathers sums of one series, and adds them to those that are there."""

    def __init__(self, connection: apsw.Connection, series: int) -> None:
        self._connection = connection
        self._series = series
        self._sums: dict[tuple[int, str], list[Rows]] = {}
        self._sketches: dict[tuple[int, str], list[Sketch]] = {}

    def add(self, sums: bytes, sketches: bytes) -> None:
        """Add what a block keeps of its sums and sketches."""
        for field, packed in rollup.unpack_sums(sums):
            every = np.frombuffer(packed, ROW)
            for place, hour in enumerate(every["at"].tolist()):
                self._sums.setdefault((hour, field), []).append(every[place : place + 1])
        for field, hour, packed in rollup.unpack_sketches(sketches):
            self._sketches.setdefault((hour, field), []).append(np.frombuffer(packed, BUCKET))

    def add_batch(self, batch: Batch) -> None:
        """Add the sums of these points."""
        self.add(*rollup.pack(batch))

    @property
    def is_full(self) -> bool:
        """Whether it is time to write, before it takes much memory."""
        return len(self._sums) >= _FULL

    def write(self) -> None:
        """Write what was gathered."""
        for (hour, field), sums in self._sums.items():
            sketches = self._sketches.get((hour, field), [])
            place = (self._series, hour, field)
            known = rows(
                self._connection,
                "SELECT sums, sketch FROM past WHERE series = ? AND hour = ? AND field = ?",
                place,
            )
            for its_sums, its_sketch in known:
                sums.append(np.frombuffer(its_sums, ROW))
                sketches.append(np.frombuffer(its_sketch, BUCKET))
            self._connection.execute(
                "INSERT OR REPLACE INTO past VALUES (?, ?, ?, ?, ?)",
                (
                    *place,
                    rollup.combined(np.concatenate(sums)).tobytes(),
                    sketch.merged(sketches).tobytes(),
                ),
            )
        self._sums, self._sketches = {}, {}


def read_past(
    connection: apsw.Connection, series: int, first: int, last: int
) -> Iterator[tuple[str, int, bytes, bytes]]:
    """The sums of dropped points from hour `first` to `last`: `(field, hour, sums, sketch)`."""
    query = (
        "SELECT field, hour, sums, sketch FROM past WHERE series = ? AND hour BETWEEN ? AND ?"
        " ORDER BY hour, field"
    )
    return iter(rows(connection, query, (series, first, last)))
