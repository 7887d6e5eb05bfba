"""What a measurement is worth: ratios of windows, beside what was promised."""

import pytest
from bench.store import figures
from bench.store.figures import GOALS, INFLUX, NGINX, OURS, VICTORIA


def test_a_ratio_is_the_median_of_the_windows_ratios() -> None:
    measured = {OURS: [30.0, 10.0, 50.0], NGINX: [100.0, 10.0, 100.0]}
    [row] = figures.rows({figures.LATEST: measured}, {})
    assert row.ratio == 0.5
    assert (row.lowest, row.highest) == (0.3, 1.0)
    assert (row.value, row.baseline) == (30.0, 100.0)


def test_of_a_wait_the_shorter_is_the_better() -> None:
    [row] = figures.rows({figures.RANGE: {OURS: [10.0], INFLUX: [200.0]}}, {})
    assert row.ratio == 20.0
    assert row.verdict == "reached"


@pytest.mark.parametrize(
    ("theirs", "verdict"),
    [(1.0, "missed"), (3.7, "narrowly missed"), (4.0, "kept"), (7.0, "reached")],
)
def test_a_verdict_says_how_floor_and_aim_stand(theirs: float, verdict: str) -> None:
    [row] = figures.rows({figures.POINT_32: {OURS: [theirs], INFLUX: [1.0]}}, {})
    assert row.verdict == verdict


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(30.0, "missed"), (21.0, "narrowly missed"), (20.0, "kept"), (10.0, "reached")],
)
def test_without_a_peer_the_value_itself_is_judged(value: float, verdict: str) -> None:
    [row] = figures.rows({figures.WAKE: {OURS: [value]}}, {})
    assert row.verdict == verdict
    assert row.ratio is None


def test_what_nobody_measured_is_told() -> None:
    measured = {figures.SIZE: {OURS: [2.0], VICTORIA: [1.0]}}
    told = figures.missing(measured)
    assert f"{figures.SIZE}: {INFLUX}" in told
    assert f"{figures.SIZE}: {VICTORIA}" not in told
    assert figures.LATEST in told


def test_each_goal_has_its_name_alone() -> None:
    assert len({goal.name for goal in GOALS}) == len(GOALS)


def test_the_other_clock_is_shown_beside() -> None:
    measured = {figures.RANGE: {OURS: [10.0], INFLUX: [200.0]}}
    [row] = figures.rows(measured, {figures.RANGE: {OURS: [5.0], INFLUX: [20.0]}})
    assert (row.ratio, row.other) == (20.0, 4.0)
