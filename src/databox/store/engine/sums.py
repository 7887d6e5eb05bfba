"""What many numbers come to: count, least, most, sum, and how far they spread. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

MOST_FIELDS = 64
"""Fields of one window, or of one hour; of more, the first in order of their names."""
LONGEST_FIELD = 128
LARGEST = 1.797e308


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of `n` numbers.

    `squares`: the sum of the squared distances from the mean. Kept so, and not as a sum of squares,
    because large numbers that differ little would lose all their digits there.
    """

    n: int
    least: float
    most: float
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """Their mean; finite even where the sum is not."""
        mean = self.total / self.n
        return mean if math.isfinite(mean) else self.least / 2 + self.most / 2

    @property
    def deviation(self) -> float:
        """Their standard deviation, as of a whole population."""
        return min(math.sqrt(max(self.squares, 0.0) / self.n), LARGEST)

    def plus(self, other: "Sums") -> "Sums":
        """The sums of both.

        Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing
        sample variances", 1979.
        """
        n = self.n + other.n
        apart = other.mean - self.mean
        return Sums(
            n,
            min(self.least, other.least),
            max(self.most, other.most),
            self.total + other.total,
            self.squares + other.squares + apart * apart * self.n * other.n / n,
        )


def sums_of(values: Sequence[float]) -> Sums:
    """The sums of these numbers, at least one."""
    n = len(values)
    try:
        total = math.fsum(values)
    except OverflowError:
        total = math.inf
    rough = Sums(n, min(values), max(values), total, 0.0)
    mean = rough.mean
    squares = sum((each - mean) * (each - mean) for each in values)
    return Sums(n, rough.least, rough.most, total, squares)


def as_float(number: float) -> float:
    """An integer of any size as a number that JSON readers understand."""
    try:
        return float(number)
    except OverflowError:
        return LARGEST if number > 0 else -LARGEST
