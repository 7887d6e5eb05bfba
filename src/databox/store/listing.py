"""The store's catalogue, kept in memory as it stands in the file."""

import hashlib
from collections.abc import Callable, Iterable

import msgspec

from databox.wire import catalogue
from databox.wire.catalogue import DESCRIPTION, LOCATION, Item
from databox.wire.caveats import Caveats
from databox.wire.errors import Conflict

MOST = 1000
"""Data sources of one store."""
_LONGEST_LABEL = 80


class Listing:
    """The registered items in order of their first registration."""

    def __init__(self, items: Iterable[bytes]) -> None:
        read = msgspec.json.Decoder(Item)
        self._items = {item.href: item for item in map(read.decode, items)}
        self.changed: Callable[[], object] = _nobody

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
        self.changed()

    def visible(self, caveats: Caveats) -> list[Item]:
        """The items that a token lets see, without a place where it coarsens places."""
        sources = caveats.datasources
        seen = [each for each in self._items.values() if sources is None or each.source in sources]
        return [_placeless(each) for each in seen] if caveats.precision else seen

    def mark(self) -> str:
        """A text that is another one whenever the catalogue is."""
        whole = b"".join(map(catalogue.encode, self._items.values()))
        return hashlib.sha256(whole).hexdigest()[:32]

    def labels(self) -> dict[str, str]:
        """What the driver calls each of its sources, cut to a line."""
        return {str(item.source): _label(item) for item in self._items.values()}


def _nobody() -> None:
    """Who hears of a new item where nobody has asked to."""


def _placeless(item: Item) -> Item:
    pairs = tuple(pair for pair in item.metadata if pair.rel != LOCATION)
    return msgspec.structs.replace(item, metadata=pairs)


def _label(item: Item) -> str:
    words = (str(pair.val) for pair in item.metadata if pair.rel.startswith(DESCRIPTION))
    return "".join(c for c in next(words, "") if c.isprintable())[:_LONGEST_LABEL]
