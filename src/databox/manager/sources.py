"""The data sources on the box, as the stores' catalogues list them."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from databox.manager.peers import Peers
from databox.wire.api import SourceRow
from databox.wire.caveats import MAX_FIELDS, names_member
from databox.wire.names import ComponentName, store_of

_DESCRIPTION = "urn:X-hypercat:rels:hasDescription:en"
_DATABOX = "urn:X-databox:rels:"
_LONGEST_FIELD = 100


class SourceBook:
    """Asks every store of an installed driver for its catalogue.

    Remembers the last good answer, so that a store that restarts does not empty a picker.
    """

    def __init__(
        self, peers: Peers, drivers: Callable[[], Iterable[str]], mark: Callable[[str], str]
    ) -> None:
        """`mark`: a text that is another one once a store's catalogue is; "" while not known."""
        self._peers = peers
        self._drivers = drivers
        self._mark = mark
        self._known: dict[str, tuple[SourceRow, ...]] = {}
        self._marks: dict[str, str] = {}

    async def rows(self) -> tuple[SourceRow, ...]:
        """Every source, by store and id."""
        drivers = sorted(self._drivers())
        stores = [store_of(ComponentName(driver)) for driver in drivers]
        await asyncio.gather(*(self._ask(*each) for each in zip(drivers, stores, strict=True)))
        return tuple(each for store in stores for each in self._known.get(store, ()))

    async def _ask(self, driver: str, store: str) -> None:
        """Ask a store, unless it has said nothing new: pages look often, and each would wake it."""
        mark = self._mark(store)
        if mark and self._marks.get(store) == mark and store in self._known:
            return
        if items := await self._peers.catalogue(store):
            self._known[store] = tuple(row(store, driver, item) for item in items)
            self._marks[store] = mark

    def drop(self, store: str) -> None:
        """Forget a store that was deleted."""
        self._known.pop(store, None)


def row(store: str, driver: str, item: dict[str, Any]) -> SourceRow:
    """One catalogue item as a row; absent relations are empty."""
    pairs = {
        pair.get("rel"): pair.get("val")
        for pair in item.get("item-metadata", [])
        if isinstance(pair, dict)
    }

    def text(rel: str) -> str:
        return str(pairs.get(rel) or "")

    return SourceRow(
        store=store,
        id=text(f"{_DATABOX}hasDatasourceid"),
        type=text(f"{_DATABOX}hasType"),
        description=text(_DESCRIPTION),
        unit=text(f"{_DATABOX}hasUnit"),
        vendor=text(f"{_DATABOX}hasVendor"),
        store_type=text(f"{_DATABOX}hasStoreType"),
        actuator=pairs.get(f"{_DATABOX}isActuator") is True,
        driver=driver,
        fields=_fields(text(f"{_DATABOX}hasFields")),
    )


def _fields(listed: str) -> tuple[str, ...]:
    """The members that a driver declares, as far as they can be put in a caveat."""
    names = [name.strip() for name in listed.split(",")]
    usable = [
        name for name in dict.fromkeys(names) if len(name) <= _LONGEST_FIELD and names_member(name)
    ]
    return tuple(usable[:MAX_FIELDS])
