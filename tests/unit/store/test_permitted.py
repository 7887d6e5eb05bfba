"""What may leave of a reading: nothing that the caveats hide, in any shape of document."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.store import grid, permitted
from databox.store.permitted import NOTHING
from databox.wire.caveats import Caveats, compile_caveats

KM = compile_caveats(["precision >= 1 km"])
HERE, THERE = (51.50137, -0.14189), (51.50136, -0.14188)
CELL = grid.centre(*HERE, grid.level_of(1000))

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
SECRETS = st.dictionaries(
    st.sampled_from(["altitude", "accuracy", "speed", "geohash", "address", "timestamp", "x"]),
    JSON,
    max_size=4,
)
SHAPES = [
    lambda lat, lon: {"lat": lat, "lon": lon},
    lambda lat, lon: {"latitude": lat, "longitude": lon},
    lambda lat, lon: {"lat": lat, "lng": lon},
    lambda lat, lon: {"type": "Point", "coordinates": [lon, lat]},
    lambda lat, lon: {"type": "LineString", "coordinates": [[lon, lat]]},
    lambda lat, lon: {"coords": {"latitude": lat, "longitude": lon}},
    lambda lat, lon: {"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]}},
]


def left(caveats: Caveats, content: Any) -> Any:
    """What is left of a document."""
    return msgspec.json.decode(permitted.document(caveats, msgspec.json.encode(content)))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_place_keeps_its_shape_and_is_moved_to_the_centre(shape: Any) -> None:
    found = left(KM, shape(*HERE))
    wanted = shape(*CELL)
    if wanted.get("type") == "Feature":
        wanted["properties"] = {}
    assert found == wanted


PLACES = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(
    st.sampled_from(SHAPES),
    PLACES,
    st.sampled_from([1, 100, 1000, 30_000, 1_000_000]),
    st.tuples(SECRETS, SECRETS),
    st.data(),
)
def test_two_places_of_a_cell_look_alike_whatever_stands_beside_them(
    shape: Any,
    place: tuple[float, float],
    metres: int,
    beside: tuple[Any, Any],
    data: st.DataObject,
) -> None:
    lat, lon = place
    caveats = compile_caveats([f"precision >= {metres} m"])
    level = grid.level_of(metres)
    height = 180 / 2**level
    near = (
        data.draw(st.floats(max(-90.0, lat - height / 9), min(90.0, lat + height / 9))),
        data.draw(st.floats(max(-180.0, lon - height / 9), min(180.0, lon + height / 9))),
    )
    if grid.centre(*near, level) != grid.centre(lat, lon, level):
        near = (lat, lon)
    assert left(caveats, beside[0] | shape(lat, lon)) == left(caveats, beside[1] | shape(*near))


@pytest.mark.parametrize(
    "content",
    [
        51.50137,
        "51.50137,-0.14189",
        [51.50137, -0.14189],
        {"altitude": 12},
        {"lat": 51.50137},
        {"lat": "51.50137", "lon": "-0.14189"},
        {"lat": 51.5, "latitude": 51.50137, "lon": -0.14189},
        {"lat": 91, "lon": 0},
        {"lat": True, "lon": 0},
        {"lat": 10**400, "lon": 0},
        {"Lat": 51.50137, "Lon": -0.14189},
        {"home": {"lat": 51.50137, "lon": -0.14189}},
        {"type": "Point", "coordinates": [51.5]},
        {"type": "Point", "coordinates": [0, 1, 2, 3]},
        {"type": "Polygon", "coordinates": [[[0, 1], [1, 1], [0, 1]]]},
        {"type": "LineString", "coordinates": [[0, 1], "gcpuuz"]},
        None,
    ],
)
def test_what_is_no_place_does_not_leave(content: Any) -> None:
    assert permitted.document(KM, msgspec.json.encode(content)) == NOTHING


def test_points_of_one_cell_on_a_track_become_one() -> None:
    track = {"type": "LineString", "coordinates": [[HERE[1], HERE[0]], [THERE[1], THERE[0], 9.5]]}
    assert left(KM, track)["coordinates"] == [[CELL[1], CELL[0]]]


@given(st.sampled_from(SHAPES), st.floats(-90, 90), st.floats(-180, 180))
def test_the_coarser_of_two_distances_holds(shape: Any, lat: float, lon: float) -> None:
    both = compile_caveats(["precision >= 100 m", "precision >= 10 km"])
    coarse = compile_caveats(["precision >= 10 km"])
    fine = compile_caveats(["precision >= 100 m"])
    assert left(both, shape(lat, lon)) == left(coarse, shape(lat, lon))
    # Nothing is learned from the finer that the coarser was to hide: one follows from the other.
    assert left(coarse, left(fine, shape(lat, lon))) == left(coarse, shape(lat, lon))


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ('["b"]', {"b": {"c": 2, "d": 3}}),
        ('["b.c"]', {"b": {"c": 2}}),
        ('["b","b.c"]', {"b": {"c": 2, "d": 3}}),
        ('["n","a"]', {"a": 1, "n": None}),
        ('["a.c"]', {}),
        ('["l.0"]', {}),
        ('["l"]', {"l": [{"c": 1}]}),
        ('["b.x","z"]', {}),
        ("[]", {}),
    ],
)
def test_only_listed_members_are_left(fields: str, wanted: Any) -> None:
    content = {"n": None, "b": {"d": 3, "c": 2}, "a": 1, "l": [{"c": 1}], "b.c": 7}
    assert left(compile_caveats([f"fields = {fields}"]), content) == wanted


@pytest.mark.parametrize("content", [1, 1.5, "text", [1, 2], None, True])
def test_what_has_no_members_is_hidden_by_a_list_of_them(content: Any) -> None:
    assert left(compile_caveats(['fields = ["a"]']), content) == {}


NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=3).map(".".join), max_size=4)
DOCUMENTS = st.recursive(
    st.integers(0, 9), lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=9
)


def listed(paths: list[str]) -> str:
    """The caveat for these members."""
    return f"fields = {msgspec.json.encode(paths).decode()}"


@given(PATHS, PATHS, DOCUMENTS)
def test_two_lists_leave_what_one_leaves_after_the_other(
    one: list[str], other: list[str], content: Any
) -> None:
    both = compile_caveats([listed(one), listed(other)])
    first, second = compile_caveats([listed(one)]), compile_caveats([listed(other)])
    assert _full(left(both, content)) == _full(left(second, left(first, content)))


def _full(content: Any) -> Any:
    """Without empty documents: one that was empty and one that was emptied look different."""
    if not isinstance(content, dict):
        return content
    full = {name: _full(inner) for name, inner in content.items()}
    return {name: inner for name, inner in full.items() if inner != {}}


@given(PATHS, DOCUMENTS, DOCUMENTS)
def test_documents_that_differ_elsewhere_look_alike(
    paths: list[str], content: Any, hidden: Any
) -> None:
    caveats = compile_caveats([listed(paths)])
    seen = left(caveats, content)
    if not isinstance(hidden, dict) or not isinstance(content, dict):
        return
    tops = {path.split(".")[0] for path in paths}
    mixed = {name: inner for name, inner in hidden.items() if name not in tops}
    mixed |= {name: inner for name, inner in content.items() if name in tops}
    assert permitted.document(caveats, msgspec.json.encode(mixed)) == msgspec.json.encode(seen)


def test_members_are_taken_from_the_coarsened_place() -> None:
    caveats = compile_caveats(['fields = ["lat","altitude"]', "precision >= 1 km"])
    assert left(caveats, {"lat": HERE[0], "lon": HERE[1], "altitude": 7}) == {"lat": CELL[0]}


def test_without_such_caveats_the_very_bytes_are_left() -> None:
    odd = b'{"b": 1.0,  "a":1}'
    assert permitted.document(compile_caveats(["granularity >= PT1M"]), odd) is odd
