"""Whatever is written, sealed and deleted in whatever order, answers are those of a plain model."""

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.store.engine.model import Model, found, naive_windows

from databox.store.engine import blocks, hot, runs, summing
from databox.store.engine.points import HOUR, pack_columns
from databox.store.file import (
    DeletePoints,
    DeleteSource,
    NewColumns,
    NewDocuments,
    NewReading,
    StoreFile,
    Write,
)

KEY = bytes(32)
TAGS = ("", '{"room":"hall"}', '{"room":"roof"}')

times = st.one_of(
    st.integers(0, 60),
    st.integers(0, 40).map(lambda n: n * HOUR // 4),
    st.integers(-(10**13), 10**13),
)
numbers = st.one_of(
    st.integers(-5, 5),
    st.integers(-100, 100).map(lambda n: n / 100),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from([-0.0, 5e-324, 2**53, -(2**53)]),
)
documents = st.sampled_from(
    [
        b"null",
        b'"text"',
        b"123456789012345678901",
        b"true",
        b'{"a":1,"b":2.5}',
        b'{"a":-1}',
        b"[1]",
        b'{"\xc3\xa4":3}',
    ]
)
contents = st.one_of(numbers.map(lambda n: repr(n).encode()), documents)
sources = st.sampled_from(["load", "load", "heat"])
tags = st.sampled_from(TAGS)


def columns(source: str, its_tags: str, points: list[tuple[int, Any]]) -> NewColumns:
    packed = pack_columns([t for t, _ in points], [number for _, number in points])
    assert packed is not None
    return NewColumns(source, its_tags, *packed)


writes = st.one_of(
    st.builds(NewReading, sources, times, contents, tags),
    st.builds(NewDocuments, sources, tags, st.lists(st.tuples(times, contents), max_size=30)),
    st.builds(columns, sources, tags, st.lists(st.tuples(times, numbers), min_size=1, max_size=40)),
    st.builds(DeletePoints, sources, times, times, st.one_of(st.none(), tags)),
    st.builds(DeleteSource, st.just("heat")),
)
steps = st.lists(
    st.one_of(st.lists(writes, min_size=1, max_size=3), st.just("seal"), st.just("reopen")),
    min_size=1,
    max_size=12,
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few dozen points make blocks, runs and passes of several."""
    from databox.store.engine import ingest, seal

    for module, name, value in (
        (hot, "SEAL_POINTS", 1),
        (hot, "MOST_POINTS", 60),
        (blocks, "MOST_POINTS", 8),
        (ingest, "_STRAIGHT", 20),
        (seal, "STEP", 10),
        (runs, "GATHER_POINTS", 24),
        (runs, "_POINTS", 1),
        (summing, "_AT_ONCE", 8),
        (summing, "_HOURLY_AT_ONCE", 8),
    ):
        monkeypatch.setattr(module, name, value)


class Both:
    """The engine and the model, side by side."""

    def __init__(self, folder: str) -> None:
        self._path = Path(folder) / "store.db"
        self.model = Model()
        self.file = StoreFile(self._path, KEY)
        self.reader = self.file.reader()

    def do(self, step: Any) -> None:
        if step == "seal":
            self.file.maintain()
        elif step == "reopen":
            self.close()
            self.file = StoreFile(self._path, KEY)
            self.reader = self.file.reader()
        else:
            self.commit(step)

    def commit(self, group: list[Write]) -> None:
        for write, result in zip(group, self.file.commit({}, group, 0), strict=True):
            expected = self.model.write(write)
            assert expected is None or result == expected

    def close(self) -> None:
        self.reader.close()
        self.file.close()


@settings(deadline=None, max_examples=60)
@given(steps, times, times, st.integers(1, 50))
def test_answers_are_those_of_a_plain_model(
    todo: list[Any], first: int, last: int, limit: int
) -> None:
    with TemporaryDirectory() as folder:
        both = Both(folder)
        for step in todo:
            both.do(step)
        for start, end in ((first, last), (-(10**14), 10**14)):
            check_points(both, start, end, limit)
        check_newest(both, last)
        both.close()


def check_points(both: Both, first: int, last: int, limit: int) -> None:
    expected = both.model.between("load", first, last)
    assert sorted(found(both.reader, "load", first, last)) == expected
    for one in TAGS:
        alone = [each for each in expected if each[1] == one]
        assert found(both.reader, "load", first, last, tags=one) == alone
        backwards = found(both.reader, "load", first, last, tags=one, newest_first=True)
        assert backwards == alone[::-1]
    everything = found(both.reader, "load", first, last)
    assert [each[0] for each in everything] == [each[0] for each in expected]
    assert found(both.reader, "load", first, last, newest_first=True) == everything[::-1]
    assert both.reader.count("load", first, last) == len(expected)
    check_pages(both, first, last, limit, everything)


def check_pages(both: Both, first: int, last: int, limit: int, whole: list[Any]) -> None:
    for newest_first in (False, True):
        after, pages = None, []
        while True:
            page = list(
                both.reader.runs(
                    "load", first, last, after=after, limit=limit, newest_first=newest_first
                )
            )
            if not page:
                break
            assert sum(map(len, page)) <= limit
            for run in page:
                which = run.which if run.which is not None else [0] * len(run)
                pages += zip(
                    run.times.tolist(), (run.tags[at] for at in which), run.texts(), strict=True
                )
            after = page[-1].end
        assert pages == (whole[::-1] if newest_first else whole)


def check_newest(both: Both, last: int) -> None:
    for until in (last, 10**14):
        for one in TAGS:
            expected = both.model.between("load", -(10**14), until, one)
            newest = both.reader.newest("load", until, one)
            assert (newest and (newest.t, newest.data)) == (
                (expected[-1][0], expected[-1][2]) if expected else None
            )


lengths = st.sampled_from([7, 60_000, HOUR, 3 * HOUR, 24 * HOUR, HOUR + 1, 10**9])


@settings(deadline=None, max_examples=60)
@given(steps, times, times, lengths, st.booleans())
def test_windows_are_those_of_the_points_alone(
    todo: list[Any], first: int, last: int, length: int, aligned: bool
) -> None:
    if aligned:
        first = first // length * length
    with TemporaryDirectory() as folder:
        both = Both(folder)
        for step in todo:
            both.do(step)
        points = both.model.between("load", first, last - 1)
        expected = naive_windows(points, first, length)
        windows = list(both.reader.windows("load", first, last, length, percentiles=(0, 50, 99)))
        both.close()
    assert [(each.start, each.field) for each in windows] == list(expected)
    for window in windows:
        check_window(window, sorted(expected[window.start, window.field]))


def check_window(window: Any, values: list[float]) -> None:
    most = max(map(abs, values))
    n, total = len(values), math.fsum(values)
    assert (window.n, window.min, window.max) == (n, values[0], values[-1])
    assert window.sum == pytest.approx(total, rel=1e-9, abs=most * 1e-9)
    mean = total / n
    squares = math.fsum((each - mean) * (each - mean) for each in values)
    assert window.squares == pytest.approx(squares, rel=1e-6, abs=(most * 1e-7) ** 2 * n + 1e-300)
    for asked, told in zip((0, 50, 99), window.percentiles, strict=True):
        place = (n - 1) * asked / 100
        below, above = values[math.floor(place)], values[math.ceil(place)]
        exact = below + (above - below) * (place - math.floor(place))
        off = 0.0101 * max(abs(below), abs(above)) if window.approximate else most * 1e-12
        assert abs(told - exact) <= off + 1e-320
