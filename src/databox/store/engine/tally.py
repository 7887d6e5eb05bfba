"""Sums up what blocks, journal and the past have for some windows."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

import apsw
import numpy.typing as npt

from databox.store.engine import rollup, sketch
from databox.store.engine.arrays import Floats, Ints, np
from databox.store.engine.batch import Batch, batch_of, taken
from databox.store.engine.blocks import Meta
from databox.store.engine.past import read_past
from databox.store.engine.points import HOUR
from databox.store.engine.rollup import ROW, Rows
from databox.store.engine.scan import Scan
from databox.store.engine.sketch import BUCKET, Sketches
from databox.store.engine.summing import Asked
from databox.store.engine.sums import MOST_FIELDS
from databox.store.engine.windows import Window, percentile

_MOST_VALUES: Final = 1_000_000
"""Values that are kept for exact percentiles; of more, sketches are made."""


class Tally:
    """What series come to in the windows from `start` up to before `end`.

    `at` is the number of a window, from `asked.first` on.
    """

    def __init__(
        self, connection: apsw.Connection, scan: Scan, asked: Asked, *, start: int, end: int
    ) -> None:
        self._connection = connection
        self._scan = scan
        self._asked = asked
        self._start, self._end = start, end
        self._percents = asked.percentiles
        self._sums: dict[str, list[Rows]] = {}
        self._values: dict[str, list[tuple[Ints, Floats]]] = {}
        self._sketches: dict[str, list[tuple[int, bytes]]] = {}
        self._kept = 0

    def add(self, number: int) -> None:
        """Add a series."""
        found = list(self._scan.blocks.sums(number, self._start, self._end - 1))
        hot = self._scan.journal.tail(number).times(self._start, self._end - 1)
        dirty = np.unique(np.array(hot, np.int64) // HOUR)
        looked = self._add_sums([packed for _, packed in found], dirty)
        metas = [meta for meta, _ in found]
        for batch in self._single(number, [metas[place] for place in looked], hot, dirty):
            self._add_points(batch)
        if self._percents and metas:
            self._add_sketches(metas, dirty)
        self._add_past(number)

    def windows(self) -> Iterator[Window]:
        """The windows, in order of time and then of the fields' names."""
        found: list[Window] = []
        fields_in: dict[int, int] = {}
        for field in sorted(self._sums):
            sums = rollup.combined(np.concatenate(self._sums[field]))
            bounded = rollup.bounded(sums["squares"])
            told = self._percentiles(field, sums) if self._percents else {}
            for row, squares in zip(sums.tolist(), bounded.tolist(), strict=True):
                at, n, least, most, total, _ = row
                fields_in[at] = fields_in.get(at, 0) + 1
                asked = self._asked.fields is None or field in self._asked.fields
                if fields_in[at] > MOST_FIELDS or not asked:
                    continue
                start = self._asked.first + at * self._asked.length
                values, rough = told.get(at, ((), False))
                found.append(Window(start, field, n, least, most, total, squares, values, rough))
        found.sort(key=lambda window: (window.start, window.field))
        return iter(found)

    def _at(self, times: Ints) -> Ints:
        at: Ints = (times - self._asked.first) // self._asked.length
        return at

    def _usable(self, hours: Ints, dirty: Ints) -> "npt.NDArray[np.bool_]":
        """Which hours' sums will do."""
        starts = hours * HOUR
        last = starts + HOUR - 1
        usable: npt.NDArray[np.bool_] = (
            (self._at(starts) == self._at(last)) & (starts >= self._start) & (last < self._end)
        )
        return usable & ~np.isin(hours, dirty) if len(dirty) else usable

    def _add_sums(self, packed: Sequence[bytes], dirty: Ints) -> list[int]:
        """Add the sums that will do; gives the places of blocks that have others."""
        parts: dict[str, list[bytes]] = {}
        places: dict[str, list[int]] = {}
        for place, each in enumerate(packed):
            for field, sums in rollup.unpack_sums(each):
                parts.setdefault(field, []).append(sums)
                places.setdefault(field, []).append(place)
        looked: set[int] = set()
        for field, every in parts.items():
            found = rollup.rows_from(every)
            usable = self._usable(found["at"], dirty)
            self._add_rows(field, found[usable])
            if not usable.all():
                lengths = [len(each) // ROW.itemsize for each in every]
                looked.update(np.repeat(places[field], lengths)[~usable].tolist())
        return sorted(looked)

    def _add_rows(self, field: str, hourly: Rows) -> None:
        if len(hourly):
            moved = hourly.copy()
            moved["at"] = self._at(hourly["at"] * HOUR)
            self._sums.setdefault(field, []).append(moved)

    def _single(
        self, number: int, metas: Sequence[Meta], hot: list[int], dirty: Ints
    ) -> Iterator[Batch]:
        """The points of hours whose sums will not do, of these blocks and of the journal."""
        tail, last = self._scan.journal.tail(number), self._end - 1
        for meta in metas:
            first = max(meta.first, self._start)
            for batch in self._scan.together(number, [meta], first, min(meta.last, last)):
                single = ~self._usable(batch.times // HOUR, dirty)
                yield taken(batch, np.flatnonzero(single))
        outside = _outside(hot, metas)
        if outside:
            yield batch_of(outside, [tail.points[t] for t in outside])

    def _add_points(self, batch: Batch) -> None:
        for each in rollup.values_of(batch):
            if not len(each.values):
                continue
            at = self._at(each.times)
            self._sums.setdefault(each.field, []).append(rollup.sums_by(at, each.values))
            if self._percents:
                self._values.setdefault(each.field, []).append((at, each.values))
                self._kept += len(at)
        if self._kept > _MOST_VALUES:
            self._keep_less()

    def _keep_less(self) -> None:
        """Make sketches of the values kept so far."""
        for field, parts in self._values.items():
            for at, values in _by_window(parts):
                self._sketches.setdefault(field, []).append(
                    (at, sketch.sketch_of(values).tobytes())
                )
        self._values, self._kept = {}, 0

    def _add_sketches(self, metas: Sequence[Meta], dirty: Ints) -> None:
        packed = map(self._scan.blocks.sketches, metas)
        every = [each for its in packed for each in rollup.unpack_sketches(its)]
        hours = np.array([hour for _, hour, _ in every], np.int64)
        windows = self._at(hours * HOUR).tolist()
        usable = self._usable(hours, dirty).tolist()
        for (field, _, each), at, will_do in zip(every, windows, usable, strict=True):
            if will_do:
                self._sketches.setdefault(field, []).append((at, each))

    def _add_past(self, number: int) -> None:
        """Add the hours of which nothing but sums is left; within one window, or not at all."""
        first, last = self._start // HOUR, (self._end - 1) // HOUR
        none = np.empty(0, np.int64)
        for field, hour, sums, its in read_past(self._connection, number, first, last):
            if self._usable(np.array([hour]), none)[0]:
                at = (hour * HOUR - self._asked.first) // self._asked.length
                self._add_rows(field, np.frombuffer(sums, ROW))
                self._sketches.setdefault(field, []).append((at, its))

    def _percentiles(self, field: str, sums: Rows) -> dict[int, tuple[tuple[float, ...], bool]]:
        """The percentiles of each window, and whether they are approximate."""
        exact = dict(_by_window(self._values.get(field, [])))
        parts = self._sketches.get(field, [])
        rough = {at for at, _ in parts}
        told: dict[int, tuple[tuple[float, ...], bool]] = {}
        for at, values in exact.items():
            if at in rough:
                parts.append((at, sketch.sketch_of(values).tobytes()))
            else:
                ordered = np.sort(values).tolist()
                told[at] = tuple(percentile(ordered, each) for each in self._percents), False
        if parts:
            told.update(self._roughly(parts, sums[np.isin(sums["at"], list(rough))]))
        # Where a block is lost, its sums may be there without its sketches.
        lost = {at: ((), True) for at in sums["at"].tolist() if at not in told}
        return told | lost

    def _roughly(
        self, parts: Sequence[tuple[int, bytes]], sums: Rows
    ) -> dict[int, tuple[tuple[float, ...], bool]]:
        buckets = np.frombuffer(b"".join(its for _, its in parts), BUCKET)
        lengths = [len(its) // BUCKET.itemsize for _, its in parts]
        sketches = Sketches.of(np.repeat([at for at, _ in parts], lengths), buckets)
        columns = [
            sketches.percentile(sums["at"], each, sums["least"], sums["most"]).tolist()
            for each in self._percents
        ]
        found = zip(*columns, strict=True)
        return {at: (each, True) for at, each in zip(sums["at"].tolist(), found, strict=True)}


def _by_window(parts: Sequence[tuple[Ints, Floats]]) -> Iterator[tuple[int, Floats]]:
    """Values by the number of their window."""
    if not parts:
        return
    at = np.concatenate([each for each, _ in parts])
    values = np.concatenate([each for _, each in parts])
    order = np.argsort(at, kind="stable")
    at, values = at[order], values[order]
    starts = np.flatnonzero(np.append(True, at[1:] != at[:-1])).tolist()
    for start, end in zip(starts, [*starts[1:], len(at)], strict=True):
        yield int(at[start]), values[start:end]


def _outside(hot: list[int], metas: Sequence[Meta]) -> list[int]:
    """The times that lie in none of these blocks, which are in order."""
    found, at = [], 0
    for meta in metas:
        start = bisect_left(hot, meta.first, at)
        found += hot[at:start]
        at = bisect_right(hot, meta.last, start)
    return found + hot[at:]
