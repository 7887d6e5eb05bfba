"""What the manager may have done: stores, pairs, instances and packages, each name checked."""

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec

from databox.box import usage
from databox.box.arbiter_line import ArbiterLine
from databox.box.instances import Instances
from databox.box.keeper import Keeper
from databox.box.packages import Packages
from databox.box.pairs import Pairs
from databox.box.parts import Parts
from databox.box.permitted import STORE_CALLERS, check_pair
from databox.box.reception import WAKE_SECONDS, Reception
from databox.box.specs import EXPORT, SWITCHBOARD
from databox.box.stores import Stores
from databox.box.uids import Uids
from databox.engines import Engine, Run
from databox.wire import control
from databox.wire.control import FromPart, Stat
from databox.wire.names import component_name

TAIL_BYTES = 20 * 1024
"""Each may become three in the answer, and all must fit into one packet."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """What components are made with. `level`: how hard their limits are here, in one word."""

    uids: Uids
    parts: Parts
    pairs: Pairs
    reception: Reception
    stores: Stores
    arbiter: ArbiterLine
    instances: Instances
    packages: Packages
    engine: Engine
    level: str


class Components:
    """Carries out the manager's messages."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._places: tuple[str, ...] = ()

    async def ask(self, message: FromPart) -> Any:  # noqa: PLR0912 - a closed list, one line each
        """Do what the manager asks.

        Raises:
            DataboxError: as the method that does it says.
        """
        pieces = self._pieces
        match message:
            case control.EnsureStore(store=store):
                await self.ensure_store(store)
                # Its first start makes it a target that tokens can be had for.
                await pieces.parts.keeper(store).awake(WAKE_SECONDS)
            case control.ForgetStore(store=store):
                await pieces.stores.forget(store)
            case control.RestartTarget(target=target):
                await self._restart(target)
            case control.EnsurePair(caller=caller, callee=callee):
                await self._ensure_pair(caller, callee)
            case control.DropPair(caller=caller, callee=callee):
                await self._drop_pair(caller, callee)
            case control.AllowExports(places=places):
                self._places = places
                self.tell_places()
            case control.StartInstance():
                await self._start(message)
            case control.StopInstance(name=name):
                await pieces.instances.stop(name)
            case control.RemoveInstance(name=name):
                await self._remove(name)
            case control.AdoptPackage():
                return await pieces.packages.adopt(message)
            case control.Describe(package=package, file=file):
                return await pieces.packages.describe(package, file)
            case control.RemovePackage(package=package):
                pieces.packages.remove(package, pieces.instances.packages())
            case control.InstanceStats():
                return await self._stats()
            case control.Tail(name=name):
                return usage.tail(pieces.instances.log_file(component_name(name)), TAIL_BYTES)
            case _:
                raise AssertionError(f"not permitted to the manager: {type(message)}")
        return None

    async def ensure_store(self, store: str) -> None:
        """Make a store if it is not there, and have the arbiter know it.

        Raises:
            BadRequest: this is not the name of a store.
        """
        if self._pieces.stores.ensure(store):
            await self._pieces.arbiter.know(store, "store", self._pieces.stores.arbiter_key(store))

    def tell_places(self) -> None:
        """Tell the switchboard where exports may go; it forgets when it starts anew."""
        allow = control.Allow(caller=EXPORT, places=self._places)
        self._pieces.parts.send(SWITCHBOARD, allow)

    async def _restart(self, target: str) -> None:
        if target == EXPORT:
            await self._pieces.parts.restart(EXPORT)
        else:
            await self._pieces.stores.restart(target)

    async def _ensure_pair(self, caller: str, callee: str) -> None:
        check_pair(caller, callee, self._pieces.stores.names)
        if caller in STORE_CALLERS:
            self._pieces.reception.ensure(caller, callee)
            return
        uid = self._pieces.uids.of(caller)
        self._pieces.reception.ensure(caller, callee, uid=uid, twin=True)
        await self._pieces.instances.peer_added(caller, callee)

    async def _drop_pair(self, caller: str, callee: str) -> None:
        check_pair(caller, callee, self._pieces.stores.names)
        self._pieces.instances.peer_dropped(caller, callee)
        await self._pieces.reception.end(caller, callee)

    async def _start(self, wanted: control.StartInstance) -> None:
        for peer in wanted.peers:
            await self._ensure_pair(wanted.name, peer)
        await self._pieces.instances.start(wanted)

    async def _remove(self, name: str) -> None:
        component_name(name)
        await self._pieces.instances.remove(name)
        await self._pieces.reception.end_all(name)
        self._pieces.pairs.forget(name)

    async def _stats(self) -> list[Stat]:
        parts = [self._part_stat(keeper) for keeper in self._pieces.parts.keepers()]
        instances = self._pieces.instances.running()
        return parts + list(await asyncio.gather(*(self._run_stat(*each) for each in instances)))

    def _part_stat(self, keeper: Keeper) -> Stat:
        part = self._pieces.parts.running(keeper.name)
        pid = part.pid if part else 0
        told = self._pieces.parts.fares(keeper.name)
        return msgspec.structs.replace(
            _stat(keeper, pid, usage.memory(pid), usage.cpu(pid)),
            trouble=told.trouble,
            remedy=told.remedy,
            trouble_since=told.since,
        )

    async def _run_stat(self, keeper: Keeper, run: Run | None) -> Stat:
        level = self._pieces.level
        if run is None:
            return _stat(keeper, 0, 0, 0.0, level)
        used = await self._pieces.engine.stats(run)
        return _stat(keeper, run.pid, used.pss, used.cpu, level)


def _stat(keeper: Keeper, pid: int, memory: int, cpu: float, level: str = "") -> Stat:
    life = keeper.life
    return Stat(
        name=keeper.name,
        state=life.state,
        pid=pid,
        memory=memory,
        cpu=cpu,
        restarts=life.restarts,
        since=int(life.since * 1000),
        level=level,
    )
