"""Parts of a long answer: as large as memory should hold, each with what its record has to say."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MOST_BYTES = 512 * 1024
"""A part is closed with what makes it this long; one document may be longer than that."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a body. `items`: readings or windows; `earliest`, `latest`: their times, Unix ms.

    `size`: bytes of data in it, without what is put around them.
    """

    body: bytes
    items: int = 0
    size: int = 0
    earliest: int | None = None
    latest: int | None = None


def joined(parts: Iterable[Part]) -> Part:
    """Parts as one."""
    found = list(parts)
    times = [t for each in found for t in (each.earliest, each.latest) if t is not None]
    return Part(
        b"".join(each.body for each in found),
        sum(each.items for each in found),
        sum(each.size for each in found),
        min(times, default=None),
        max(times, default=None),
    )


def gathered(pieces: Iterable[Part]) -> Iterator[Part]:
    """Small pieces put together to parts."""
    waiting: list[Part] = []
    length = 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece.body)
        if length >= MOST_BYTES:
            yield joined(waiting)
            waiting, length = [], 0
    if waiting:
        yield joined(waiting)
