"""What is asked of many points, once all have taken them in."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

from bench.store import asking, figures, lives, machine, points
from bench.store.asking import SOURCE, Queries
from bench.store.context import Bench, Plans, wait
from bench.store.figures import INFLUX, OURS, VICTORIA
from bench.store.ingest import WRITES
from bench.store.load import Request
from bench.store.machine import Meter
from bench.store.ours import Store
from bench.store.peers import say
from bench.store.points import HOUR, Batch

DAY = 24 * HOUR
QUIET = 0.1
"""Share of a core below which a database counts as having put its things in order."""
NAME = "many"


async def many_points(bench: Bench) -> None:
    """Fill, weigh, ask, and start anew."""
    hours = max(bench.scale.many // 3600, 1)
    end = int(time.time() * 1000) // HOUR * HOUR
    first = end - hours * HOUR
    everything = points.series(hours * 3600, first)
    store = await bench.rack.store("many-store")
    await _fill(bench, store, everything)
    await _settled(bench, store)
    await _sizes(bench, store, len(everything[0]))
    await _ask(bench, store, first, end)
    await _plain(bench, everything)
    await lives.memory_of_a_scan(bench, store, asking.our_queries(store).stretch(first, end))
    await lives.wakes(bench, figures.WAKE_FULL, store)


async def _fill(bench: Bench, store: Store, everything: Batch) -> None:
    """As fast as each takes it."""
    request = store.request("POST", f"/{SOURCE}/ts/columns", asking.COLUMNS)
    plan = bench.bodies.plan(request, *map(points.binary, points.batches(everything)))
    say(f"Filling in {len(everything[0])} points.")
    await bench.send(plan)
    plan.bodies.unlink()
    bodies = list(map(asking.lines_of(NAME), points.batches(everything)))
    for peer, path in WRITES.items():
        if server := bench.servers.get(peer):
            plan = bench.bodies.plan(server.request("POST", path), *bodies)
            await bench.send(plan)
            plan.bodies.unlink()


async def _settled(bench: Bench, store: Store) -> None:
    """Wait until nobody is busy with what it took in, or patience is over."""
    meters = [await bench.ours(store), *(bench.peer(n) for n in WRITES if n in bench.servers)]
    if VICTORIA in bench.servers:
        for path in ("/internal/force_flush", "/internal/force_merge"):
            await bench.send(bench.bodies.plan(bench.servers[VICTORIA].request("GET", path)))
    deadline = time.monotonic() + bench.scale.patience
    while time.monotonic() < deadline:
        before = sum(each.seconds() for each in meters)
        await asyncio.sleep(1)
        if sum(each.seconds() for each in meters) - before < QUIET:
            return


async def _sizes(bench: Bench, store: Store, count: int) -> None:
    """Bytes of files. Ours asleep, so that nothing is left in a log; the reserve holds no data."""
    await bench.rack.sleep(store)
    reserve = store.folder / "reserve"
    kept = machine.disk_bytes(reserve) if reserve.exists() else 0
    sizes = {OURS: machine.disk_bytes(store.folder) - kept}
    for name in WRITES:
        if server := bench.servers.get(name):
            sizes[name] = machine.disk_bytes(server.folder)
    for name, size in sizes.items():
        bench.samples[figures.SIZE][name] = [size / count]


async def _ask(bench: Bench, store: Store, first: int, end: int) -> None:
    middle = first + (end - first) // 2
    tenth = (end - first) // 10
    day = max(end - DAY, first)
    asked: dict[str, Callable[[Queries], Request]] = {
        figures.RANGE: lambda each: each.stretch(middle, middle + tenth),
        figures.HOURS_DAY: lambda each: each.hours(day, end),
        figures.P95_DAY: lambda each: each.tops(day, end),
        figures.HOURS_ALL: lambda each: each.hours(first, end),
        figures.P95_ALL: lambda each: each.tops(first, end),
    }
    for goal, make in asked.items():
        with bench.trying(goal):
            plans: Plans = {}
            for name, (meter, queries) in (await _askable(bench, store)).items():
                plans[name] = (meter, bench.bodies.plan(make(queries)))
            bench.keep(goal, await bench.alternate(plans, 1, bench.scale.slow), wait)


async def _plain(bench: Bench, everything: Batch) -> None:
    """The same without a server, one kind after the other."""
    if bench.python is None:
        return
    folder = bench.bodies.folder
    for name, numbers in zip(("times", "values"), everything, strict=True):
        numbers.tofile(folder / name)
    for kind in (figures.SQLITE, figures.DUCKDB):
        process = await asyncio.create_subprocess_exec(
            *("taskset", "--cpu-list", str(bench.core), str(bench.python)),
            *(str(Path(__file__).with_name("plain.py")), kind, str(folder)),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        for name, values in json.loads(output or b"{}").items():
            bench.samples[_PLAIN[name]][kind] = values


_PLAIN = {
    "post": figures.POINT_1,
    "ingest": figures.BINARY_COLUMNS,
    "size": figures.SIZE,
    "range": figures.RANGE,
    "hours-day": figures.HOURS_DAY,
    "hours-all": figures.HOURS_ALL,
    "p95-day": figures.P95_DAY,
    "p95-all": figures.P95_ALL,
}


async def _askable(bench: Bench, store: Store) -> dict[str, tuple[Meter, Queries]]:
    found = {OURS: (await bench.ours(store), asking.our_queries(store))}
    if influx := bench.servers.get(INFLUX):
        found[INFLUX] = (bench.peer(INFLUX), asking.influx_queries(influx, NAME))
    if victoria := bench.servers.get(VICTORIA):
        # It makes a name of measurement and field.
        asked = asking.victoria_queries(victoria, f"{NAME}_value")
        found[VICTORIA] = (bench.peer(VICTORIA), asked)
    return found
