"""What a store says, in the words of the model, and whether the two agree."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tests.model.plain import Plain, Point, seen

from databox.store import audit
from databox.store.engine.points import RUN_BYTES, RUN_POINTS, Position, Run
from databox.store.engine.windows import Window
from databox.store.reader import Reader
from databox.store.readings import EARLIEST, LATEST

PERCENTILES = (0.0, 50.0, 95.0, 100.0)


class Everything(NamedTuple):
    """All that a store holds."""

    series: dict[str, list[str]]
    points: dict[str, list[Point]]
    values: dict[str, tuple[bytes, str]]
    items: list[bytes]
    ended: set[str]
    states: list[int]
    chain: list[tuple[int, bytes]]


class Asked(NamedTuple):
    """A question about windows."""

    source: str
    first: int
    end: int
    length: int
    tags: str | None = None


def held_by(reader: Reader, sources: Sequence[str], states: Sequence[str]) -> Everything:
    """All that the store holds, its states by these names.

    Raises:
        AssertionError: the chain of accesses does not verify.
    """
    rows = list(reader.chain())
    assert audit.broken_at(rows) is None
    assert [row.n for row in rows] == list(range(1, len(rows) + 1))
    keys = reader.keys()
    assert len(keys) == reader.key_count()
    return Everything(
        {source: reader.series(source) for source in sources},
        {source: scanned(reader.runs(source, EARLIEST, LATEST)) for source in sources},
        {key: value for key in keys if (value := reader.value(key)) is not None},
        reader.items(),
        set(reader.endings()[1]),
        [reader.state(name) for name in states],
        [(row.t, row.blob) for row in rows],
    )


def should_hold(model: Plain, sources: Sequence[str], states: Sequence[str]) -> Everything:
    """The same of the model."""
    return Everything(
        {source: model.series(source) for source in sources},
        {source: model.scan(source, EARLIEST, LATEST) for source in sources},
        dict(sorted(model.values.items())),
        list(model.items.values()),
        model.ended,
        [model.states.get(name, 0) for name in states],
        model.chain,
    )


def difference(held: Everything, wanted: Everything) -> str:
    """What differs, in a line or two; nothing if nothing does."""
    for name, mine, its in zip(Everything._fields, held, wanted, strict=True):
        if mine == its:
            continue
        if not isinstance(mine, dict) or not isinstance(its, dict):
            return f"{name}: holds {mine!r:.600}, should hold {its!r:.600}"
        for key in {**mine, **its}:
            if mine.get(key) != its.get(key):
                only, missing = _apart(mine.get(key, ()), its.get(key, ()))
                return f"{name} of {key}: too much {only!r:.600}, missing {missing!r:.600}"
    return ""


def _apart(one: Sequence[object], other: Sequence[object]) -> tuple[list[object], list[object]]:
    return [each for each in one if each not in other], [each for each in other if each not in one]


def scanned(runs: Iterable[Run]) -> list[Point]:
    """The points of runs in order of time, then of tags; the runs must be in order themselves."""
    found: list[Point] = []
    before: tuple[int, int] | None = None
    for run in runs:
        assert 0 < len(run) <= RUN_POINTS
        points = list(_points(run))
        assert len(points) == 1 or sum(len(each.value) for _, each in points) < 2 * RUN_BYTES
        for place, point in points:
            assert before is None or before < place, "points are not in order"
            before = place
            found.append(point)
        assert run.end == Position(*before) if before else True
    return sorted(found)


def backwards(runs: Iterable[Run]) -> list[Point]:
    """The points of runs that begin with the newest, in the order they came."""
    return [point for run in runs for _, point in _points(run)]


def _points(run: Run) -> Iterable[tuple[tuple[int, int], Point]]:
    which = [0] * len(run) if run.which is None else run.which
    texts = run.texts()
    for t, place, data in zip(run.times.tolist(), which, texts, strict=True):
        yield (t, run.series[place]), Point(t, run.tags[place], seen(data))


def same_windows(reader: Reader, model: Plain, asked: Asked) -> bool:
    """Whether windows say the same, from sums kept by the hour or not."""
    numbers = model.windows(*asked)
    windows = list(reader.windows(*asked[:4], tags=asked.tags, percentiles=PERCENTILES))
    found = [(each.start, each.field) for each in windows]
    return found == sorted(numbers) and all(
        agree(each, numbers[each.start, each.field]) for each in windows
    )


def agree(window: Window, values: Sequence[float]) -> bool:
    """Whether a window says what the numbers in it come to, up to rounding."""
    n, total = len(values), math.fsum(values)
    squares = math.fsum((each - total / n) ** 2 for each in values)
    room = 1e-9 * n * max(map(abs, values)) + 1e-300
    return (
        (window.n, window.min, window.max) == (n, min(values), max(values))
        and math.isclose(window.sum, total, rel_tol=1e-9, abs_tol=room)
        and math.isclose(window.squares, squares, rel_tol=1e-6, abs_tol=room * room + 1e-300)
        and _percentiles_agree(window, sorted(values))
    )


def _percentiles_agree(window: Window, ordered: Sequence[float]) -> bool:
    for percent, found in zip(PERCENTILES, window.percentiles, strict=True):
        place = (len(ordered) - 1) * percent / 100
        lower, upper = ordered[math.floor(place)], ordered[math.ceil(place)]
        if not window.approximate:
            exact = lower + (upper - lower) * (place - math.floor(place))
            lower = upper = exact
        room = (0.0101 if window.approximate else 1e-9) * max(abs(lower), abs(upper)) + 1e-9
        if not lower - room <= found <= upper + room:
            return False
    return True
