"""Stores: one process, one folder and one key each, on demand."""

import base64
import shutil
from collections.abc import Callable

from databox.box.home import Home
from databox.box.keys import Keyring
from databox.box.lifecycle import STORE, Event
from databox.box.part import PartSpec
from databox.box.parts import Parts
from databox.box.permitted import STORE_CALLERS, STORE_CALLS, check_store
from databox.box.reception import Reception
from databox.wire.errors import DataboxError, NotFound

MODULE = "databox.store.service"
DATABASE, ARBITER_KEY = "database", "arbiter-key"
IDLE_SECONDS = 60.0
"""After so long without a request a store sleeps; one with a slow rhythm waits longer."""

Leaf = Callable[[str], bytes]
"""A fresh key and certificate for a name, PEM."""


class Stores:
    """Knows every store on the disk."""

    def __init__(
        self, home: Home, keys: Keyring, parts: Parts, reception: Reception, leaf: Leaf
    ) -> None:
        self._home = home
        self._keys = keys
        self._parts = parts
        self._reception = reception
        self._leaf = leaf
        self._names: set[str] = set()
        self._leaves: dict[str, bytes] = {}

    @property
    def names(self) -> frozenset[str]:
        """Every store that can be served."""
        return frozenset(self._names)

    def on_disk(self) -> list[str]:
        """The stores whose folders are there. What is left of a forgotten one is cleared away."""
        found = []
        for path in sorted(self._home.stores.iterdir()):
            try:
                check_store(path.name)
            except DataboxError:
                continue
            if self._keys.has(f"{path.name}.{DATABASE}"):
                found.append(path.name)
            else:
                # Its key was destroyed, and then the box fell.
                shutil.rmtree(path, ignore_errors=True)
        return found

    def arbiter_key(self, name: str) -> str:
        """How a store proves itself to the arbiter: base64 of 32 bytes."""
        return base64.b64encode(self._keys.key(f"{name}.{ARBITER_KEY}")).decode()

    def ensure(self, name: str) -> bool:
        """Make a store if it is not there, and serve it on demand. Whether it was new to us.

        Raises:
            BadRequest: this is not the name of a store.
        """
        check_store(name)
        if name in self._names:
            return False
        # The key is on the disk before the folder: no store is ever written without it.
        self._keys.key(f"{name}.{DATABASE}")
        keeper = self._parts.add(self._spec(name), STORE)
        self._names.add(name)
        for callee in STORE_CALLS:
            self._reception.ensure(name, callee)
        for caller in STORE_CALLERS:
            self._reception.ensure(caller, name)
        keeper.tell(Event.SLEEP)
        return True

    async def forget(self, name: str) -> None:
        """Destroy a store's key, then its files.

        Raises:
            NotFound: there is no such store.
        """
        self._check(name)
        await self._parts.remove(name)
        self._names.discard(name)
        self._keys.forget(f"{name}.{DATABASE}")
        self._keys.forget(f"{name}.{ARBITER_KEY}")
        self._leaves.pop(name, None)
        await self._reception.end_all(name)
        shutil.rmtree(self._home.stores / name, ignore_errors=True)

    async def restart(self, name: str) -> None:
        """Kill a store that did not confirm in time; it starts again and asks for the epoch.

        Raises:
            NotFound: there is no such store.
        """
        self._check(name)
        await self._parts.restart(name)

    def _check(self, name: str) -> None:
        if name not in self._names:
            raise NotFound("there is no such store", field="store", found=name[:80])

    def _leaf_of(self, name: str) -> bytes:
        """One leaf for each run of the box: signing it anew would slow each start on demand."""
        if name not in self._leaves:
            self._leaves[name] = self._leaf(name)
        return self._leaves[name]

    def _spec(self, name: str) -> PartSpec:
        def secrets() -> dict[str, bytes]:
            return {
                DATABASE: self._keys.key(f"{name}.{DATABASE}"),
                ARBITER_KEY: self.arbiter_key(name).encode(),
                "tls": self._leaf_of(name),
            }

        return PartSpec(
            name=name,
            module=MODULE,
            directory=self._home.stores / name,
            answers=(name,),
            config=lambda: {"idle-seconds": str(IDLE_SECONDS)},
            secrets=secrets,
        )
