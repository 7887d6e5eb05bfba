"""What a store means, in dicts: the model that the real file is compared with.

Nothing here is fast, bounded or durable, and nothing is taken over from the store but the words
that it is spoken to with.
"""

import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from databox.store import audit, writes
from databox.store.readings import EARLIEST, LATEST

HOUR = 3_600_000

Series = tuple[str, str]
"""Source and tags."""


class Point(NamedTuple):
    """One point as it is compared: `value` as `seen` gives it."""

    t: int
    tags: str
    value: str | bytes


@lru_cache(4096)
def seen(data: bytes) -> str | bytes:
    """A point's data as it is compared: numbers by value and kind, documents by their bytes."""
    value = json.loads(data)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return data
    return repr(value)


@dataclass(slots=True)
class Plain:
    """One store. `dropped`: points that retention took, which sums of hours still count."""

    points: dict[Series, dict[int, bytes]] = field(default_factory=dict)
    dropped: dict[Series, list[tuple[int, bytes]]] = field(default_factory=dict)
    values: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    items: dict[str, bytes] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    states: dict[str, int] = field(default_factory=dict)
    chain: list[tuple[int, bytes]] = field(default_factory=list)

    def after(
        self, records: Mapping[bytes, int], group: Sequence[writes.Write], now: int
    ) -> tuple["Plain", list[object]]:
        """The store after a group, and what comes of each write; this one stays as it is."""
        later = self._copy()
        outcomes = [later.apply(write) for write in group]
        later.chain.append((now, audit.pack(records)))
        return later, outcomes

    def apply(self, write: writes.Write) -> object:
        """Do one write; gives what comes of it, None also where the model does not know."""
        match write:
            case writes.NewReading():
                self._put(write.source, write.tags, [(write.t, write.data)])
            case writes.NewColumns():
                self._put(write.source, write.tags, columns(write))
                return len(write.times) // 8
            case writes.NewDocuments():
                self._put(write.source, write.tags, write.points)
                return len(write.points)
            case writes.DeletePoints():
                return self._delete(write.source, write.tags, write.first, write.last)
            case writes.DeleteSource():
                return self._delete(write.source, None, EARLIEST, LATEST)
            case writes.DropRaw():
                return self._drop(write.source, write.before)
            case _:
                return self._apply_other(write)
        return None

    def _apply_other(self, write: writes.Write) -> object:
        match write:
            case writes.NewValue():
                self.values[write.key] = (write.value, write.type)
            case writes.DeleteValue():
                return self.values.pop(write.key, None) is not None
            case writes.NewItem():
                is_new = write.href not in self.items
                self.items[write.href] = write.json
                return is_new
            case writes.DeleteItem():
                return self.items.pop(write.href, None) is not None
            case writes.NewEndings():
                self.ended |= set(write.ended)
                self.states["epoch"] = write.epoch
            case writes.NewState():
                self.states[write.name] = write.value
            case writes.PackAudit():
                pass
        return None

    def scan(self, source: str, first: int, last: int, tags: str | None = None) -> list[Point]:
        """The points of a stretch in order of time, then of tags."""
        return sorted(
            Point(t, series, seen(data))
            for series, points in self._series(source, tags)
            for t, data in points.items()
            if first <= t <= last
        )

    def windows(
        self, source: str, first: int, end: int, length: int, tags: str | None = None
    ) -> dict[tuple[int, str], list[float]]:
        """The numbers in the windows from `first` up to before `end`, by their start and field.

        Points that were dropped count.
        """
        found: dict[tuple[int, str], list[float]] = {}
        for series, points in self._series(source, tags):
            for t, data in [*points.items(), *self.dropped.get((source, series), ())]:
                if first <= t < end:
                    start = first + (t - first) // length * length
                    for name, number in numbers(data):
                        found.setdefault((start, name), []).append(number)
        return found

    def has_dropped(self, source: str) -> bool:
        """Whether retention took any points of a source that still count."""
        return any(gone for key, gone in self.dropped.items() if key[0] == source)

    def series(self, source: str) -> list[str]:
        """The tags of a source's series; one that was deleted as a whole is none any more."""
        return sorted(tags for name, tags in self.points if name == source)

    def _copy(self) -> "Plain":
        return Plain(
            {series: points.copy() for series, points in self.points.items()},
            {series: points.copy() for series, points in self.dropped.items()},
            self.values.copy(),
            self.items.copy(),
            self.ended.copy(),
            self.states.copy(),
            self.chain.copy(),
        )

    def _series(self, source: str, tags: str | None) -> list[tuple[str, dict[int, bytes]]]:
        return [
            (series[1], points)
            for series, points in self.points.items()
            if series[0] == source and tags in (None, series[1])
        ]

    def _put(self, source: str, tags: str, points: Sequence[tuple[int, bytes]]) -> None:
        if points:
            self.points.setdefault((source, tags), {}).update(points)

    def _delete(self, source: str, tags: str | None, first: int, last: int) -> int:
        """Delete points; of dropped ones the sums of every hour that is touched go."""
        count = 0
        for series, points in self._series(source, tags):
            key = source, series
            count += _remove(points, first, last)
            self.dropped[key] = [
                each
                for each in self.dropped.get(key, ())
                if not first // HOUR <= each[0] // HOUR <= last // HOUR
            ]
            if not points and not self.dropped[key]:
                del self.points[key]
        return count

    def _drop(self, source: str, before: int) -> int:
        count = 0
        for tags, points in self._series(source, None):
            gone = [each for each in points.items() if each[0] < before]
            # Of what is no number nothing is summed up, so nothing of it stays.
            summed = [each for each in gone if numbers(each[1])]
            self.dropped.setdefault((source, tags), []).extend(summed)
            count += _remove(points, EARLIEST, before - 1)
        return count


def _remove(points: dict[int, bytes], first: int, last: int) -> int:
    gone = [t for t in points if first <= t <= last]
    for t in gone:
        del points[t]
    return len(gone)


def columns(write: writes.NewColumns) -> list[tuple[int, bytes]]:
    """The points of binary columns, in the order they were sent."""
    times, values = array("q", write.times), array("d", write.values)
    whole = write.whole or bytes(len(times))
    return [
        (t, repr(int(value) if flag else value).encode())
        for t, value, flag in zip(times, values, whole, strict=True)
    ]


@lru_cache(4096)
def numbers(data: bytes) -> tuple[tuple[str, float], ...]:
    """What windows count of a point: itself, or the numbers among its fields."""
    value = json.loads(data)
    if isinstance(value, dict):
        return tuple((name, float(each)) for name, each in value.items() if _is_number(each))
    return (("", float(value)),) if _is_number(value) else ()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
