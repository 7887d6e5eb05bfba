"""What of a reading may leave under a token's caveats. Pure.

Every reading that leaves a store is passed through here, whichever endpoint it leaves by. A reading
stays one reading: its time is for the other caveats, and if nothing of its content may be seen an
empty document is left. So counts, limits and cursors tell nothing about what is hidden.

Rules, in this order:
1. `precision`: of a document nothing is left but a place, moved to the centre of its cell.
   Altitude, accuracy, speed, an address and whatever else there is may tell the exact place, and
   so may a name that nobody here has heard of: what is not known to be harmless does not leave.
2. `fields`: of what is then left, the listed members, in the order of their names. What is no
   document has no members.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import msgspec

from databox.store import grid
from databox.store.readings import Reading
from databox.wire.caveats import Caveats, Path

NOTHING = b"{}"
"""What is left of a reading of which nothing may be seen."""

LATITUDES = ("latitude", "lat")
LONGITUDES = ("longitude", "lon", "lng")
_HOLDERS = ("coords", "location", "place", "point", "position")
"""Members that a document may keep its place in."""
_DEEPEST = 4


def readings(caveats: Caveats, found: Iterable[Reading]) -> Iterable[Reading]:
    """Readings as they may leave."""
    if not caveats.narrows:
        return found
    return [replace(each, data=document(caveats, each.data)) for each in found]


def documents(caveats: Caveats, found: Sequence[bytes]) -> Sequence[bytes]:
    """The data of readings, JSON each, as they may leave."""
    if not caveats.narrows:
        return found
    return [document(caveats, each) for each in found]


def document(caveats: Caveats, data: bytes) -> bytes:
    """One reading's data, JSON, as it may leave."""
    if not caveats.narrows:
        return data
    content = msgspec.json.decode(data)
    if caveats.precision:
        content = _place(content, grid.level_of(caveats.precision), _DEEPEST)
    if caveats.fields is not None:
        content = _members(content, caveats.fields)
    return NOTHING if content is None else msgspec.json.encode(content)


def _place(content: Any, level: int, depth: int) -> dict[str, Any] | None:
    """The place in a document, coarsened, in the shape it had; None if there is none."""
    if not isinstance(content, dict) or not depth:
        return None
    return (
        _named(content, level)
        or _geometry(content, level)
        or _feature(content, level, depth)
        or _held(content, level, depth)
    )


def _named(content: dict[str, Any], level: int) -> dict[str, Any] | None:
    """`{"lat": …, "lon": …}`; of two latitudes nobody knows which is meant."""
    latitudes = [name for name in LATITUDES if name in content]
    longitudes = [name for name in LONGITUDES if name in content]
    if len(latitudes) != 1 or len(longitudes) != 1:
        return None
    found = _centre(content[latitudes[0]], content[longitudes[0]], level)
    return found and {latitudes[0]: found[0], longitudes[0]: found[1]}


def _geometry(content: dict[str, Any], level: int) -> dict[str, Any] | None:
    """A geometry of GeoJSON that is made of points.

    Source: RFC 7946, 3.1.
    """
    kind, coordinates = content.get("type"), content.get("coordinates")
    if kind == "Point":
        point = _position(coordinates, level)
        return {"type": kind, "coordinates": point} if point else None
    if kind not in ("LineString", "MultiPoint") or not isinstance(coordinates, list):
        return None
    points = [_position(each, level) for each in coordinates]
    if not points or None in points:
        return None
    # How many points lie in a cell tells how fast somebody moved in it.
    return {"type": kind, "coordinates": [point for point, _ in groupby(points)]}


def _feature(content: dict[str, Any], level: int, depth: int) -> dict[str, Any] | None:
    if content.get("type") != "Feature":
        return None
    geometry = _place(content.get("geometry"), level, depth - 1)
    return geometry and {"type": "Feature", "geometry": geometry, "properties": {}}


def _held(content: dict[str, Any], level: int, depth: int) -> dict[str, Any] | None:
    """`{"location": {"lat": …, "lon": …}}`."""
    for name in _HOLDERS:
        if inner := _place(content.get(name), level, depth - 1):
            return {name: inner}
    return None


def _position(coordinates: Any, level: int) -> list[float] | None:
    """Longitude first; the third, an altitude, is left out."""
    if not isinstance(coordinates, list) or len(coordinates) not in (2, 3):
        return None
    found = _centre(coordinates[1], coordinates[0], level)
    return found and [found[1], found[0]]


def _centre(latitude: Any, longitude: Any, level: int) -> tuple[float, float] | None:
    if not (_is_number(latitude) and _is_number(longitude)):
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 360):
        return None
    return grid.centre(float(latitude), float(longitude), level)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _members(content: Any, paths: Sequence[Path]) -> dict[str, Any] | None:
    """The listed members. `paths`: sorted, none within another."""
    if not isinstance(content, dict):
        return None
    left: dict[str, Any] = {}
    for name, inner in groupby(paths, key=lambda path: path[0]):
        if name not in content:
            continue
        rest = [path[1:] for path in inner]
        found = content[name] if rest == [()] else _members(content[name], rest)
        if found is not None or rest == [()]:
            left[name] = found
    return left or None
