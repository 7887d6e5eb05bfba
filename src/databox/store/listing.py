"""The store's catalogue, kept in memory as it stands in the file."""

from collections.abc import Iterable

import msgspec

from databox.wire.catalogue import DESCRIPTION, Item
from databox.wire.errors import Conflict

MOST = 1000
"""Data sources of one store."""
_LONGEST_LABEL = 80


class Listing:
    """The registered items in order of their first registration."""

    def __init__(self, items: Iterable[bytes]) -> None:
        read = msgspec.json.Decoder(Item)
        self._items = {item.href: item for item in map(read.decode, items)}

    def check_room(self, item: Item) -> None:
        """Check that the item can be added.

        Raises:
            Conflict: it is new, and there are too many.
        """
        if item.href not in self._items and len(self._items) >= MOST:
            raise Conflict(f"a store has at most {MOST} data sources", code="catalogue-full")

    def put(self, item: Item) -> None:
        """Add an item, in place of the one with the same address."""
        self._items[item.href] = item

    def visible(self, sources: frozenset[str] | None) -> list[Item]:
        """The items that a token with this list of sources lets see; None is no list."""
        items = list(self._items.values())
        return items if sources is None else [each for each in items if each.source in sources]

    def labels(self) -> dict[str, str]:
        """What the driver calls each of its sources, cut to a line."""
        return {str(item.source): _label(item) for item in self._items.values()}


def _label(item: Item) -> str:
    words = (str(pair.val) for pair in item.metadata if pair.rel.startswith(DESCRIPTION))
    return "".join(c for c in next(words, "") if c.isprintable())[:_LONGEST_LABEL]
