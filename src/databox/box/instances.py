"""Instances of drivers and apps: what the manager wants to run, carried out by an engine."""

import asyncio
import base64
import binascii
import contextlib
import logging
import shutil
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from databox.box.fetch import INTO as FETCHED
from databox.box.home import Home
from databox.box.keeper import Hands, Keeper
from databox.box.lifecycle import Ended, Event, Policy, State
from databox.box.pairs import TLS, TWINS_INSIDE
from databox.box.permitted import check_instance
from databox.box.reception import Reception
from databox.box.runtime import Runtime
from databox.box.trust import Trust
from databox.box.uids import Uids
from databox.box.waiting import while_taken
from databox.engines import Engine, Exit, ExitReason, Run
from databox.kit import log as lines
from databox.switchboard.places import Place, parse
from databox.wire.control import Route, StartInstance, Unroute
from databox.wire.errors import BadRequest, Conflict, DataboxError, NotFound, Unavailable
from databox.wire.runspec import HostName, RunSpec

log = logging.getLogger(__name__)

PORT = 443
GRACE_SECONDS = 5.0
READY_SECONDS = 60.0
DIAL_SECONDS = 20.0
MOST_NAMES = 200
POLLS = (0.01, 0.5)
"""Seconds between looks at the port of an instance that starts: the first pause, the longest."""

ToSwitchboard = Callable[[Route | Unroute, socket.socket | None], None]
_KEY_BYTES = 32


@dataclass(slots=True)
class Line:
    """A name inside a sandbox: its address there, and where the switchboard joins it to."""

    host: HostName
    route: Route
    listener: socket.socket | None = None


