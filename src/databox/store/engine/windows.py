"""Windows of time, and what the points in each come to. Pure."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from databox.store.engine.points import Content
from databox.store.engine.sums import LONGEST_FIELD, MOST_FIELDS, Sums, as_float, sums_of


@dataclass(frozen=True, slots=True)
class Window:
    """What one field comes to in one window.

    `start`: Unix ms; `field`: its name in the documents, empty for bare numbers. `squares`: the sum
    of the squared distances from the mean. `percentiles`: those that were asked, in that order,
    each between the two nearest points; `approximate`: they are right to one percent only.
    """

    start: int
    field: str
    n: int
    min: float
    max: float
    sum: float
    squares: float
    percentiles: tuple[float, ...] = ()
    approximate: bool = False

    @property
    def mean(self) -> float:
        """The mean; finite even where the sum is not."""
        return Sums(self.n, self.min, self.max, self.sum, self.squares).mean

    @property
    def deviation(self) -> float:
        """The standard deviation, as of a whole population."""
        return Sums(self.n, self.min, self.max, self.sum, self.squares).deviation


def fields_of(content: Content) -> Iterator[tuple[str, float]]:
    """The numbers in a point's data, each with its name; a bare number's is empty."""
    if not isinstance(content, bytes):
        yield "", float(content)
        return
    try:
        data = msgspec.json.decode(content)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return
    members = data.items() if isinstance(data, dict) else (("", data),)
    for name, value in members:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and len(name) <= LONGEST_FIELD:
            yield name, as_float(value)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The percentile of numbers in order: on the straight line between the two nearest."""
    place = (len(ordered) - 1) * percent / 100
    lower = math.floor(place)
    upper = min(lower + 1, len(ordered) - 1)
    return ordered[lower] + (ordered[upper] - ordered[lower]) * (place - lower)


def summarize(
    start: int,
    points: Iterable[Content],
    fields: Collection[str] | None,
    percentiles: Sequence[float],
) -> Iterator[Window]:
    """What the points of one window come to, field by field."""
    found: dict[str, list[float]] = {}
    for content in points:
        for name, value in fields_of(content):
            found.setdefault(name, []).append(value)
    for name in sorted(found)[:MOST_FIELDS]:
        if fields is not None and name not in fields:
            continue
        each, ordered = sums_of(found[name]), sorted(found[name])
        asked = tuple(percentile(ordered, percent) for percent in percentiles)
        yield Window(start, name, each.n, each.least, each.most, each.total, each.squares, asked)
