"""Instances by an engine that only pretends: what is started, joined, restarted and removed."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from databox.box.home import Home, open_home
from databox.box.instances import Instances, Surroundings
from databox.box.keys import Keyring
from databox.box.lifecycle import State
from databox.box.pairs import Pairs
from databox.box.reception import Reception
from databox.box.runtime import Runtime
from databox.box.trust import Trust
from databox.box.uids import Uids
from databox.engines import Exit, ExitReason, Prepare, Run, Stats
from databox.wire.control import Route, StartInstance, Unroute
from databox.wire.errors import BadRequest, Conflict, NotFound
from databox.wire.runspec import Limits, RunSpec, WebPort

PACKAGE = "a" * 64
KEY = base64.b64encode(bytes(32)).decode()
WANTED = StartInstance(
    id=7,
    name="warm-home",
    kind="app",
    package=PACKAGE,
    command=("python3", "main.py"),
    environment={"DATABOX_LOCAL_NAME": "warm-home"},
    arbiter_key=KEY,
    peers=("arbiter", "hue-store"),
    outside=(),
    web=WebPort(),
    proc=False,
    limits=Limits(),
)


class PretendedRun:
    """A run that lives until it is told to end."""

    def __init__(self, spec: RunSpec) -> None:
        self.spec = spec
        self.pid = 1
        self.exit: Exit | None = None
        self.listening: list[tuple[str, int]] = []
        self.taken_for = 0

    async def wait(self) -> Exit:
        assert self.exit is not None
        return self.exit

    async def listen(self, address: str, port: int) -> socket.socket:
        if self.taken_for > 0:
            self.taken_for -= 1
            raise Conflict(f"{address}:{port} is taken")
        self.listening.append((address, port))
        return socket.socket(socket.AF_UNIX)

    async def dial(self, port: int) -> socket.socket:
        return socket.socket(socket.AF_UNIX)


class PretendedEngine:
    """Starts pretended runs."""

    name = "pretended"

    def __init__(self) -> None:
        self.runs: list[PretendedRun] = []
        self._ended: asyncio.Queue[Run] = asyncio.Queue()

    async def start(self, spec: RunSpec, prepare: Prepare | None = None) -> Run:
        run = PretendedRun(spec)
        self.runs.append(run)
        if prepare:
            await prepare(run)
        return run

    async def stop(self, run: Run, grace: float) -> Exit:
        return self.end(run, Exit(143, ExitReason.STOPPED))

    def end(self, run: Any, how: Exit) -> Exit:
        if run.exit is None:
            run.exit = how
            self._ended.put_nowait(run)
        return how

    async def events(self) -> AsyncIterator[Run]:
        while True:
            yield await self._ended.get()

    async def stats(self, run: Run) -> Stats:
        return Stats(0, 0, 0.0, 0, 0)


class World:
    """Everything around instances."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.engine = PretendedEngine()
        self.routes: list[Route | Unroute] = []
        keys = Keyring(home.keys)
        keys.set_up("four plain words here", automatic=False)
        trust = Trust(home.keys)
        trust.open(keys)
        self.pairs = Pairs(home, None)
        around = Surroundings(
            home,
            Uids(home.root / "uids", None),
            self.engine,  # type: ignore[arg-type]
            Reception(self.pairs, None),  # type: ignore[arg-type]
            trust,
            Runtime(((Path("/usr/lib"), "/opt/databox"),), Path("/")),
        )
        self.instances = Instances(around, lambda message, _: self.routes.append(message), print)

    @property
    def run(self) -> PretendedRun:
        return self.engine.runs[-1]

    async def started(self, wanted: StartInstance = WANTED) -> None:
        await self.instances.start(wanted)
        await self.instances.keeper(wanted.name).until(State.RUNNING)


Story = Callable[[World], Awaitable[None]]


@pytest.fixture
def tell(tmp_path: Path) -> Callable[[Story], None]:
    def tell(story: Story) -> None:
        async def run() -> None:
            home = open_home(tmp_path)
            (home.packages / PACKAGE).mkdir()
            world = World(home)
            async with asyncio.timeout(10):
                await story(world)
                await world.instances.close()
            world.pairs.close()

        asyncio.run(run())

    return tell


