import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.sdk import invented
from databox.sdk.readings import Reading, Readings, means, tally, windows
from databox.wire.errors import BadRequest

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

times = st.integers(0, 10 * DAY)
numbers = st.floats(-1e6, 1e6)
some = st.lists(st.tuples(times, numbers).map(lambda pair: Reading(*pair)), max_size=50)


@given(some)
def test_no_value_is_lost_in_windows(readings: list[Reading]) -> None:
    assert sum(window.weight for window in windows(readings, MINUTE)) == len(readings)


@given(some)
def test_windows_of_windows_are_the_longer_windows(readings: list[Reading]) -> None:
    direct = windows(readings, HOUR)
    by_minutes = windows(windows(readings, MINUTE), HOUR)
    assert [(w.t, w.weight, w.least, w.most) for w in by_minutes] == [
        (w.t, w.weight, w.least, w.most) for w in direct
    ]
    assert all(
        math.isclose(a.value, b.value, rel_tol=1e-9, abs_tol=1e-6)
        for a, b in zip(by_minutes, direct, strict=True)
    )


@given(some)
def test_mean_lies_between_least_and_greatest(readings: list[Reading]) -> None:
    found = Readings(readings)
    low, mean, high = found.min(), found.mean(), found.max()
    if readings:
        assert low is not None
        assert mean is not None
        assert high is not None
        assert low - 1e-6 <= mean <= high + 1e-6
    else:
        assert (low, mean, high) == (None, None, None)


@given(some)
def test_every_value_is_counted_once(readings: list[Reading]) -> None:
    for by in ("hour of day", "day of week", "hour", "day"):
        assert sum(tally(readings, by).values()) == len(readings)


def test_hours_without_values_are_in_the_count() -> None:
    assert list(tally([], "hour of day")) == [f"{hour:02}" for hour in range(24)]


def test_window_counts_for_all_its_values() -> None:
    assert sum(tally([Reading(0, 5.0, weight=60)], "day").values()) == 60


def test_means_weigh_windows_by_their_values() -> None:
    readings = [Reading(0, 10.0, weight=3), Reading(1, 50.0, weight=1)]
    assert list(means(readings, "day").values()) == [20.0]


def test_values_that_are_not_numbers_count_and_have_no_mean() -> None:
    found = Readings([Reading(0, {"text": "hi"}), Reading(1, True)])
    assert (found.mean(), found.max(), len(found.every("minute"))) == (None, None, 1)


def test_unknown_words_are_named_with_the_known_ones() -> None:
    with pytest.raises(BadRequest, match="minute, hour, day"):
        Readings().every("week")
    with pytest.raises(BadRequest, match="hour of day"):
        tally([], "moon")


def test_text_of_readings_shows_no_value() -> None:
    assert "4711" not in repr(Readings([Reading(0, 4711)], label="cpu-load"))


@given(st.sampled_from(["cpu-load", "message", "anything"]), times, st.integers(0, DAY))
def test_invented_readings_are_the_same_each_time(type: str, start: int, length: int) -> None:
    first = list(invented.readings(type, "raw", start, start + length))
    assert first == list(invented.readings(type, "raw", start, start + length))
    assert all(start <= reading.t <= start + length for reading in first)


@given(st.sampled_from(["cpu-load", "message"]), st.integers(0, 400 * DAY))
def test_invented_readings_are_bounded(type: str, length: int) -> None:
    assert len(list(invented.readings(type, "raw", 0, length))) <= 31 * 24 * 4 + 4


def test_invented_windows_are_closed() -> None:
    end = 10 * HOUR + 30 * MINUTE
    found = list(invented.readings("cpu-load", "PT1H", 8 * HOUR + 1, end))
    assert [reading.t for reading in found] == [9 * HOUR]


def test_invented_load_looks_like_a_load() -> None:
    values = [reading.value for reading in invented.readings("cpu-load", "raw", 0, HOUR)]
    assert 0 < min(values) < max(values) < 100
