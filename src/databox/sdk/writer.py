"""Writes a driver's readings into its store, one after another, whatever happens to the box.

A reading leaves the queue only when the store has answered that it is durable. If an answer is
lost the reading is written again with the same time, so the store may hold it twice, never not
at all.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from databox.sdk.buffer import Buffer, Waiting
from databox.sdk.peers import Peers, Route
from databox.wire.errors import BadRequest, DataboxError, NotFound

PATIENCE = 5.0
PAUSE = 1.0
CONTENT_TYPE = "application/json"


class Offer(NamedTuple):
    """One line of the store's catalogue."""

    id: str
    type: str
    description: str
    unit: str
    vendor: str
    actuator: bool
    store_type: str = "store-json"
    fields: tuple[str, ...] = ()


class Writer:
    """The thread between a driver's queue and its store."""

    def __init__(
        self,
        peers: Peers,
        store: str,
        offers: Sequence[Offer],
        buffer: Buffer,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._peers = peers
        self._store = store
        self._offers = offers
        self._buffer = buffer
        self._sleep = sleep
        self._registered = False
        self._trouble = ""

    def run(self) -> None:
        """Write for ever."""
        while True:
            self.step()

    def step(self, timeout: float = 1.0) -> None:
        """Register if that is still to do, then write the oldest reading if there is one."""
        try:
            if not self._registered:
                self._register()
            reading = self._buffer.first(timeout)
            if reading is not None:
                self._write(reading)
            self._tell("")
        except DataboxError as error:
            # A store that was emptied knows the sources no more.
            self._registered = self._registered and not isinstance(error, NotFound)
            self._tell(str(error))
            self._sleep(PAUSE)

    def _register(self) -> None:
        route = Route(self._store, "POST", "/cat")
        for offer in self._offers:
            item = json.dumps(catalogue_item(offer, self._store)).encode()
            self._peers.call(route, item, patience=PATIENCE)
        self._registered = True

    def _write(self, reading: Waiting) -> None:
        route = Route(self._store, "POST", f"/{reading.source}/{reading.path}")
        try:
            self._peers.call(route, reading.record, patience=PATIENCE)
        except BadRequest as error:
            # The store will never take this one, so it must not hold up the rest.
            sys.stderr.write(f"refused source={reading.source} reason={error}\n")
        self._buffer.done(reading)

    def _tell(self, trouble: str) -> None:
        """Say once when writing stops and once when it goes on; never a value."""
        if trouble != self._trouble:
            dropped = self._buffer.dropped
            event = f"cannot write: {trouble}" if trouble else "writing again"
            sys.stderr.write(f"{event} given_up={dropped}\n")
        self._trouble = trouble


def catalogue_item(offer: Offer, store: str) -> dict[str, object]:
    """The source as a Hypercat item."""
    pairs: list[tuple[str, object]] = [
        ("urn:X-hypercat:rels:hasDescription:en", offer.description),
        ("urn:X-hypercat:rels:isContentType", CONTENT_TYPE),
        ("urn:X-databox:rels:hasVendor", offer.vendor),
        ("urn:X-databox:rels:hasType", offer.type),
        ("urn:X-databox:rels:hasDatasourceid", offer.id),
        ("urn:X-databox:rels:hasStoreType", offer.store_type),
        ("urn:X-databox:rels:isActuator", offer.actuator),
    ]
    if offer.unit:
        pairs.append(("urn:X-databox:rels:hasUnit", offer.unit))
    if offer.fields:
        pairs.append(("urn:X-databox:rels:hasFields", ", ".join(offer.fields)))
    return {
        "item-metadata": [{"rel": rel, "val": value} for rel, value in pairs],
        "href": f"https://{store}:443/{offer.id}",
    }