@dataclass(slots=True)
class Instance:
    """One instance: what was asked for, and what there is."""

    wanted: StartInstance
    secret: bytes
    lines: dict[str, Line] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    run: Run | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> str:
        """Its name."""
        return self.wanted.name


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What instances are made from."""

    home: Home
    uids: Uids
    engine: Engine
    reception: Reception
    trust: Trust
    runtime: Runtime


class Instances:
    """Keeps every instance that the manager wants."""

    def __init__(
        self,
        around: Surroundings,
        switchboard: ToSwitchboard,
        changed: Callable[[Keeper], None],
    ) -> None:
        self._around = around
        self._switchboard = switchboard
        self._changed = changed
        self._all: dict[str, Instance] = {}
        self._keepers: dict[str, Keeper] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._follow(self._events())

    async def start(self, wanted: StartInstance) -> None:
        """Run this from now on; its pairs are there. What runs just so already is left alone.

        Raises:
            BadRequest: the manager asked for something that no component may have.
            NotFound: the package was not adopted.
        """
        check_instance(wanted)
        present = self._all.get(wanted.name)
        wanted = msgspec.structs.replace(wanted, id=0)
        if present and present.wanted == wanted and self._alive(wanted.name):
            return
        instance = self._new(wanted)
        if present:
            await self._keepers[wanted.name].stop()
        self._all[wanted.name] = instance
        self._keepers[wanted.name] = self._keeper(instance)
        self._keepers[wanted.name].tell(Event.START)

    async def stop(self, name: str) -> None:
        """Stop it and keep it stopped.

        Raises:
            NotFound: there is no such instance.
        """
        await self.keeper(name).stop()

    async def remove(self, name: str) -> None:
        """Stop it and delete what it wrote and printed. One that is not there is no error."""
        if name in self._keepers:
            await self._keepers[name].stop()
            del self._keepers[name], self._all[name]
        shutil.rmtree(self._around.home.instances / name, ignore_errors=True)
        # What it printed may tell what it saw.
        printed = self.log_file(name)
        for file in (printed, printed.with_name(f"{printed.name}.1")):
            file.unlink(missing_ok=True)

    async def peer_added(self, caller: str, callee: str) -> None:
        """A pair was made: a running caller gets the callee's address at once."""
        instance = self._all.get(caller)
        if instance is None or callee in instance.lines:
            return
        line = self._peer_line(instance, callee)
        instance.lines[callee] = line
        # A start that is under way opens the lines that it saw; what came later is opened here.
        async with instance.turn:
            run = instance.run
            wanted = instance.lines.get(callee) is line and line.listener is None
            if wanted and run is not None and run.exit is None:
                await while_taken(lambda: self._open_line(run, line))

    def peer_dropped(self, caller: str, callee: str) -> None:
        """A pair ends: nobody listens at the callee's address any more."""
        instance = self._all.get(caller)
        if instance and (line := instance.lines.pop(callee, None)):
            self._close_line(line)

    def switchboard_ready(self) -> None:
        """A new switchboard knows no routes yet: it gets all of them."""
        for instance in self._all.values():
            for line in instance.lines.values():
                if line.listener is not None:
                    self._switchboard(line.route, line.listener)

    async def dial(self, name: str) -> socket.socket:
        """A connection to an instance's own web port.

        Raises:
            NotFound: there is no such instance, or it has no screen.
            Unavailable: it does not run.
        """
        keeper = self.keeper(name)
        web = self._all[name].wanted.web
        if web is None:
            raise NotFound("it has no screen of its own", field="instance", found=name)
        await keeper.awake(DIAL_SECONDS)
        run = self._all[name].run
        if run is None:
            raise Unavailable("it has just ended", code="not-running", found=name)
        return await run.dial(web.port)

    def keeper(self, name: str) -> Keeper:
        """The keeper of an instance.

        Raises:
            NotFound: there is no such instance.
        """
        try:
            return self._keepers[name]
        except KeyError as error:
            raise NotFound("nothing of this name runs", field="name", found=name[:80]) from error

    def keepers(self) -> tuple[Keeper, ...]:
        """All of them."""
        return tuple(self._keepers.values())

    def running(self) -> list[tuple[Keeper, Run | None]]:
        """Every instance with its run."""
        return [(keeper, self._all[name].run) for name, keeper in self._keepers.items()]

    def packages(self) -> frozenset[str]:
        """Every package that an instance runs from."""
        return frozenset(instance.wanted.package for instance in self._all.values())

    def log_file(self, name: str) -> Path:
        """Where an instance's output is."""
        return self._around.home.instance_logs / f"{name}.log"

    async def close(self) -> None:
        """Stop all of them."""
        await asyncio.gather(*(keeper.stop() for keeper in self._keepers.values()))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _alive(self, name: str) -> bool:
        return self._keepers[name].state in (State.STARTING, State.RUNNING)

    def _new(self, wanted: StartInstance) -> Instance:
        package = self._around.home.packages / wanted.package
        if not package.is_dir():
            raise NotFound("this package was not adopted", field="package", found=wanted.package)
        instance = Instance(wanted, _decode_key(wanted.arbiter_key))
        for peer in dict.fromkeys(wanted.peers):
            instance.lines[peer] = self._peer_line(instance, peer)
        for place in dict.fromkeys(parse(text) for text in wanted.outside):
            instance.lines[str(place)] = self._outside_line(instance, place)
        return instance

    def _keeper(self, instance: Instance) -> Keeper:
        policy = Policy(
            once=instance.wanted.once,
            # Without a screen there is nothing to wait for.
            ready_within=READY_SECONDS if instance.wanted.web else 0.0,
        )
        hands = Hands(
            lambda: self._spawn(instance),
            lambda: self._end(instance, GRACE_SECONDS),
            lambda: self._follow(self._end(instance, 0.0)),
        )
        return Keeper(instance.name, policy, hands, self._changed)

    async def _spawn(self, instance: Instance) -> None:
        async with instance.turn:

            async def prepare(run: Run) -> None:
                for line in tuple(instance.lines.values()):
                    await self._open_line(run, line)

            try:
                instance.run = await self._around.engine.start(self._spec(instance), prepare)
            except BaseException:
                self._close_lines(instance)
                raise
        self._follow(self._wait_until_ready(instance, instance.run))

    async def _end(self, instance: Instance, grace: float) -> None:
        # A start that is under way comes first; then there is something to end.
        async with instance.turn:
            if instance.run is not None:
                await self._around.engine.stop(instance.run, grace)

    async def _wait_until_ready(self, instance: Instance, run: Run) -> None:
        web = instance.wanted.web
        pause, longest = POLLS
        while web is not None and run.exit is None:
            with contextlib.suppress(DataboxError, OSError):
                (await run.dial(web.port)).close()
                break
            await asyncio.sleep(pause)
            pause = min(longest, pause * 1.5)
        if run.exit is None:
            self._keepers[instance.name].tell(Event.READY)

    async def _events(self) -> None:
        async for run in self._around.engine.events():
            instance = self._all.get(run.spec.name)
            if instance is None or instance.run is not run:
                continue
            self._close_lines(instance)
            instance.run = None
            assert run.exit is not None
            self._keepers[instance.name].tell(_judge(run.exit))

    def _spec(self, instance: Instance) -> RunSpec:
        around, wanted = self._around, instance.wanted
        uid = around.uids.of(wanted.name)
        peers = [name for name in instance.lines if not instance.lines[name].route.outside]
        secrets = around.trust.secrets(wanted.name, peers)
        return RunSpec(
            name=wanted.name,
            command=wanted.command,
            code=around.home.packages / wanted.package,
            var=self._var(wanted.name, uid),
            peers=around.reception.folder(wanted.name, uid),
            shared=around.runtime.shared,
            environment={**wanted.environment, **self._python()},
            secrets={**secrets, "ARBITER_TOKEN": instance.secret},
            names=tuple(line.host for line in instance.lines.values()),
            web=wanted.web,
            proc=wanted.proc,
            limits=wanted.limits,
            uid=uid,
            log=self.log_file(wanted.name),
        )

    def _python(self) -> dict[str, str]:
        # Unbuffered: what an app prints is in its log at once, not when it ends.
        path = f"{self._around.runtime.python_path}:/app/{FETCHED}"
        return {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}

    def _var(self, name: str, uid: int | None) -> Path:
        folder = self._around.home.instances / name
        folder.mkdir(mode=0o711, exist_ok=True)
        folder.chmod(0o700 if uid is None else 0o711)
        (folder / "var").mkdir(mode=0o700, exist_ok=True)
        return folder / "var"

    def _peer_line(self, instance: Instance, callee: str) -> Line:
        twin = TWINS_INSIDE / instance.name / f"{callee}{TLS}"
        host = HostName(name=callee, address=_address(instance, callee), port=PORT)
        return Line(host, Route(caller=instance.name, name=callee, pair=str(twin)))

    def _outside_line(self, instance: Instance, place: Place) -> Line:
        host = HostName(name=place.host, address=_address(instance, str(place)), port=place.port)
        return Line(host, Route(caller=instance.name, name=str(place), outside=str(place)))

    async def _open_line(self, run: Run, line: Line) -> None:
        line.listener = await run.listen(line.host.address, line.host.port)
        self._switchboard(line.route, line.listener)

    def _close_lines(self, instance: Instance) -> None:
        for line in instance.lines.values():
            self._close_line(line)

    def _close_line(self, line: Line) -> None:
        if line.listener is not None:
            line.listener.close()
            line.listener = None
            self._switchboard(Unroute(caller=line.route.caller, name=line.route.name), None)

    def _follow(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            lines.failure(log, "instances-fell", error)


def _decode_key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("the arbiter key is not base64", field="arbiter_key") from error
    if len(key) != _KEY_BYTES:
        raise BadRequest("the arbiter key must have 32 bytes", field="arbiter_key")
    return key


def _address(instance: Instance, name: str) -> str:
    """The loopback address of a name, the same as long as the instance lives.

    The names inside were written down when it started: one that goes and comes back must be where
    it was, and no other may be there meanwhile. 127.0.0.1 is the app's own.

    Raises:
        Conflict: it has too many names already.
    """
    if name not in instance.addresses:
        if len(instance.lines) >= MOST_NAMES:
            raise Conflict("it may reach too many names", field="peers", found=f"{MOST_NAMES}")
        block, number = divmod(len(instance.addresses), 250)
        instance.addresses[name] = f"127.0.{block}.{number + 2}"
    return instance.addresses[name]


def _judge(end: Exit) -> Ended:
    clean = end.code == 0 and end.reason is ExitReason.EXITED
    if end.detail:
        return Ended(clean, f"{end.reason}: {end.detail}")
    return Ended(clean, f"{end.reason} with code {end.code}")
