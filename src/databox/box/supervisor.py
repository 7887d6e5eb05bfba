"""The whole box put together: what starts when, what is told to whom, what ends first.

A box is new, locked, starting or running. Set-up leads from new to starting, the passphrase or the
recovery code from locked to starting; once the authority serves, it runs.
"""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

from databox.box import specs
from databox.box.answers import Answers
from databox.box.arbiter_line import ArbiterLine
from databox.box.components import Components, Pieces
from databox.box.first_run import LIFETIME_SECONDS, OneTimeCode
from databox.box.home import Home, write_private
from databox.box.instances import Instances, Surroundings
from databox.box.keeper import Keeper
from databox.box.keys import Keyring
from databox.box.leftovers import Register
from databox.box.lifecycle import PART, Event, State
from databox.box.packages import Packages
from databox.box.pairs import Pairs
from databox.box.part import Part, PartSpec
from databox.box.parts import Followers, Parts
from databox.box.permitted import STATIC_PAIRS
from databox.box.reception import Reception
from databox.box.runtime import Runtime
from databox.box.settings import AFTER_A_FALL, CLEANLY, STILL
from databox.box.specs import AUTHORITY, EXPORT, GATEWAY, MANAGER, SWITCHBOARD
from databox.box.stores import Stores
from databox.box.tries import Tries
from databox.box.trust import Trust
from databox.box.uids import Uids
from databox.box.version import VERSION
from databox.engines.sandbox.engine import SandboxEngine
from databox.kit import log as lines
from databox.wire import control
from databox.wire.control import BoxState, FromPart, InstanceState, Listener
from databox.wire.errors import Conflict, NotFound, Unavailable

log = logging.getLogger(__name__)

Phase = Literal["new", "locked", "starting", "running"]

START_SECONDS = 30.0
FAILING_FALLS = 3
ENDED_WELL = "ended-well"


