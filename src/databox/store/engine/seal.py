"""Sealing: moves what the journal holds into blocks, a step at a time.

A pass takes the rows that are there when it begins. Step by step their points go into blocks, and
only when all are there the rows go. Until then they are in both places, which changes no answer:
the journal counts, and says the same. A pass that is cut off begins anew.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from databox.store.engine.blocks import Blocks, Meta, UnreadableError
from databox.store.engine.hot import Hot
from databox.store.engine.points import Content

if TYPE_CHECKING:
    from databox.store.engine.batch import Batch

STEP: Final = 16_384
"""Points that one step writes at most, about; a document counts as several."""
_DOCUMENT: Final = 4
_STEP_BYTES: Final = 1024 * 1024


@dataclass(slots=True)
class _Line:
    """The points of one series that are still to be sealed, from place `at` on."""

    series: int
    times: Sequence[int]
    contents: Sequence[Content]
    at: int = 0


@dataclass(frozen=True, slots=True)
class _Pass:
    until: int
    lines: deque[_Line]


class Seal:
    """Seals a journal into blocks, within transactions that its caller makes."""

    def __init__(self, hot: Hot, blocks: Blocks) -> None:
        self._hot = hot
        self._blocks = blocks
        self._pass: _Pass | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a pass has begun and not ended."""
        return self._pass is not None

    def forget(self) -> None:
        """Begin anew next time: the journal was changed, or a step failed."""
        self._pass = None

    def step(self) -> bool:
        """One step; gives whether there is more to do."""
        if self._pass is None:
            if not self._hot.is_full:
                return False
            self._pass = self._begin()
        left = STEP
        while self._pass.lines and left > 0:
            line = self._pass.lines[0]
            left -= self._seal_some(line)
            if line.at == len(line.times):
                self._pass.lines.popleft()
        if not self._pass.lines:
            self._hot.drop(self._pass.until)
            self._pass = None
        return self._pass is not None or self._hot.is_full

    def _begin(self) -> _Pass:
        until, tails = self._hot.snapshot()
        lines: deque[_Line] = deque()
        for series, tail in tails.items():
            times = sorted(tail.points)
            lines.append(_Line(series, times, [tail.points[t] for t in times]))
        return _Pass(until, lines)

    def _seal_some(self, line: _Line) -> int:
        """Seal the points up to the next block; gives what that cost."""
        following = self._blocks.behind(line.series, line.times[line.at])
        end = bisect_left(line.times, following.first, line.at) if following else len(line.times)
        end = _bounded(line.contents, line.at, end)
        cost = absorb(
            self._blocks, line.series, line.times[line.at : end], line.contents[line.at : end]
        )
        line.at = end
        return cost


def absorb(blocks: Blocks, series: int, times: Sequence[int], contents: Sequence[Content]) -> int:
    """Put points, which end before the next block begins, into blocks; gives what that cost."""
    from databox.store.engine.batch import batch_of, merged

    batch = batch_of(times, contents)
    before = blocks.before(series, times[0])
    if before is not None and (before.last >= times[0] or before.is_small):
        older = take_out(blocks, before, overlapped=before.last >= times[0])
        if older is not None:
            batch = merged(older, batch)
    blocks.write(series, batch)
    blocks.note_newest(series, batch)
    return len(batch) * (1 if batch.documents is None else _DOCUMENT)


def take_out(blocks: Blocks, meta: Meta, *, overlapped: bool) -> "Batch | None":
    """The points of a block, which is removed; None if it is lost.

    `overlapped`: new points lie within it, so that it cannot stay where it is.
    """
    try:
        batch = blocks.read(meta)
    except UnreadableError as error:
        if overlapped:
            blocks.retire(meta, error.why)
        return None
    blocks.remove(meta)
    return batch


def _bounded(contents: Sequence[Content], start: int, end: int) -> int:
    """Where a step ends that would be too large."""
    end = min(end, start + STEP)
    if bytes not in set(map(type, contents[start:end])):
        return end
    size = 0
    for place in range(start, end):
        each = contents[place]
        size += len(each) if isinstance(each, bytes) else 0
        if size > _STEP_BYTES:
            return place + 1
    return end
