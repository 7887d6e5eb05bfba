"""The fixed grid that places are coarsened to: cells of a ladder of sizes, each made of the last.

Level k cuts the way from pole to pole into 2^k bands of equal height. A band is cut into as many
columns, a power of two, as leave each at least one band's height wide where the band is narrowest;
the band at a pole is one cap. Each step of the ladder halves the height, and both the bands and
the columns of a level are whole numbers of those of the next: cells nest. A distance takes the
finest level whose cells are nowhere smaller than it, so of two distances the longer, alone, shows
no more than both.

The mathematics: `docs/decisions/043-caveats-where-the-data-is.md`.
Source: lengths of a degree on the WGS 84 ellipsoid.
"""

import math
from functools import lru_cache

METRES_A_DEGREE = 110_574.0
"""Of latitude, where it is shortest: at the equator. A degree of longitude there has 111,320."""
COARSEST = 4
"""1,244 km."""
FINEST = 24
"""1.19 m."""


@lru_cache(maxsize=64)
def level_of(metres: int) -> int:
    """The finest level whose cells are nowhere smaller than a distance, the coarsest at most."""
    bands = 180.0 * METRES_A_DEGREE / metres
    return max(COARSEST, min(FINEST, math.floor(math.log2(bands))))


def centre(latitude: float, longitude: float, level: int) -> tuple[float, float]:
    """The centre of the cell that a place lies in, in degrees.

    `latitude`: -90 to 90; `longitude`: any number of degrees east, taken around the globe.
    """
    bands = 1 << level
    band = min(int((latitude + 90.0) / 180.0 * bands), bands - 1)
    columns = _columns(band, level)
    column = min(int((longitude + 180.0) % 360.0 / 360.0 * columns), columns - 1)
    return (band + 0.5) / bands * 180.0 - 90.0, (column + 0.5) / columns * 360.0 - 180.0


def _columns(band: int, level: int) -> int:
    """How many cells a band has: the power of two that the narrow edge's length allows."""
    bands = 1 << level
    # Bands from the nearer pole to the band's narrow edge; 0 for a cap.
    edge = min(band, bands - 1 - band)
    if not edge:
        return 1
    # 2 pi sin(angle) over pi / bands: the edge's length, in heights of a band.
    heights = 2.0 * bands * math.sin(edge * (math.pi / bands))
    return 1 << (math.frexp(heights)[1] - 1)
