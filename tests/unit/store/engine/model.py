"""A plain model of what a store's file holds, to compare the engine with."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from databox.store.engine import journal
from databox.store.engine.points import number_of, render
from databox.store.engine.windows import fields_of
from databox.store.file import (
    DeletePoints,
    DeleteSource,
    NewColumns,
    NewDocuments,
    NewReading,
    Reader,
    Write,
)

Key = tuple[str, str]
"""Source and tags."""


@dataclass
class Model:
    """Points by series and time, as JSON."""

    points: dict[Key, dict[int, bytes]] = field(default_factory=dict)

    def write(self, write: Write) -> Any:
        match write:
            case NewReading():
                self._put(write.source, write.tags, [(write.t, write.data)])
                return None
            case NewDocuments():
                self._put(write.source, write.tags, write.points)
                return len(write.points)
            case NewColumns():
                times, numbers = journal.columns(write.times, write.values, write.whole)
                self._put(write.source, write.tags, zip(times, map(render, numbers), strict=True))
                return len(times)
            case DeletePoints():
                return self._delete(write.source, write.tags, write.first, write.last)
            case DeleteSource():
                return self._delete(write.source, None, -math.inf, math.inf)
        raise NotImplementedError

    def between(
        self, source: str, first: int, last: int, tags: str | None = None
    ) -> list[tuple[int, str, bytes]]:
        """Points in order of time, then of tags."""
        return sorted(
            (t, its_tags, data)
            for (one, its_tags), points in self.points.items()
            if one == source and tags in (None, its_tags)
            for t, data in points.items()
            if first <= t <= last
        )

    def _put(self, source: str, tags: str, points: Iterable[tuple[int, bytes]]) -> None:
        known = self.points.setdefault((source, tags), {})
        for t, data in points:
            number = number_of(data)
            known[t] = data if number is None else render(number)

    def _delete(self, source: str, tags: str | None, first: float, last: float) -> int:
        gone = self.between(source, first, last, tags)  # type: ignore[arg-type]
        for t, its_tags, _ in gone:
            del self.points[source, its_tags][t]
        return len(gone)


def found(reader: Reader, source: str, first: int, last: int, **more: Any) -> list[Any]:
    """Points as the reader gives them in runs: `(t, tags, data)`."""
    points = []
    for run in reader.runs(source, first, last, **more):
        assert 0 < len(run) <= 4096
        which = run.which if run.which is not None else [0] * len(run)
        texts = run.texts()
        assert msgspec.json.decode(run.json()) == [msgspec.json.decode(each) for each in texts]
        for t, place, data in zip(run.times.tolist(), which, texts, strict=True):
            points.append((t, run.tags[place], data))
    return points


def naive_windows(
    points: list[tuple[int, str, bytes]], first: int, length: int
) -> dict[tuple[int, str], list[float]]:
    """The numbers of each window and field."""
    values: dict[tuple[int, str], list[float]] = {}
    for t, _, data in points:
        number = number_of(data)
        content = data if number is None else number
        for name, value in fields_of(content):
            values.setdefault((first + (t - first) // length * length, name), []).append(value)
    return {key: values[key] for key in sorted(values)}
