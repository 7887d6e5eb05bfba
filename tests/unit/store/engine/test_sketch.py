"""Percentiles from a sketch are right to one percent, however the parts were put together."""

import math

from hypothesis import given
from hypothesis import strategies as st

from databox.store.engine import sketch
from databox.store.engine.arrays import np
from databox.store.engine.windows import percentile

values = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=80)


def percentile_of(found: sketch.Sketch, percent: float, ordered: list[float]) -> float:
    window = np.zeros(1, np.int64)
    sketches = sketch.Sketches.of(np.zeros(len(found), np.int64), found)
    ends = np.array(ordered[:1]), np.array(ordered[-1:])
    with np.errstate(over="ignore", invalid="ignore"):
        return float(sketches.percentile(window, percent, *ends)[0])


@given(values, st.floats(0, 100))
def test_a_percentile_is_right_to_one_percent(numbers: list[float], percent: float) -> None:
    ordered = sorted(numbers)
    told = percentile_of(sketch.sketch_of(np.array(numbers)), percent, ordered)
    place = (len(ordered) - 1) * percent / 100
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    with np.errstate(over="ignore"):
        span = above - below
    if math.isfinite(span):
        exact = percentile(ordered, percent)
        assert abs(told - exact) <= 0.0101 * max(abs(below), abs(above)) + 1e-320
    assert ordered[0] <= told <= ordered[-1] or not math.isfinite(span)


@given(st.lists(values, min_size=1, max_size=5))
def test_sketches_of_parts_make_the_sketch_of_the_whole(parts: list[list[float]]) -> None:
    together = sketch.merged([sketch.sketch_of(np.array(each)) for each in parts])
    whole = sketch.sketch_of(np.array([number for each in parts for number in each]))
    assert together.tolist() == whole.tolist()


def test_equal_numbers_are_told_exactly() -> None:
    found = sketch.sketch_of(np.full(1000, 21.5))
    assert percentile_of(found, 50, [21.5]) == 21.5
