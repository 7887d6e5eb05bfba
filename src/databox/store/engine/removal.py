"""Removing points: by time, by source, or the single points alone while their sums stay."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import apsw

from databox.kit.database import rows
from databox.store.engine.blocks import Blocks, Meta, UnreadableError
from databox.store.engine.hot import Hot
from databox.store.engine.journal import Tail
from databox.store.engine.points import HOUR
from databox.store.engine.seal import absorb, take_out
from databox.store.readings import EARLIEST

if TYPE_CHECKING:
    from databox.store.engine.past import Past

_NOTHING = Tail()


@dataclass(frozen=True, slots=True)
class Removal:
    """Removes points within a transaction that its caller makes."""

    connection: apsw.Connection
    hot: Hot
    blocks: Blocks

    def delete(self, numbers: Sequence[int], first: int, last: int) -> int:
        """Delete the points of these series in a stretch of time, and all that tells of them.

        Gives how many there were.
        """
        self.hot.flush()
        _, tails = self.hot.snapshot()
        gone = 0
        for series in numbers:
            times = tails.get(series, _NOTHING).times(first, last)
            gone += len(times) + sum(
                self._cut(meta, first, last, times)
                for meta in self.blocks.overlapping(series, first, last)
            )
            self._forget_past(series, first, last)
            self.blocks.find_newest(series)
        chosen = frozenset(numbers)
        if any(tails.get(series, _NOTHING).times(first, last) for series in numbers):
            self.hot.rewrite(lambda series, t: not (series in chosen and first <= t <= last))
        return gone

    def drop_raw(self, numbers: Sequence[int], before: int) -> int:
        """Drop the single points before a moment; their sums stay, by the hour."""
        from databox.store.engine.past import Past

        self._seal_before(numbers, before)
        gone = 0
        for series in numbers:
            past = Past(self.connection, series)
            for meta in self.blocks.overlapping(series, EARLIEST, before - 1):
                gone += self._sink(meta, before, past)
                if past.is_full:
                    past.write()
            past.write()
            self.blocks.find_newest(series)
        return gone

    def is_empty(self, series: int) -> bool:
        """Whether nothing is left of a series in blocks, sums or damage."""
        found = rows(
            self.connection,
            "SELECT EXISTS (SELECT 1 FROM block WHERE series = ?1)"
            " OR EXISTS (SELECT 1 FROM past WHERE series = ?1)"
            " OR EXISTS (SELECT 1 FROM damage WHERE series = ?1)",
            (series,),
        )
        return not found[0][0]

    def _cut(self, meta: Meta, first: int, last: int, hot: Sequence[int]) -> int:
        """Take a stretch of time out of a block; gives the points that are not in `hot` as well."""
        inside = first <= meta.first and meta.last <= last
        if inside and bisect_left(hot, meta.first) == bisect_right(hot, meta.last):
            self.blocks.remove(meta)
            return meta.points
        batch = take_out(self.blocks, meta, overlapped=True)
        if batch is None:
            return 0
        cut = batch.between(first, last)
        for left in (batch.between(meta.first, first - 1), batch.between(last + 1, meta.last)):
            if len(left):
                self.blocks.write(meta.series, left)
        return len(cut) - len(set(cut.times.tolist()).intersection(hot))

    def _forget_past(self, series: int, first: int, last: int) -> None:
        # An hour that lost some of its points would still tell of them.
        self.connection.execute(
            "DELETE FROM past WHERE series = ? AND hour BETWEEN ? AND ?",
            (series, first // HOUR, last // HOUR),
        )
        self.connection.execute(
            "DELETE FROM damage WHERE series = ? AND first >= ? AND last <= ?",
            (series, first, last),
        )

    def _seal_before(self, numbers: Sequence[int], before: int) -> None:
        """Bring the points of the journal that are before a moment into blocks."""
        self.hot.flush()
        _, tails = self.hot.snapshot()
        chosen = [
            series for series in numbers if tails.get(series, _NOTHING).times(EARLIEST, before - 1)
        ]
        for series in chosen:
            tail = tails[series]
            times = tail.times(EARLIEST, before - 1)
            while times:
                following = self.blocks.behind(series, times[0])
                taken = [t for t in times if following is None or t < following.first]
                absorb(self.blocks, series, taken, [tail.points[t] for t in taken])
                times = times[len(taken) :]
        if chosen:
            self.hot.rewrite(lambda series, t: not (series in chosen and t < before))

    def _sink(self, meta: Meta, before: int, past: "Past") -> int:
        """Turn the points of a block that are before a moment into sums of the past."""
        if meta.last < before:
            past.add(*self.blocks.packed(meta))
            self.blocks.remove(meta)
            return meta.points
        try:
            batch = self.blocks.read(meta)
        except UnreadableError:
            return 0
        old, kept = batch.between(meta.first, before - 1), batch.between(before, meta.last)
        if len(old):
            self.blocks.remove(meta)
            past.add_batch(old)
            self.blocks.write(meta.series, kept)
        return len(old)
