"""Readings by the minute or hour: what a token with a `granularity` caveat may see. Pure.

A window is shown only when it is closed and has enough readings, and it is aligned to 1970, so
that no choice of the asker can cut it down to one reading. Shown are minimum, maximum, mean and
count of each numeric field; text, which may name anything, is not.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from databox.store.readings import Reading
from databox.wire.exactness import WINDOWS_MS

ENOUGH = 5
"""Readings that a window, and each field in it, must have: fewer would show single readings."""
GRACE = 2_000
"""Milliseconds that a window stays open after its end, for readings that are on their way.

A reading that comes later still changes its window: a driver may bring in old data.
"""
MAX_FIELDS = 64

NAMES = {0: "raw"} | {length: name for name, length in WINDOWS_MS.items()}
"""The word for each length of a window in ms."""

# The time of a reading may stand in its data; its minimum would tell it to the millisecond.
_HIDDEN = frozenset({"timestamp"})


def closed_before(now: int, length: int) -> int:
    """The end of the newest closed window: all readings before this moment may be shown."""
    return (now - GRACE) // length * length


def start_of(t: int, length: int) -> int:
    """The start of the window that a moment lies in."""
    return t // length * length


def first_whole(t: int, length: int) -> int:
    """The start of the first window that begins at or after a moment."""
    return -(-t // length) * length


@dataclass(slots=True)
class _Field:
    count: int = 0
    least: float = math.inf
    most: float = -math.inf
    total: float = 0.0
    lost: float = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        self.least = min(self.least, value)
        self.most = max(self.most, value)
        # Neumaier's sum: a year of small values beside a large one still gives the right mean.
        total = self.total + value
        larger, smaller = (
            (self.total, value) if abs(self.total) >= abs(value) else (value, self.total)
        )
        self.lost += (larger - total) + smaller
        self.total = total

    def summary(self) -> dict[str, float]:
        mean = (self.total + self.lost) / self.count
        if not math.isfinite(mean):
            mean = self.least / 2 + self.most / 2
        return {"min": self.least, "max": self.most, "mean": mean, "count": self.count}


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A window as answers have it."""

    datasource_id: str
    data: dict[str, float] | dict[str, dict[str, float]]
    timestamp: int
    id: str = msgspec.field(name="_id")


def summarize(readings: Iterable[Reading], source: str, length: int) -> Iterator[bytes]:
    """One record for each window that has enough; `readings` ascend in time.

    The caller gives only readings of whole, closed windows.
    """
    start: int | None = None
    fields: dict[str, _Field] = {}
    for reading in readings:
        if start is None or reading.t >= start + length:
            yield from _show(source, start, length, fields)
            start, fields = start_of(reading.t, length), {}
        _take(fields, reading.data)
    yield from _show(source, start, length, fields)


def _take(fields: dict[str, _Field], data: bytes) -> None:
    content = msgspec.json.decode(data)
    # A bare number is the field without a name.
    members = content.items() if isinstance(content, dict) else (("", content),)
    for name, value in members:
        if isinstance(value, bool) or not isinstance(value, int | float) or name in _HIDDEN:
            continue
        if name in fields or len(fields) < MAX_FIELDS:
            fields.setdefault(name, _Field()).add(_as_float(value))


def _as_float(value: float) -> float:
    """An integer of any size as a number that JSON readers understand."""
    try:
        return value if abs(value) < 2**53 else float(value)
    except OverflowError:
        return 1.797e308 if value > 0 else -1.797e308


def _show(
    source: str, start: int | None, length: int, fields: dict[str, _Field]
) -> Iterator[bytes]:
    shown = {name: each.summary() for name, each in fields.items() if each.count >= ENOUGH}
    if start is None or not shown:
        return
    # A source either writes bare numbers or objects; where it mixed them, the fields are shown.
    named = {name: summary for name, summary in shown.items() if name}
    yield msgspec.json.encode(
        _Shown(
            datasource_id=source,
            data=named or shown[""],
            timestamp=start,
            id=f"{NAMES[length]}-{start}",
        )
    )
