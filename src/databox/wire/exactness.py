"""How exact: the one ladder from every value down to the coarsest, and its one table of words.

Windows divide one another, and so do the cells that distances stand for; so of two conditions the
coarser satisfies both.
"""

from collections.abc import Sequence
from typing import Literal

Exactness = Literal["raw", "PT1M", "PT15M", "PT1H", "P1D", "100 m", "1 km", "10 km", "100 km"]
"""`raw`, closed windows of an ISO 8601 duration, or places no more exact than a distance."""

RAW: Exactness = "raw"

WINDOWS_MS = {"PT1M": 60_000, "PT15M": 900_000, "PT1H": 3_600_000, "P1D": 86_400_000}
"""Windows by their names, in ms. Days are those of UTC."""

DISTANCES_M = {"100 m": 100, "1 km": 1_000, "10 km": 10_000, "100 km": 100_000}
"""Distances that an owner may choose from, in metres. A caveat may name any other."""

WORDS: dict[str, str] = {
    "raw": "every value",
    "PT1M": "each minute",
    "PT15M": "each quarter of an hour",
    "PT1H": "each hour",
    "P1D": "each day",
    "100 m": "to 100 m",
    "1 km": "to 1 km",
    "10 km": "to 10 km",
    "100 km": "to 100 km",
}
"""How exact, in the owner's words."""

PLACES = frozenset({"location", "place", "track", "photo"})
"""Types of sources that tell where somebody was; how exact is a distance for them."""

_FOR_VALUES: tuple[Exactness, ...] = ("raw", "PT1M", "PT1H")
_FOR_PLACES: tuple[Exactness, ...] = ("raw", "100 m", "1 km", "10 km", "100 km")


def fits(type: str, exact: str) -> bool:
    """Whether sources of this type can be shown as exact as that."""
    return exact == RAW or (exact in DISTANCES_M) == (type in PLACES)


def choices(type: str, asked: Sequence[Exactness]) -> tuple[Exactness, ...]:
    """What an owner may choose from, finest first: what was asked, else what fits the type."""
    return tuple(asked) or (_FOR_PLACES if type in PLACES else _FOR_VALUES)


def words(named: str) -> str:
    """The owner's words for how exact something was; several parts are separated by `, `."""
    return ", ".join(WORDS.get(part, part) for part in named.split(", "))
