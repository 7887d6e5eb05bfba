"""Windows show closed, whole stretches with enough readings, and nothing else."""

import json
from collections import defaultdict
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.store import windows
from databox.store.asked import Stretch
from databox.store.engine.windows import Window, summarize
from databox.store.file import NewReading, Reader, StoreFile
from databox.store.queries import LOOK_BACK, closed_windows, latest_window
from databox.store.readings import EARLIEST, LATEST
from databox.store.windows import (
    ENOUGH,
    GRACE,
    first_whole,
    longer,
    records,
    start_of,
    visible,
)

MINUTE = 60_000
ALL = Stretch(EARLIEST, LATEST)


def shown(points: list[tuple[int, Any]], length: int = MINUTE) -> list[dict[str, Any]]:
    ordered = sorted(points, key=lambda point: point[0])
    found = (
        window
        for start, each in groupby(ordered, lambda point: start_of(point[0], length))
        for window in summarize(start, [json.dumps(value).encode() for _, value in each], None, ())
    )
    return [json.loads(each) for each in records(visible(found), "load", length)]


def test_a_window_of_numbers() -> None:
    found = shown([(t * 10_000, t) for t in range(6)])
    assert found == [
        {
            "datasource_id": "load",
            "data": {"min": 0, "max": 5, "mean": 2.5, "count": 6},
            "timestamp": 0,
            "_id": "PT1M-0",
        }
    ]


def test_a_window_of_objects_shows_each_numeric_field() -> None:
    value = {"load": 1, "name": "secret", "on": True, "deep": {"x": 1}, "memory": 2.5}
    found = shown([(t, value) for t in range(5)])
    assert found[0]["data"] == {
        "load": {"min": 1, "max": 1, "mean": 1.0, "count": 5},
        "memory": {"min": 2.5, "max": 2.5, "mean": 2.5, "count": 5},
    }


def test_a_field_that_few_readings_have_is_not_shown() -> None:
    found = shown([(t, {"a": 1, **({"b": 1} if t else {})}) for t in range(5)])
    assert list(found[0]["data"]) == ["a"]


def test_the_time_of_a_reading_in_its_data_is_not_shown() -> None:
    assert shown([(t, {"timestamp": t}) for t in range(10)]) == []


@pytest.mark.parametrize("value", ["text", None, True, [1, 2], {"a": "b"}, {}])
def test_what_is_no_number_makes_no_window(value: Any) -> None:
    assert shown([(t, value) for t in range(10)]) == []


def test_the_mean_is_right_for_values_of_very_different_size() -> None:
    found = shown([(t, value) for t, value in enumerate([1e16, 1, 1, 1, 1, -1e16])])
    assert found[0]["data"]["mean"] == pytest.approx(4 / 6)


def test_numbers_of_any_size_stay_readable() -> None:
    found = shown([(t, 10**400) for t in range(5)] + [(60_000 + t, 1.7e308) for t in range(5)])
    assert [each["data"]["max"] for each in found] == [1.797e308, 1.7e308]
    assert all(each["data"]["mean"] > 1.6e308 for each in found)


@given(st.lists(st.tuples(st.integers(-(10**6), 10**6), st.integers(-1000, 1000)), max_size=200))
def test_each_window_is_what_its_readings_say(points: list[tuple[int, int]]) -> None:
    inside: dict[int, list[int]] = defaultdict(list)
    for t, value in points:
        inside[start_of(t, MINUTE)].append(value)
    expected = [
        (start, min(values), max(values), len(values), pytest.approx(sum(values) / len(values)))
        for start, values in sorted(inside.items())
        if len(values) >= ENOUGH
    ]
    assert [
        (each["timestamp"], *(each["data"][name] for name in ("min", "max", "count", "mean")))
        for each in shown(points)
    ] == expected


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(-9, 9)), max_size=300))
def test_longer_windows_are_made_of_those_that_are_shown(points: list[tuple[int, int]]) -> None:
    """So that no hour less its shown minutes tells of a minute that is hidden."""
    inside: dict[int, list[int]] = defaultdict(list)
    for second, value in sorted(points):
        inside[start_of(second * 1000, MINUTE)].append(value)
    minutes = [
        Window(start, "", len(each), min(each), max(each), sum(each), 0.0)
        for start, each in sorted(inside.items())
    ]
    shown = [each for each in minutes if each.n >= ENOUGH]
    for length in (5 * MINUTE, 60 * MINUTE):
        for found in longer(visible(minutes), length):
            parts = [each for each in shown if start_of(each.start, length) == found.start]
            assert found.n == sum(each.n for each in parts)
            assert found.min == min(each.min for each in parts)
            assert found.mean == pytest.approx(sum(each.sum for each in parts) / found.n)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """One reading every seven seconds for two hours, from minute 0 on."""
    file = StoreFile(tmp_path_factory.mktemp("windows") / "store.db", bytes(32))
    writes = [NewReading("load", t, str(t).encode()) for t in range(0, 120 * MINUTE, 7000)]
    file.commit({}, writes, 0)
    return file.reader()


