"""A sketch of many numbers, from which any percentile can be told to one percent.

A number falls into the bucket of its logarithm; buckets are counted. A sketch is an array of
`(key, n)`, one for each bucket that has any, in order of the numbers; of one hour of a block it is
a few dozen of them. Sketches of parts, put together, are the sketch of the whole.

Source: Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error
guarantees", VLDB 2019. Without its bound on buckets: a float64 falls into one of 146,000 at most.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy.typing as npt

from databox.store.engine.arrays import Floats, Ints, np

ERROR: Final = 0.01
BUCKET: Final = np.dtype([("key", "<i4"), ("n", "<u4")])
Sketch = npt.NDArray[Any]
"""An array of `BUCKET`."""

_GROWTH: Final = (1 + ERROR) / (1 - ERROR)
_LOG: Final = math.log(_GROWTH)
# The bucket of the smallest number is -37,229; moved up, every key of a positive number is
# positive, and a negative number's is the same below zero.
_MOVED: Final = 40_000


def keys_of(values: Floats) -> Ints:
    """The bucket of each number."""
    sizes = np.abs(values)
    with np.errstate(divide="ignore"):
        ranks = np.ceil(np.log(sizes) / _LOG)
    ranks[sizes == 0] = -_MOVED
    keys: Ints = (np.sign(values) * (ranks + _MOVED)).astype(np.int64)
    return keys


def sketch_of(values: Floats) -> Sketch:
    """The sketch of these numbers."""
    keys = keys_of(values)
    lowest = int(keys.min()) if len(keys) else 0
    span = int(keys.max()) - lowest + 1 if len(keys) else 0
    if span <= 1 << 14:
        counts = np.bincount(keys - lowest, minlength=span)
        found = np.flatnonzero(counts)
        return _sketch(found + lowest, counts[found])
    return _sketch(*np.unique(keys, return_counts=True))


def merged(sketches: Sequence[Sketch]) -> Sketch:
    """One sketch of all that these are of."""
    every = np.concatenate(sketches) if sketches else np.empty(0, BUCKET)
    keys, place = np.unique(every["key"], return_inverse=True)
    return _sketch(keys, np.bincount(place, weights=every["n"], minlength=len(keys)))


@dataclass(frozen=True, slots=True)
class Sketches:
    """The sketches of several windows, each of any number of parts."""

    at: Ints
    ends: Ints
    middles: Floats

    @classmethod
    def of(cls, at: Ints, buckets: Sketch) -> "Sketches":
        """From buckets in any order. `at`: for each bucket, the number of its window."""
        order = np.lexsort((buckets["key"], at))
        ends = np.cumsum(buckets["n"][order], dtype=np.int64)
        keys, place = np.unique(buckets["key"][order], return_inverse=True)
        return cls(at[order], ends, np.array([_middle(key) for key in keys.tolist()])[place])

    def percentile(self, at: Ints, percent: float, least: Floats, most: Floats) -> Floats:
        """The percentile of each window, on the straight line between the two nearest numbers.

        `at`: windows that have a sketch; `least`, `most`: their true ends, which none passes.
        """
        starts = np.searchsorted(self.at, at, "left")
        before = np.where(starts > 0, self.ends[starts - 1], 0)
        counts = self.ends[np.searchsorted(self.at, at, "right") - 1] - before
        place = (counts - 1) * percent / 100
        lower = np.floor(place).astype(np.int64)
        upper = np.minimum(lower + 1, counts - 1)
        below, above = (
            np.clip(self.middles[np.searchsorted(self.ends, before + rank, "right")], least, most)
            for rank in (lower, upper)
        )
        found: Floats = below + (above - below) * (place - lower)
        return found


def _middle(key: int) -> float:
    """The number that is no more than one percent away from all in a bucket."""
    if key == 0:
        return 0.0
    exponent = (abs(key) - _MOVED) * _LOG + math.log(2 / (1 + _GROWTH))
    # The last bucket reaches beyond what a float holds.
    return math.copysign(math.exp(min(exponent, 709.78)), key)


def _sketch(keys: "npt.NDArray[Any]", counts: "npt.NDArray[Any]") -> Sketch:
    found = np.empty(len(keys), BUCKET)
    found["key"], found["n"] = keys, counts
    return found