class Box:
    """All pieces, each given what it needs and no more."""

    def __init__(
        self,
        home: Home,
        register: Register,
        doors: tuple[socket.socket, socket.socket],
        engine: SandboxEngine,
        runtime: Runtime,
    ) -> None:
        self.address = f"http://databox.localhost:{doors[0].getsockname()[1]}"
        self._home = home
        self._doors = doors
        self._engine = engine
        self._runtime = runtime
        self._phase: Phase = "new"
        self._opening = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._renewal: asyncio.TimerHandle | None = None
        self._keys = Keyring(home.keys)
        self._trust = Trust(home.keys)
        self._code = OneTimeCode(home.run, os.urandom)
        self._tries = Tries()
        # Without an owner there was nothing yet that could have ended badly.
        self._ended_well = _take(home.run / ENDED_WELL) or not self._keys.has_owner
        self._authority_starts = 0
        self._answers = Answers(self._ask)
        uids = Uids.of_this_machine(home.root / "uids")
        followers = Followers(self._answers.take, self._ready, self._tell, self._changed)
        self._parts = Parts(home, uids, register, specs.PRELOADED, followers)
        pairs = Pairs(home, uids.of(SWITCHBOARD))
        self._reception = Reception(pairs, self._parts)
        self._arbiter = ArbiterLine(self._reception)
        self._stores = Stores(home, self._keys, self._parts, self._reception, self._trust.leaf)
        around = Surroundings(home, uids, engine, self._reception, self._trust, runtime)
        self._instances = Instances(around, self._route, self._changed)
        self._pairs = pairs
        packages = Packages(home, uids, engine, runtime, switchboard=self._route)
        packages.clear()
        self._components = Components(
            Pieces(
                uids,
                self._parts,
                pairs,
                self._reception,
                self._stores,
                self._arbiter,
                self._instances,
                packages,
                engine,
                engine.levels.weakest(),
            )
        )

    async def start(self) -> str:
        """Bring up the gateway; everything else waits for the keys. Gives the one-time code.

        Raises:
            DataboxError: the zygote or the gateway does not come up.
        """
        await self._parts.open()
        making = self._making()
        spec = specs.gateway(making, self._doors[0].getsockname()[1], self._trust.certificate)
        self._parts.add(spec, PART).tell(Event.START)
        await self._parts.keeper(GATEWAY).awake(START_SECONDS)
        if not self._keys.has_owner:
            return self._renew_code()
        self._phase = "locked"
        if self._keys.open_by_itself():
            self._follow(self._open_up())
        return ""

    async def close(self) -> None:
        """End all of it: what asks first, what is asked later, the ledger last."""
        for task in tuple(self._tasks):
            task.cancel()
        if self._renewal is not None:
            self._renewal.cancel()
        # Setting up and unlocking would start parts anew.
        await self._answers.leave(GATEWAY)
        self._arbiter.close()
        await self._instances.close()
        await self._parts.stop(GATEWAY, MANAGER, EXPORT, SWITCHBOARD)
        # Stores tell the ledger their last accesses.
        await self._parts.stop(*self._stores.names)
        await self._parts.stop(AUTHORITY)
        await self._answers.leave()
        self._parts.close()
        await self._engine.close()
        self._pairs.close()
        self._code.forget()
        for name in ("operator.json", "processes"):
            (self._home.run / name).unlink(missing_ok=True)
        write_private(self._home.run / ENDED_WELL, b"")

    async def _ask(self, part: str, message: FromPart) -> Any:
        """Do what a part asks; it may, by `permitted`."""
        match message:
            case control.Connect(callee=callee):
                return await self._connect(part, callee)
            case control.BoxStatus():
                return self._state()
            case control.Dial(instance=name):
                return await self._instances.dial(name)
            case control.Setup(code=code, passphrase=passphrase, mode=mode):
                return await self._set_up(code, passphrase, automatic=mode == "automatic")
            case control.Unlock(passphrase=passphrase):
                return await self._unlock(passphrase)
            case control.Recover(recovery_code=code, passphrase=passphrase):
                return await self._recover(code, passphrase)
            case control.NewRecovery(passphrase=passphrase):
                return await self._new_recovery(passphrase)
            case _:
                return await self._components.ask(message)

    async def _connect(self, part: str, callee: str) -> socket.socket:
        if self._phase in ("new", "locked"):
            raise Unavailable("the box is locked", code="locked", remedy="Sign in to unlock it")
        return await self._reception.connect(part, callee)

    async def _set_up(self, code: str, passphrase: str, *, automatic: bool) -> control.SetupDone:
        async with self._opening:
            if self._phase != "new":
                raise Conflict("this box has an owner already", code="has-owner")
            self._code.check(code, time.monotonic())
            recovery = await asyncio.to_thread(self._keys.set_up, passphrase, automatic=automatic)
            self._code.forget()
            # A box that was never there did not end badly.
            self._ended_well = True
            if self._renewal is not None:
                self._renewal.cancel()
        await self._open_up()
        return control.SetupDone(recovery_code=recovery)

    async def _unlock(self, passphrase: str) -> None:
        self._tries.begin(time.monotonic())
        await asyncio.to_thread(self._keys.open_by_passphrase, passphrase)
        self._tries.right()
        await self._open_up()

    async def _recover(self, code: str, passphrase: str) -> None:
        self._tries.begin(time.monotonic())
        await asyncio.to_thread(self._keys.open_by_recovery, code, passphrase)
        self._tries.right()
        await self._open_up()
        # A first run that was cut short left keys but no account: then there is none to change.
        with contextlib.suppress(NotFound):
            await self._arbiter.replace_passphrase(passphrase)

    async def _new_recovery(self, passphrase: str) -> control.SetupDone:
        if self._phase != "running":
            raise Unavailable("the box is locked", code="locked", remedy="Sign in to unlock it")
        self._tries.begin(time.monotonic())
        code = await asyncio.to_thread(self._keys.draw_recovery_code, passphrase)
        self._tries.right()
        # In this order a fall in between leaves the old code good, and a wish to prove a new one.
        await self._arbiter.expect_recovery_code(code)
        self._keys.set_recovery_code(code)
        return control.SetupDone(recovery_code=code)

    async def _open_up(self) -> None:
        """With the keys at hand, start the rest. The gateway's callers wait until they are up."""
        async with self._opening:
            if self._phase == "running":
                return
            self._phase = "starting"
            try:
                await self._start_the_rest()
            except BaseException:
                # So that the next sign-in tries again, and its caller hears why it failed.
                self._phase = "locked"
                raise
            self._phase = "running"

    async def _start_the_rest(self) -> None:
        self._trust.open(self._keys)
        for spec in specs.unlocked(self._making()):
            self._add(spec)
        for caller, callees in STATIC_PAIRS.items():
            for callee in callees:
                self._reception.ensure(caller, callee)
        self._parts.keeper(AUTHORITY).tell(Event.START)
        await self._parts.keeper(AUTHORITY).awake(START_SECONDS)
        await self._introduce()
        for name in (SWITCHBOARD, EXPORT, MANAGER):
            self._parts.keeper(name).tell(Event.START)

    def _add(self, spec: PartSpec) -> None:
        # Opening may have stopped half way, and is then tried again.
        if self._parts.find(spec.name) is None:
            self._parts.add(spec, PART)

    async def _introduce(self) -> None:
        """Make parts and stores known to the arbiter before they come to it."""
        for name, kind in specs.KEYED.items():
            await self._arbiter.know(name, kind, specs.arbiter_key(self._keys, name))
        for store in self._stores.on_disk():
            await self._components.ensure_store(store)

    async def _operate(self) -> None:
        """Write the command line's way in. Each start of the authority ends the one before."""
        content = await self._arbiter.operator(self.address)
        write_private(self._home.run / "operator.json", content)

    def _making(self) -> specs.Making:
        return specs.Making(
            self._home, self._keys, self._trust.leaf, self._runtime, VERSION, self._started
        )

    def _started(self) -> str:
        """What the authority writes down of this start: it is asked at each of its own."""
        self._authority_starts += 1
        if self._authority_starts > 1:
            return STILL
        return CLEANLY if self._ended_well else AFTER_A_FALL

    def _state(self) -> BoxState:
        if self._phase == "running":
            for name in specs.UNLOCKED:
                life = self._parts.keeper(name).life
                if life.falls >= FAILING_FALLS and life.state is not State.RUNNING:
                    return BoxState(state="failing", detail=f"{name}: {life.reason}")
        return BoxState(state=self._phase)

    def _ready(self, part: Part) -> None:
        """A part serves: tell it what it could not hear while it was away."""
        self._reception.ready(part)
        match part.spec.name:
            case specs.GATEWAY:
                for door in self._doors:
                    part.send(Listener(caller="", callee=GATEWAY, kind="outer"), door)
            case specs.SWITCHBOARD:
                self._soon(self._instances.switchboard_ready)
                self._soon(self._components.tell_places)
            case specs.AUTHORITY:
                self._follow(self._operate())
            case specs.MANAGER:
                self._soon(self._tell_all)

    def _soon(self, tell: Callable[[], None]) -> None:
        # A moment later the part counts as running.
        asyncio.get_running_loop().call_soon(tell)

    def _changed(self, keeper: Keeper) -> None:
        self._reception.changed(keeper)
        self._tell(keeper)

    def _tell_all(self) -> None:
        for keeper in (*self._parts.keepers(), *self._instances.keepers()):
            self._tell(keeper)

    def _tell(self, keeper: Keeper) -> None:
        life = keeper.life
        told = self._parts.fares(keeper.name)
        state = InstanceState(
            name=keeper.name,
            state=life.state,
            reason=life.reason,
            catalogue=told.catalogue,
            trouble=told.trouble,
            remedy=told.remedy,
            since=told.since,
        )
        self._parts.send(MANAGER, state)

    def _route(
        self, message: control.Route | control.Unroute, listener: socket.socket | None
    ) -> None:
        if part := self._parts.serving(SWITCHBOARD):
            part.send(message, listener)

    def _renew_code(self) -> str:
        loop = asyncio.get_running_loop()
        self._renewal = loop.call_later(LIFETIME_SECONDS, self._renew_code)
        return self._code.renew(self.address, time.monotonic())

    def _follow(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            lines.failure(log, "work-fell", error)


def _take(marker: Path) -> bool:
    """Whether the last box ended well; from now on this one has not."""
    there = marker.exists()
    marker.unlink(missing_ok=True)
    return there
