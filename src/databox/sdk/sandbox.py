"""The real outside of an app: its sandbox, with sockets to whom it may reach."""

import time
from typing import Protocol

from databox.sdk.export import Outbox, ServiceOutbox
from databox.sdk.invented import InventedReader
from databox.sdk.peers import Peers
from databox.sdk.readings import EXACTNESS
from databox.sdk.source import Ask, Reader
from databox.sdk.stored import StoredReader
from databox.sdk.surroundings import Surroundings

PEERS = "/run/databox"
KEY_FILE = "/run/secrets/ARBITER_TOKEN"


class Outside(Protocol):
    """What an app meets when it runs: a sandbox, or a test's pretended box."""

    def reader(self, ask: Ask) -> Reader:
        """Who answers an ask."""
        ...

    def outbox(self) -> Outbox | None:
        """The way out, None if nothing may be sent."""
        ...

    def now(self) -> float:
        """Unix time in seconds."""
        ...


class Sandbox:
    """Readers and the way out, by what was granted."""

    def __init__(self, surroundings: Surroundings, peers: Peers) -> None:
        self._granted = surroundings.granted
        self._peers = peers
        self._outbox = ServiceOutbox(peers) if surroundings.may_export else None

    def reader(self, ask: Ask) -> Reader:
        """A store for a granted ask, invented data for another."""
        granted = self._granted.get(ask.clientid)
        if granted is None:
            return InventedReader(ask.type, EXACTNESS[ask.exact], self.now)
        return StoredReader(self._peers, granted)

    def outbox(self) -> Outbox | None:
        """The export service, if the owner allowed any destination."""
        return self._outbox

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()


def arbiter_key(path: str = KEY_FILE) -> bytes:
    """The key that proves to the arbiter who asks; 32 raw bytes."""
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 1.5 MB in every component
        return file.read(1024)
