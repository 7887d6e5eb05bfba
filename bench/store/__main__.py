"""`python -m bench.store`: measure all of it and print the table."""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.store import checks, figures, ingest, lives, machine, many, peers, small
from bench.store.asking import Bodies
from bench.store.context import FULL, QUICK, TINY, Bench, Scale
from bench.store.figures import INFLUX, NGINX, UVICORN, VICTORIA, Samples
from bench.store.load import Generator
from bench.store.ours import rack
from bench.store.peers import Server, say
from bench.store.report import Report

Part = Callable[[Bench], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Section:
    """Parts that go on with the same peers, which are started for them."""

    peers: tuple[str, ...]
    parts: tuple[Part, ...]


SECTIONS = (
    Section((), (checks.token_checks, lives.idle_stores)),
    Section((NGINX, UVICORN), (small.latest,)),
    Section((INFLUX, VICTORIA, UVICORN), (small.single_points, ingest.ingest)),
    # Anew: what the other parts wrote would be counted and put in order here.
    Section((INFLUX, VICTORIA), (many.many_points,)),
)


def main() -> int:
    """Measure and print."""
    take = argparse.ArgumentParser(prog="bench.store", description=__doc__)
    take.add_argument("--quick", action="store_const", dest="scale", const=QUICK, default=FULL)
    take.add_argument("--tiny", action="store_const", dest="scale", const=TINY)
    take.add_argument("--alone", action="store_true", help="without peers")
    take.add_argument("--only", metavar="PART", help="one part alone, by its name")
    take.add_argument("--json", metavar="FILE", type=Path, help="write everything there as JSON")
    take.add_argument("--place", metavar="FOLDER", type=Path, help="where fetched programs are")
    words = take.parse_args()
    try:
        report = asyncio.run(Run(words.scale, words.place, alone=words.alone).all(words.only))
    except KeyboardInterrupt:
        return 130
    print("\n".join(report.lines()))
    if words.json:
        report.save(words.json)
    return 0


class Run:
    """One run. `place`: where the peers' programs are, or are fetched to."""

    def __init__(self, scale: Scale, place: Path | None, *, alone: bool) -> None:
        self._scale = scale
        self._place = place
        self._alone = alone
        self._missing: list[str] = []
        self._samples: Samples = {each.name: {} for each in figures.GOALS}
        self._others: Samples = {each.name: {} for each in figures.GOALS}
        self._core, load_core = machine.cores()
        self._load_core = load_core

    async def all(self, only: str | None) -> Report:
        """Every part, or the one named."""
        before, cores = os.getloadavg(), len(os.sched_getaffinity(0))
        if self._place and not self._alone:
            peers.fetch(self._place)
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            generator = Generator(Path(name), self._load_core)
            for section in SECTIONS:
                parts = [each for each in section.parts if only in (None, each.__name__)]
                if parts:
                    await self._section(section.peers, parts, generator)
        averages = [before, os.getloadavg()]
        return Report(
            rows=figures.rows(self._samples, self._others),
            missing=self._missing,
            load=generator.language,
            averages=averages,
            cores=cores,
        )

    async def _section(
        self, names: tuple[str, ...], parts: list[Part], generator: Generator
    ) -> None:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
            servers = {} if self._alone else stack.enter_context(self._servers(names, folder))
            async with rack(self._core) as ours:
                # The harness itself may not get in the way of what is measured.
                os.sched_setaffinity(0, {self._load_core})
                for part in parts:
                    bodies = Bodies(Path(folder) / "bodies")
                    bench = Bench(
                        self._scale,
                        self._core,
                        ours,
                        generator,
                        bodies,
                        servers,
                        None if self._alone else peers.environment(self._place),
                        self._samples,
                        self._others,
                        self._missing,
                    )
                    await self._part(part, bench)

    async def _part(self, part: Part, bench: Bench) -> None:
        say(f"{part.__name__.replace('_', ' ')} …")
        with bench.trying(part.__name__):
            await part(bench)

    @contextmanager
    def _servers(self, names: tuple[str, ...], folder: str) -> Iterator[dict[str, Server]]:
        found: dict[str, Server] = {}
        with ExitStack() as stack:
            for name in names:
                place = Path(folder) / name
                place.mkdir()
                started = peers.start(name, self._place, place, self._core)
                if started is None:
                    self._missing.append(f"{name} is not on this machine")
                else:
                    found[name] = stack.enter_context(started)
            yield found


if __name__ == "__main__":
    sys.exit(main())
