"""The grid: its cells are as large as they say, nest, and lie still."""

import math

from hypothesis import given
from hypothesis import strategies as st

from databox.store import grid

LATITUDES = st.floats(-90, 90)
LONGITUDES = st.floats(-180, 360)
METRES = st.integers(1, 1_000_000)
LEVELS = st.integers(grid.COARSEST, grid.FINEST)

EQUATOR, ECCENTRICITY2 = 6_378_137.0, 0.00669437999014
"""The WGS 84 ellipsoid: its radius in metres, and the square of its eccentricity."""


def parallel(latitude: float) -> float:
    """The length of the circle of latitude, in metres."""
    angle = math.radians(latitude)
    normal = EQUATOR / math.sqrt(1 - ECCENTRICITY2 * math.sin(angle) ** 2)
    return 2 * math.pi * normal * math.cos(angle)


def degree_of_latitude(latitude: float) -> float:
    """Its length in metres."""
    angle = math.radians(latitude)
    return math.radians(
        EQUATOR * (1 - ECCENTRICITY2) / (1 - ECCENTRICITY2 * math.sin(angle) ** 2) ** 1.5
    )


@given(LATITUDES, LONGITUDES, METRES)
def test_a_cell_is_nowhere_smaller_than_the_distance(
    latitude: float, longitude: float, metres: int
) -> None:
    level = grid.level_of(metres)
    middle, _ = grid.centre(latitude, longitude, level)
    height = 180 / 2**level
    narrow = min(90.0, abs(middle) + height / 2)
    assert height * degree_of_latitude(0) >= metres
    columns = grid._columns(round((middle + 90) / height - 0.5), level)
    # A cap around a pole has no narrow edge: it is the whole circle.
    assert columns == 1 or parallel(narrow) / columns >= metres


@given(METRES)
def test_a_cell_is_at_most_twice_as_high_as_it_must_be(metres: int) -> None:
    height = 180 / 2 ** grid.level_of(metres) * grid.METRES_A_DEGREE
    assert metres <= height < 2 * metres or metres < 2


@given(LATITUDES, LONGITUDES, LEVELS, LEVELS)
def test_cells_of_a_level_are_made_of_those_of_a_finer_one(
    latitude: float, longitude: float, one: int, other: int
) -> None:
    coarse, fine = sorted((one, other))
    through = grid.centre(*grid.centre(latitude, longitude, fine), coarse)
    assert through == grid.centre(latitude, longitude, coarse)


@given(LATITUDES, LONGITUDES, LEVELS)
def test_the_centre_lies_in_its_own_cell(latitude: float, longitude: float, level: int) -> None:
    found = grid.centre(latitude, longitude, level)
    assert grid.centre(*found, level) == found


@given(LATITUDES, LONGITUDES, LEVELS)
def test_the_centre_is_no_farther_than_half_a_cell(
    latitude: float, longitude: float, level: int
) -> None:
    height = 180 / 2**level
    north, east = grid.centre(latitude, longitude, level)
    assert abs(north - latitude) <= height / 2 * (1 + 1e-9)
    columns = grid._columns(round((north + 90) / height - 0.5), level)
    apart = abs((east - longitude + 180) % 360 - 180)
    assert apart <= 180 / columns * (1 + 1e-9) + 1e-9


@given(LATITUDES, st.floats(-180, 0), LEVELS)
def test_a_turn_around_the_globe_changes_nothing(
    latitude: float, longitude: float, level: int
) -> None:
    north, east = grid.centre(latitude, longitude, level)
    again = grid.centre(latitude, longitude + 360, level)
    height = 180 / 2**level
    columns = grid._columns(round((north + 90) / height - 0.5), level)
    # Adding may move a place on an edge to the next cell, by the last bit of a number.
    apart = abs((again[1] - east + 180) % 360 - 180)
    assert again[0] == north
    assert apart <= 360 / columns * (1 + 1e-9)
