"""Percentiles from a sketch are right to one percent, however the parts were put together."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.store.engine import sketch
from databox.store.engine.arrays import np
from databox.store.engine.windows import percentile

values = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=80)


@given(values, st.floats(0, 100))
def test_a_percentile_is_right_to_one_percent(numbers: list[float], percent: float) -> None:
    ordered = sorted(numbers)
    told = sketch.percentile(
        sketch.sketch_of(np.array(numbers)), percent, least=ordered[0], most=ordered[-1]
    )
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
    assert sketch.percentile(found, 50, least=21.5, most=21.5) == pytest.approx(21.5, rel=0)
