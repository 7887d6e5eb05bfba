"""Points and what they hold: numbers as columns, everything else as documents. Pure.

A *series* is a source with one set of tags. A point is known by its series and its time; writing
another for the same moment replaces it.
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

WHOLE = 2**53
"""Integers up to here are numbers of a column; larger ones would lose digits there."""
RUN_POINTS = 4096
RUN_BYTES = 512 * 1024
"""What a run holds at most; a single document may be larger than that."""

HOUR = 3_600_000
"""Milliseconds."""

Number = int | float
Content = Number | bytes
"""A number, or the JSON of a document."""


class Column(Protocol):
    """A column of numbers: an array of the standard library's or of numpy's."""

    def __len__(self) -> int: ...
    def __getitem__(self, place: slice, /) -> Any: ...

    def tolist(self) -> list[Any]:
        """As Python's own numbers."""
        ...

    def tobytes(self) -> bytes:
        """As they lie in memory, little-endian."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the order of a source's points: by time, then by series."""

    t: int
    series: int


@dataclass(frozen=True, slots=True)
class Run:
    """Points in a row, in order of time, then of series; at most `RUN_POINTS`.

    `tags`: the series that they are of, as canonical text, and `series` their numbers; `which`: for
    each point its place in these, None if all are of the only one. `times`: int64,
    Unix ms. Either `values`, float64, or `documents`, JSON, is there; `whole` says which values are
    integers, as a byte each, or is empty if none is. `end`: where the last point stands, to go on
    after it.
    """

    tags: tuple[str, ...]
    series: tuple[int, ...]
    which: Sequence[int] | None
    times: Column
    values: Column | None
    whole: bytes
    documents: Sequence[bytes] | None
    end: Position

    def __len__(self) -> int:
        return len(self.times)

    def numbers(self) -> list[Number] | None:
        """The values as they were sent, integers as integers; None if these are documents."""
        if self.values is None:
            return None
        plain: list[float] = self.values.tolist()
        if not self.whole:
            return list(plain)
        if 0 not in self.whole:
            return list(map(int, plain))
        return [
            int(value) if is_whole else value
            for value, is_whole in zip(plain, self.whole, strict=True)
        ]

    def texts(self) -> list[bytes]:
        """Each point's data as JSON."""
        numbers = self.numbers()
        if numbers is None:
            return list(self.documents or ())
        return list(map(render, numbers))

    def json(self) -> bytes:
        """The data of all points as one JSON array."""
        numbers = self.numbers()
        if numbers is None:
            return b"[%b]" % b",".join(self.documents or ())
        return render(numbers)


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a series that cannot be read any more. `why`: one word."""

    source: str
    tags: str
    first: int
    last: int
    why: str


render = msgspec.json.encode


def number_of(data: bytes) -> Number | None:
    """The number that a point's JSON is, None if it is a document.

    None also for numbers that a float64 does not hold.
    """
    if data[:1] not in b"-0123456789":
        return None
    try:
        number = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError):
        return None
    if isinstance(number, int):
        return number if abs(number) <= WHOLE else None
    return number if math.isfinite(number) else None


def content_of(data: bytes) -> Content:
    """What a point's JSON is: a number, or itself."""
    number = number_of(data)
    return data if number is None else number


def pack_columns(times: Sequence[int], data: Sequence[Number]) -> tuple[bytes, bytes, bytes] | None:
    """Numbers as `NewColumns` takes them: times, values and which of those are integers.

    None if there is one that has to be written as a document, or the lengths differ.
    """
    kinds = set(map(type, data))
    if not kinds <= {int, float} or len(times) != len(data):
        return None
    if int in kinds and not all(-WHOLE <= each <= WHOLE for each in data if type(each) is int):
        return None
    values = array("d", data)
    if not all(map(math.isfinite, values)):
        return None
    return array("q", times).tobytes(), values.tobytes(), _flags(data, kinds)


def _flags(data: Sequence[Number], kinds: set[type]) -> bytes:
    if int not in kinds:
        return b""
    if kinds == {int}:
        return b"\1" * len(data)
    return bytes([type(each) is int for each in data])
