"""What every part of the measurement works with, and how it asks."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.store import points
from bench.store.asking import Bodies
from bench.store.figures import Samples
from bench.store.load import Generator, LoadError, Outcome, Plan
from bench.store.machine import Meter
from bench.store.ours import Rack, Store
from bench.store.peers import Server
from bench.store.rounds import Contestant, Window, alternate


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured. `seconds`: of a window; `many`: points that are queried.

    `batches`: of 10,000 points in a window of ingest; `slow`: windows of what takes seconds a
    request; `stores`: that idle; `settle`: seconds after which work put off counts no more;
    `patience`: seconds for databases to put in order what they have.
    """

    windows: int
    seconds: float
    many: int
    batches: int
    slow: int
    stores: int
    settle: float
    patience: float


FULL = Scale(
    windows=7,
    seconds=1.0,
    many=10_000_000,
    batches=30,
    slow=3,
    stores=10,
    settle=2.0,
    patience=60.0,
)
QUICK = Scale(
    windows=5, seconds=0.3, many=1_000_000, batches=8, slow=3, stores=5, settle=1.0, patience=5.0
)
TINY = Scale(
    windows=1, seconds=0.05, many=20_000, batches=1, slow=1, stores=2, settle=0.0, patience=0.0
)
"""To see that all of it works."""

Value = Callable[[Window], float]


@dataclass(slots=True)
class Bench:
    """`core`: of what is measured; `servers`: the peers that are there.

    `python`: an interpreter with the packages of the plain ways, if there is one. `others`: as
    `samples` by the other clock, which is processor time of waits and wall time of rates.
    """

    scale: Scale
    core: int
    rack: Rack
    generator: Generator
    bodies: Bodies
    servers: dict[str, Server]
    python: Path | None
    samples: Samples
    others: Samples
    missing: list[str]

    async def send(self, plan: Plan) -> Outcome:
        """Send each body once, on one connection."""
        return await self.generator.run(plan, connections=1, seconds=0)

    async def ours(self, store: Store) -> Meter:
        """Wake a store. Its own processor time and the authority's count."""
        await self.rack.awake(store)
        return Meter(lambda: filter(None, (self.rack.pid(store), self.rack.authority)))

    def peer(self, name: str) -> Meter:
        """The processor time of a peer that is there."""
        server = self.servers[name]
        return Meter(lambda: server.pids)

    async def alternate(
        self, plans: "Plans", connections: int, windows: int | None = None
    ) -> dict[str, list[Window]]:
        """Ask each for a window's time in turn."""
        stamp = int(time.time() * 1000)

        def contestant(name: str, meter: Meter, plan: Plan) -> Contestant:
            async def window(number: int) -> Outcome:
                return await self.generator.run(
                    plan,
                    connections=connections,
                    seconds=self.scale.seconds,
                    # Times of two windows never meet: nobody takes a million points in one.
                    first=stamp + 1_000_000 * number,
                )

            return Contestant(name, meter, window)

        contestants = [contestant(name, *plan) for name, plan in plans.items()]
        return await alternate(contestants, windows or self.scale.windows, self.scale.settle)

    @contextmanager
    def trying(self, what: str) -> Iterator[None]:
        """Go on without what a server does not answer, and tell so."""
        try:
            yield
        except LoadError as error:
            self.missing.append(f"{what}: {error}")

    def keep(self, goal: str, found: dict[str, list[Window]], value: Value) -> None:
        """Keep what a round gave, also by the other clock."""
        other = processor_time if value is wait else per_second
        for name, windows in found.items():
            self.samples[goal][name] = [value(window) for window in windows]
            self.others[goal][name] = [other(window) for window in windows]


Plans = dict[str, tuple[Meter, Plan]]
"""By who is asked: whose time counts, and what is asked."""


def per_cpu_second(window: Window) -> float:
    """Answers for a second of processor time."""
    return window.outcome.count / window.cpu


def points_per_cpu_second(window: Window) -> float:
    """Points taken in for a second of processor time."""
    return points.BATCH * window.outcome.count / window.cpu


def wait(window: Window) -> float:
    """What one answer takes, ms."""
    return window.outcome.p50


def processor_time(window: Window) -> float:
    """What one answer takes of a core, ms."""
    return 1000 * window.cpu / window.outcome.count


def per_second(window: Window) -> float:
    """Answers for a second of anybody's time."""
    return window.outcome.count / window.outcome.seconds
