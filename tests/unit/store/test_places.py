"""Windows of places: no more than the cells, in whatever order they come."""

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.store import grid, places
from databox.store.engine.windows import Window
from databox.wire.caveats import compile_caveats

MINUTE = 60_000
KM = compile_caveats(["precision >= 1 km", "granularity >= PT1M"])
LEVEL = grid.level_of(1000)


def shown(
    points: Sequence[tuple[int, object]], length: int = MINUTE, caveats: object = KM
) -> list[Window]:
    """The windows of these points, of five places at least."""
    encoded = [(t, json.dumps(content).encode()) for t, content in points]
    return list(places.windows(encoded, length, caveats, enough=5))  # type: ignore[arg-type]


def at(lat: float, lon: float, count: int, start: int = 0) -> list[tuple[int, object]]:
    """So many readings at one place, a second apart."""
    return [(start + 1000 * n, {"lat": lat, "lon": lon, "speed": n}) for n in range(count)]


def test_a_window_tells_the_cell_and_how_many_there_were() -> None:
    north, east = grid.centre(51.5, -0.14, LEVEL)
    lat, lon = shown(at(51.5, -0.14, 7))
    assert (lat.field, lat.n, lat.mean) == ("lat", 7, north)
    assert (lon.field, lon.n, lon.mean) == ("lon", 7, east)


def test_a_window_with_few_places_counts_for_nothing_also_in_a_longer_one() -> None:
    points = at(51.5, -0.14, 6) + at(60.0, 10.0, 4, start=MINUTE)
    assert shown(points, 2 * MINUTE) == shown(points[:6], 2 * MINUTE)
    assert shown(points[6:]) == []


def test_around_the_line_of_the_date_the_mean_stays_there() -> None:
    points = at(0.1, 179.9, 3) + at(0.1, -179.9, 3, start=10_000)
    lon = shown(points)[1]
    assert abs(lon.mean) == pytest.approx(180, abs=0.05)


def test_only_listed_members_are_told() -> None:
    listed = compile_caveats(["precision >= 1 km", 'fields = ["lon"]'])
    assert [each.field for each in shown(at(51.5, 0, 6), caveats=listed)] == ["lon"]


def test_documents_that_are_no_place_are_passed_over() -> None:
    assert shown([(n, n) for n in range(9)]) == []
    assert shown([(n, {"speed": n}) for n in range(9)]) == []


SPOTS = st.lists(
    st.tuples(st.floats(-80, 80), st.floats(-179, 179), st.integers(0, 9)), min_size=1, max_size=9
)


@given(SPOTS, st.data())
def test_windows_of_places_in_the_same_cells_are_the_same(
    spots: list[tuple[float, float, int]], data: st.DataObject
) -> None:
    one: list[tuple[int, object]] = []
    other: list[tuple[int, object]] = []
    for north, east, times in spots:
        centre = grid.centre(north, east, LEVEL)
        for _ in range(times):
            one.append((len(one) * 7_000, {"lat": north, "lon": east}))
            near = data.draw(st.sampled_from([centre, (north, east)]))
            other.append((len(other) * 7_000, {"lat": near[0], "lon": near[1], "speed": 3}))
    assert shown(one) == shown(other)
    assert all(former.start <= later.start for former, later in pairwise(shown(one)))
