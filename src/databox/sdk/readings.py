"""Readings and what an app computes from them: values in, values out.

A reading is one value, or, where the owner allowed minutes or hours only, one closed window of
values. Both have the same shape, so a program need not know which it was given.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, overload

from databox.wire.errors import BadRequest
from databox.wire.exactness import Exactness

WINDOWS = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
"""The lengths of windows in ms, by the word authors use."""

EXACTNESS: dict[str, Exactness] = {
    "raw": "raw",
    "minute": "PT1M",
    "15 minutes": "PT15M",
    "hour": "PT1H",
    "day": "P1D",
    "100 m": "100 m",
    "1 km": "1 km",
    "10 km": "10 km",
    "100 km": "100 km",
}
"""How exact an ask is, from the author's word to the manifest's; distances are for places."""

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Reading(NamedTuple):
    """One value at one time, or a window of them.

    `t`: Unix ms, for a window its start. `value`: what was written; for a window the mean, or
    None where values are not numbers. `weight`: how many values it stands for; `least` and `most`:
    their bounds.
    """

    t: int
    value: Any
    weight: int = 1
    least: float | None = None
    most: float | None = None


class Readings:
    """Readings of one source, oldest first."""

    def __init__(
        self, readings: Iterable[Reading] = (), *, label: str = "", unit: str = ""
    ) -> None:
        self._readings = tuple(readings)
        self.label = label
        self.unit = unit

    @overload
    def __getitem__(self, at: int) -> Reading: ...
    @overload
    def __getitem__(self, at: slice) -> "Readings": ...
    def __getitem__(self, at: int | slice) -> "Reading | Readings":
        if isinstance(at, slice):
            return self._with(self._readings[at])
        return self._readings[at]

    def __len__(self) -> int:
        return len(self._readings)

    def __iter__(self) -> Iterator[Reading]:
        return iter(self._readings)

    def __repr__(self) -> str:
        # Values stay out: this text ends up in logs and error messages.
        return f"Readings({len(self)} of {self.label!r})"

    @property
    def times(self) -> list[int]:
        """Their times, Unix ms."""
        return [reading.t for reading in self]

    @property
    def values(self) -> list[Any]:
        """Their values."""
        return [reading.value for reading in self]

    def mean(self) -> float | None:
        """The mean of all numbers, None if there is none."""
        weighed = [(r.value, r.weight) for r in self if _numeric(r.value) and r.weight > 0]
        if not weighed:
            return None
        total = sum(value * weight for value, weight in weighed)
        return float(total / sum(weight for _, weight in weighed))

    def min(self) -> float | None:
        """The least number, None if there is none."""
        return min((low for low, _ in self._bounds()), default=None)

    def max(self) -> float | None:
        """The greatest number, None if there is none."""
        return max((high for _, high in self._bounds()), default=None)

    def count(self, by: str) -> dict[str, int]:
        """How many values fall on each `hour of day`, `day of week`, `hour` or `day`."""
        return tally(self, by)

    def every(self, window: str) -> "Readings":
        """One reading a `minute`, `hour` or `day`: mean, bounds and count of that window.

        Raises:
            BadRequest: another word.
        """
        length = WINDOWS.get(window)
        if length is None:
            raise _unknown("every", window, WINDOWS)
        return self._with(windows(self, length))

    def _bounds(self) -> Iterator[tuple[float, float]]:
        for reading in self:
            if reading.least is not None and reading.most is not None:
                yield reading.least, reading.most
            elif _numeric(reading.value):
                yield reading.value, reading.value

    def _with(self, readings: Iterable[Reading]) -> "Readings":
        return Readings(readings, label=self.label, unit=self.unit)


def windows(readings: Iterable[Reading], length: int) -> list[Reading]:
    """Gather readings into windows of `length` ms, aligned to 1970."""
    gathered: dict[int, list[Reading]] = {}
    for reading in readings:
        gathered.setdefault(reading.t - reading.t % length, []).append(reading)
    return [_window(start, gathered[start]) for start in sorted(gathered)]


def tally(readings: Iterable[Reading], by: str) -> dict[str, int]:
    """Count values by a property of their local time; every hour and week day is in the answer.

    Raises:
        BadRequest: an unknown property.
    """
    name, counts = _property(by)
    for reading in readings:
        label = name(time.localtime(reading.t / 1000))
        counts[label] = counts.get(label, 0) + reading.weight
    return counts


def means(readings: Iterable[Reading], by: str) -> dict[str, float]:
    """The mean of all numbers by a property of their local time; without any it is left out.

    Raises:
        BadRequest: an unknown property.
    """
    name, _ = _property(by)
    sums: dict[str, tuple[float, int]] = {}
    for reading in readings:
        if _numeric(reading.value) and reading.weight > 0:
            label = name(time.localtime(reading.t / 1000))
            total, weight = sums.get(label, (0.0, 0))
            sums[label] = (total + reading.value * reading.weight, weight + reading.weight)
    return {label: total / weight for label, (total, weight) in sorted(sums.items())}


def _property(by: str) -> tuple[Callable[[time.struct_time], str], dict[str, int]]:
    match by:
        case "hour of day":
            return lambda at: f"{at.tm_hour:02}", {f"{hour:02}": 0 for hour in range(24)}
        case "day of week":
            return lambda at: DAYS[at.tm_wday], dict.fromkeys(DAYS, 0)
        case "hour":
            return lambda at: time.strftime("%Y-%m-%d %H:00", at), {}
        case "day":
            return lambda at: time.strftime("%Y-%m-%d", at), {}
        case _:
            raise _unknown("count by", by, ("hour of day", "day of week", "hour", "day"))


def _window(start: int, members: list[Reading]) -> Reading:
    inside = Readings(members)
    return Reading(
        t=start,
        value=inside.mean(),
        weight=sum(reading.weight for reading in members),
        least=inside.min(),
        most=inside.max(),
    )


def _numeric(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unknown(what: str, word: str, known: Iterable[str]) -> BadRequest:
    return BadRequest(
        f"{what} does not know this word",
        found=repr(word),
        remedy=f"Use one of: {', '.join(known)}",
    )
