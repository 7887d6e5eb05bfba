"""What is measured with: a sensor's readings, a second apart, in the form that each server takes.

A random walk in steps of a hundredth, as a good thermometer gives: kind to compression. Seeded, so
that each run has the same.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

SECOND = 1000
HOUR = 3600 * SECOND
SEED = 17
BATCH = 10_000

Times: TypeAlias = npt.NDArray[np.int64]
Values: TypeAlias = npt.NDArray[np.float64]
Batch: TypeAlias = tuple[Times, Values]


def series(count: int, first: int) -> Batch:
    """`count` points from `first` on, Unix ms, each within its own second."""
    random = np.random.default_rng(SEED)
    times = first + np.arange(count, dtype=np.int64) * SECOND + random.integers(0, 200, count)
    steps = random.integers(-10, 11, count)
    return times, (2000 + np.cumsum(steps)) / 100


def batches(points: Batch, size: int = BATCH) -> Iterator[Batch]:
    """The points in parts of `size`."""
    times, values = points
    for start in range(0, len(times), size):
        yield times[start : start + size], values[start : start + size]


def binary(batch: Batch) -> bytes:
    """The store's binary columns."""
    times, values = batch
    head = b"DBXC" + struct.pack("<B3xI", 1, len(times))
    return head + times.astype("<i8").tobytes() + values.astype("<f8").tobytes()


def columns(batch: Batch) -> bytes:
    """The store's JSON columns."""
    times, values = (",".join(map(repr, each.tolist())) for each in batch)
    return f'{{"timestamps":[{times}],"data":[{values}]}}'.encode()


def lines(name: str, batch: Batch) -> bytes:
    """The line protocol of InfluxDB, which VictoriaMetrics takes as well; times in ms."""
    times, values = batch
    pairs: Iterable[tuple[float, int]] = zip(values.tolist(), times.tolist(), strict=True)
    return "\n".join([f"{name} value={value!r} {t}" for value, t in pairs]).encode()
