"""Windows of places: where somebody mostly was, as the centre of one cell. Pure.

Least and greatest of coordinates are not told, and the mean is taken of the cells' centres and put
into its cell again; so a window tells no more than the cells that its readings lie in. Across the
line of the date the mean goes the shorter way.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

import msgspec

from databox.store import grid, permitted
from databox.store.engine.windows import Window
from databox.wire.caveats import Caveats

Names = tuple[str, str]
"""What a document calls its latitude and its longitude."""
Places = dict[Names, list[tuple[float, float]]]


def windows(
    points: Iterable[tuple[int, bytes]], length: int, caveats: Caveats, *, enough: int
) -> Iterator[Window]:
    """Windows of `length` ms, aligned to 1970; `points`: time, Unix ms, and data, ascending.

    Of the token's own windows, those with fewer than `enough` places count for nothing.
    """
    own = caveats.base or length
    coarse, level = replace(caveats, fields=None), grid.level_of(caveats.precision)
    shown = [path[0] for path in caveats.fields or () if len(path) == 1]
    for start, whole in groupby(points, lambda point: point[0] // length * length):
        found: Places = {}
        for _, part in groupby(whole, lambda point: point[0] // own):
            _gather(found, _places((data for _, data in part), coarse), enough)
        for names in sorted(found):
            middle = _middle(found[names], level)
            for name, value in zip(names, middle, strict=True):
                if caveats.fields is None or name in shown:
                    n = len(found[names])
                    yield Window(start, name, n, value, value, value * n, 0.0)


def _places(found: Iterable[bytes], coarse: Caveats) -> Places:
    places: Places = {}
    for data in found:
        content = msgspec.json.decode(permitted.document(coarse, data))
        names = tuple(content)
        # Of a place within another member only the document itself tells.
        if len(names) == 2 and names[0] in permitted.LATITUDES:
            places.setdefault(names, []).append((content[names[0]], content[names[1]]))
    return places


def _gather(all_: Places, new: Places, enough: int) -> None:
    for names, places in new.items():
        if len(places) >= enough:
            all_.setdefault(names, []).extend(places)


def _middle(places: list[tuple[float, float]], level: int) -> tuple[float, float]:
    """The cell of the mean; longitudes are counted from the first, the shorter way."""
    first = places[0][1]
    north = sum(latitude for latitude, _ in places) / len(places)
    apart = [(longitude - first + 180.0) % 360.0 - 180.0 for _, longitude in places]
    return grid.centre(north, first + sum(apart) / len(places), level)