def test_instance_runs_with_its_names_and_secrets(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.started()
        spec = world.run.spec
        names = {host.name: (host.address, host.port) for host in spec.names}
        assert names == {"arbiter": ("127.0.0.2", 443), "hue-store": ("127.0.0.3", 443)}
        assert spec.secrets["ARBITER_TOKEN"] == bytes(32)
        assert set(spec.secrets) == {
            "ARBITER_TOKEN",
            "DATABOX_ROOT_CA",
            "DATABOX.pem",
            "DATABOX_PEM",
        }

    tell(story)


def test_each_name_is_joined_to_its_pair_before_the_app_runs(
    tell: Callable[[Story], None],
) -> None:
    async def story(world: World) -> None:
        await world.started()
        assert world.run.listening == [("127.0.0.2", 443), ("127.0.0.3", 443)]
        pairs = [route.pair for route in world.routes if isinstance(route, Route)]
        assert pairs == ["/pairs/warm-home/arbiter.tls", "/pairs/warm-home/hue-store.tls"]

    tell(story)


def test_name_that_comes_back_waits_for_its_own_address(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.started()
        world.instances.peer_dropped("warm-home", "hue-store")
        world.run.taken_for = 2
        await world.instances.peer_added("warm-home", "other-store")
        await world.instances.peer_added("warm-home", "hue-store")
        assert world.run.listening[2:] == [("127.0.0.4", 443), ("127.0.0.3", 443)]

    tell(story)


def test_outside_place_is_joined_to_the_outside(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        driver = msgspec.structs.replace(
            WANTED, kind="driver", peers=(), outside=("https://api.example:8443",)
        )
        await world.started(driver)
        assert world.run.listening == [("127.0.0.2", 8443)]
        (route,) = world.routes
        assert isinstance(route, Route)
        assert (route.outside, route.pair) == ("api.example:8443", "")

    tell(story)


@pytest.mark.parametrize(
    "change",
    [
        {"outside": ("http://api.example",)},
        {"outside": ("https://127.0.0.1",)},
        {"arbiter_key": "short"},
        {"arbiter_key": base64.b64encode(bytes(31)).decode()},
    ],
)
def test_unsound_wish_is_refused_before_anything_is_made(
    tell: Callable[[Story], None], change: dict[str, Any]
) -> None:
    async def story(world: World) -> None:
        with pytest.raises(BadRequest):
            await world.instances.start(msgspec.structs.replace(WANTED, **change))
        assert world.engine.runs == []

    tell(story)


def test_package_that_was_not_adopted_is_not_run(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        with pytest.raises(NotFound):
            await world.instances.start(msgspec.structs.replace(WANTED, package="b" * 64))

    tell(story)


def test_same_wish_again_leaves_the_instance_alone(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.started()
        await world.started(msgspec.structs.replace(WANTED, id=8))
        assert len(world.engine.runs) == 1

    tell(story)


def test_other_wish_restarts_the_instance(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.started()
        await world.started(msgspec.structs.replace(WANTED, environment={"NEW": "1"}))
        assert [run.exit is None for run in world.engine.runs] == [False, True]

    tell(story)


def test_instance_that_falls_comes_back(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.started()
        world.engine.end(world.run, Exit(1, ExitReason.EXITED))
        keeper = world.instances.keeper("warm-home")
        await keeper.until(State.WAITING)
        assert keeper.life.reason == "exited with code 1"
        await keeper.until(State.RUNNING)
        assert len(world.engine.runs) == 2

    tell(story)


def test_lines_of_a_fallen_instance_are_taken_down(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.started()
        world.routes.clear()
        world.engine.end(world.run, Exit(1, ExitReason.EXITED))
        await world.instances.keeper("warm-home").until(State.WAITING)
        gone = [route.name for route in world.routes if isinstance(route, Unroute)]
        assert gone == ["arbiter", "hue-store"]

    tell(story)


def test_new_peer_appears_while_the_instance_runs(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.started()
        await world.instances.peer_added("warm-home", "other-store")
        assert world.run.listening[-1] == ("127.0.0.4", 443)
        assert len(world.engine.runs) == 1

    tell(story)


def test_dropped_peer_is_unreachable_at_once(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.started()
        world.instances.peer_dropped("warm-home", "hue-store")
        assert world.routes[-1] == Unroute(caller="warm-home", name="hue-store")

    tell(story)


def test_new_switchboard_gets_every_route(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.started()
        before = list(world.routes)
        world.routes.clear()
        world.instances.switchboard_ready()
        assert world.routes == before

    tell(story)


def test_removed_instance_leaves_nothing(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.started()
        (world.home.instances / "warm-home" / "var" / "diary").write_text("private")
        await world.instances.remove("warm-home")
        assert list(world.home.instances.iterdir()) == []
        with pytest.raises(NotFound):
            world.instances.keeper("warm-home")

    tell(story)


def test_what_an_instance_printed_goes_with_it_and_no_neighbours(
    tell: Callable[[Story], None],
) -> None:
    async def story(world: World) -> None:
        await world.started()
        names = ("warm-home.log", "warm-home.log.1", "warm-home-two.log")
        for name in names:
            (world.home.instance_logs / name).write_text("ate at noon")
        await world.instances.remove("warm-home")
        left = [file.name for file in world.home.instance_logs.iterdir()]
        assert left == ["warm-home-two.log"]

    tell(story)


def test_instance_without_a_screen_runs_but_cannot_be_dialled(
    tell: Callable[[Story], None],
) -> None:
    async def story(world: World) -> None:
        await world.started(msgspec.structs.replace(WANTED, web=None))
        with pytest.raises(NotFound):
            await world.instances.dial("warm-home")

    tell(story)
