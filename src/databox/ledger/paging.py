"""The bundle page by page, since what holds an answer whole on its way has a bound."""

import asyncio

from databox.ledger.bundle import MARKED, Marks, last_line, next_line
from databox.ledger.chain import Ledger, Line

PAGE_BYTES = 4 * 1024 * 1024
"""Of entries; the longest last line comes on top, and both stay below what a part takes."""


async def bundle_page(ledger: Ledger, first: int) -> bytes:
    """Whole lines from entry `first` on, then the checkpoint of exactly the last of them.

    Where more would follow than `PAGE_BYTES`, the number of the next entry stands instead of the
    checkpoint. Others are served in between.
    """
    lines: list[Line] = []
    size = 0
    for batch in ledger.lines(first):
        for line in batch:
            size += len(line.leaf) + 1
            if size > PAGE_BYTES:
                return _joined(lines) + next_line(line.n)
            lines.append(line)
        await asyncio.sleep(0)
    # Nothing is waited for until the page is made, so only what the checkpoint itself brings, heads
    # of stores that wait for their lines, comes between.
    checkpoint = ledger.checkpoint()
    for batch in ledger.lines(first + len(lines), checkpoint.size):
        lines += batch
    marks = await _marks(ledger, first)
    for line in lines:
        marks.add(line.hash)
    return _joined(lines) + last_line(checkpoint, marks)


async def _marks(ledger: Ledger, end: int) -> Marks:
    """Those of the pages before."""
    marks = Marks()
    for batch in ledger.lines(end=min(end, MARKED)):
        for line in batch:
            marks.add(line.hash)
        await asyncio.sleep(0)
    return marks


def _joined(lines: list[Line]) -> bytes:
    return b"".join(line.leaf + b"\n" for line in lines)
