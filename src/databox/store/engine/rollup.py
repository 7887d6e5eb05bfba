"""Sums of the numbers of a block, hour by hour and field by field, and how they are put together.

Each block keeps the sums of its own points, so rewriting a block never needs to look at another
one, and the sums of an hour are those of its blocks together. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy.typing as npt

from databox.store.engine import sketch
from databox.store.engine.arrays import Floats, Ints, np
from databox.store.engine.batch import Batch
from databox.store.engine.points import HOUR
from databox.store.engine.sums import LARGEST, MOST_FIELDS
from databox.store.engine.windows import fields_of

ROW: Final = np.dtype(
    [
        ("at", "<i8"),
        ("n", "<i8"),
        ("least", "<f8"),
        ("most", "<f8"),
        ("total", "<f8"),
        ("squares", "<f8"),
    ]
)
"""The sums of some numbers; `at`: of which hour since 1970, or of which window."""
Rows = npt.NDArray[Any]
"""An array of `ROW`."""
Sketches = list[tuple[str, int, bytes]]
"""`(field, hour, sketch)`."""

_encode = msgspec.msgpack.Encoder().encode
_rows = msgspec.msgpack.Decoder(list[tuple[str, bytes]]).decode
_sketches = msgspec.msgpack.Decoder(list[tuple[str, int, bytes]]).decode


@dataclass(frozen=True, slots=True)
class FieldValues:
    """The numbers of one field in a batch, in order of time."""

    field: str
    times: Ints
    values: Floats


def values_of(batch: Batch) -> list[FieldValues]:
    """The numbers in a batch, by field in order of the fields' names."""
    if batch.values is not None:
        return [FieldValues("", batch.times, batch.values)]
    found: dict[str, tuple[list[int], list[float]]] = {}
    times: list[int] = batch.times.tolist()
    for t, text in zip(times, batch.documents or (), strict=True):
        for field, value in fields_of(text):
            moments, values = found.setdefault(field, ([], []))
            moments.append(t)
            values.append(value)
    return [
        FieldValues(field, np.array(found[field][0], np.int64), np.array(found[field][1]))
        for field in sorted(found)
    ]


def sums_by(at: Ints, values: Floats) -> Rows:
    """The sums of values, for each number in `at`, which ascends."""
    starts = np.flatnonzero(np.append(True, at[1:] != at[:-1]))
    rows = np.empty(len(starts), ROW)
    rows["at"] = at[starts]
    rows["n"] = np.diff(np.append(starts, len(at)))
    rows["least"] = np.minimum.reduceat(values, starts)
    rows["most"] = np.maximum.reduceat(values, starts)
    with np.errstate(over="ignore", invalid="ignore"):
        rows["total"] = np.add.reduceat(values, starts)
        apart = values - np.repeat(means(rows), rows["n"])
        rows["squares"] = np.add.reduceat(apart * apart, starts)
    return rows


def means(rows: Rows) -> Floats:
    """The mean of each row; finite even where its sum is not."""
    mean: Floats = rows["total"] / rows["n"]
    lost = ~np.isfinite(mean)
    if lost.any():
        mean[lost] = rows["least"][lost] / 2 + rows["most"][lost] / 2
    return mean


def combined(rows: Rows) -> Rows:
    """One row for each `at`, of all rows that have it."""
    if len(rows) < 2:
        return rows
    rows = rows[np.argsort(rows["at"], kind="stable")]
    starts = np.flatnonzero(np.append(True, rows["at"][1:] != rows["at"][:-1]))
    if len(starts) == len(rows):
        return rows
    found = np.empty(len(starts), ROW)
    found["at"] = rows["at"][starts]
    found["n"] = np.add.reduceat(rows["n"], starts)
    found["least"] = np.minimum.reduceat(rows["least"], starts)
    found["most"] = np.maximum.reduceat(rows["most"], starts)
    with np.errstate(over="ignore", invalid="ignore"):
        found["total"] = np.add.reduceat(rows["total"], starts)
        lengths = np.diff(np.append(starts, len(rows)))
        apart = means(rows) - np.repeat(means(found), lengths)
        spread = rows["squares"] + apart * apart * rows["n"]
        found["squares"] = np.add.reduceat(spread, starts)
    return found


def bounded(squares: Floats) -> Floats:
    """Sums of squares that a float no longer holds, as the largest one."""
    return np.nan_to_num(squares, nan=LARGEST, posinf=LARGEST)


def pack(batch: Batch) -> tuple[bytes, bytes]:
    """What a block keeps of its sums, and of its sketches."""
    sums: dict[str, list[Rows]] = {}
    sketches: Sketches = []
    for hour, field, values in _bounded_by_hour(batch):
        row = sums_by(np.full(len(values), hour), values)
        sums.setdefault(field, []).append(row)
        sketches.append((field, hour, sketch.sketch_of(values).tobytes()))
    packed = [(field, np.concatenate(rows).tobytes()) for field, rows in sums.items()]
    return _encode(packed), _encode(sketches)


def unpack_sums(blob: bytes) -> list[tuple[str, bytes]]:
    """The sums of a block: the bytes of `Rows` by field."""
    return _rows(blob)


def unpack_sketches(blob: bytes) -> Sketches:
    """The sketches of a block."""
    return _sketches(blob)


def rows_from(parts: Sequence[bytes]) -> Rows:
    """The rows that lie in these bytes."""
    return np.frombuffer(b"".join(parts), ROW)


def _bounded_by_hour(batch: Batch) -> Iterator[tuple[int, str, Floats]]:
    """The values of each hour and field; of too many fields, the first ones by name."""
    fields_in: dict[int, int] = {}
    for each in values_of(batch):
        hours = each.times // HOUR
        starts = np.flatnonzero(np.append(True, hours[1:] != hours[:-1])).tolist()
        for start, end in zip(starts, [*starts[1:], len(hours)], strict=True):
            hour = int(hours[start])
            fields_in[hour] = fields_in.get(hour, 0) + 1
            if fields_in[hour] <= MOST_FIELDS:
                yield hour, each.field, each.values[start:end]