@given(
    st.integers(-5 * MINUTE, 130 * MINUTE),
    st.integers(-5 * MINUTE, 130 * MINUTE),
    st.integers(0, 130 * MINUTE),
    st.sampled_from([MINUTE, 60 * MINUTE]),
)
def test_answers_reveal_only_closed_windows_inside_what_was_asked(
    stored: Reader, first: int, last: int, now: int, length: int
) -> None:
    asked = Stretch(first, last)
    found = closed_windows(stored, "load", asked, length=length, now=now)
    for each in map(json.loads, found.records):
        start = each["timestamp"]
        assert start % length == 0
        assert start >= first
        assert start + length - 1 <= last
        assert start + length + GRACE <= now
        assert each["data"]["count"] >= ENOUGH


@given(st.integers(0, 130 * MINUTE), st.integers(0, 120 * MINUTE))
def test_what_is_shown_does_not_depend_on_how_it_is_asked(
    stored: Reader, now: int, first: int
) -> None:
    whole = closed_windows(stored, "load", ALL, length=MINUTE, now=now).records
    part = closed_windows(stored, "load", Stretch(first, LATEST), length=MINUTE, now=now).records
    assert part == [each for each in whole if json.loads(each)["timestamp"] >= first]


@given(st.integers(0, 200 * MINUTE))
def test_latest_is_the_last_of_all_windows(stored: Reader, now: int) -> None:
    whole = closed_windows(stored, "load", ALL, length=MINUTE, now=now).records
    assert latest_window(stored, "load", ALL, length=MINUTE, now=now).records == whole[-1:]


def test_latest_passes_over_windows_with_too_few(tmp_path: Path) -> None:
    file = StoreFile(tmp_path / "store.db", bytes(32))
    full = [NewReading("load", t, b"1") for t in range(5)]
    few = [NewReading("load", MINUTE * number, b"2") for number in range(1, 4)]
    file.commit({}, [*full, *few], 0)
    found = latest_window(file.reader(), "load", ALL, length=MINUTE, now=10 * MINUTE)
    assert [json.loads(each)["timestamp"] for each in found.records] == [0]


@pytest.mark.parametrize("sparse", [0, 1, 63, 64, 65, 500])
def test_latest_does_not_tell_how_many_windows_have_too_few(tmp_path: Path, sparse: int) -> None:
    file = StoreFile(tmp_path / "store.db", bytes(32))
    full = [NewReading("load", t, b"1") for t in range(5)]
    few = [NewReading("load", MINUTE * number, b"2") for number in range(1, sparse + 1)]
    file.commit({}, [*full, *few], 0)
    found = latest_window(file.reader(), "load", ALL, length=MINUTE, now=1000 * MINUTE)
    assert [json.loads(each)["timestamp"] for each in found.records] == [0]


@pytest.mark.parametrize("empty", [0, 1])
def test_how_far_latest_looks_back_hangs_on_the_clock_alone(tmp_path: Path, empty: int) -> None:
    file = StoreFile(tmp_path / "store.db", bytes(32))
    late = [NewReading("load", MINUTE * LOOK_BACK, b"2")] if empty else []
    file.commit({}, [*(NewReading("load", t, b"1") for t in range(5)), *late], 0)
    for later, seen in ((0, 1), (1, 0)):
        now = (LOOK_BACK + later) * MINUTE + GRACE
        found = latest_window(file.reader(), "load", ALL, length=MINUTE, now=now)
        assert len(found.records) == seen


@given(st.integers(-(10**13), 10**13), st.sampled_from([MINUTE, 60 * MINUTE]))
def test_windows_are_aligned(t: int, length: int) -> None:
    assert start_of(t, length) <= t < start_of(t, length) + length
    assert t <= first_whole(t, length) < t + length
    assert first_whole(t, length) % length == 0


def test_a_window_closes_a_moment_after_its_end() -> None:
    assert windows.closed_before(2 * MINUTE + GRACE - 1, MINUTE) == MINUTE
    assert windows.closed_before(2 * MINUTE + GRACE, MINUTE) == 2 * MINUTE
