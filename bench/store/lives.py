"""Processes of stores: how fast they wake, what they take while idle and while they are read."""

import asyncio

from bench.store import figures, machine
from bench.store.asking import SOURCE
from bench.store.context import Bench
from bench.store.figures import OURS
from bench.store.load import Request
from bench.store.ours import Store

LOOK_SECONDS = 0.02


async def idle_stores(bench: Bench) -> None:
    """Several stores with some readings each, idle; what one of them takes."""
    stores = [await bench.rack.store(f"idle-{n}-store") for n in range(bench.scale.stores)]
    for store in stores:
        await _write(bench, store)
    await asyncio.sleep(bench.scale.settle)
    taken = [machine.pss(bench.rack.pid(store)) for store in stores]
    bench.samples[figures.IDLE_MEMORY][OURS] = taken
    await wakes(bench, figures.WAKE, stores[0])
    for store in stores:
        await bench.rack.sleep(store)


async def wakes(bench: Bench, goal: str, store: Store) -> None:
    """From a sleeping store's caller connecting to its answer, ms."""
    plan = bench.bodies.plan(store.request("GET", f"/{SOURCE}/ts/latest"))
    taken = []
    for _ in range(bench.scale.windows):
        await bench.rack.sleep(store)
        taken.append((await bench.send(plan)).p50)
    bench.samples[goal][OURS] = taken


async def memory_of_a_scan(bench: Bench, store: Store, asked: Request) -> None:
    """How far a store's memory grows while it gives everything it has, MB."""
    await bench.rack.sleep(store)
    pid = await bench.rack.awake(store)
    await _write(bench, store)
    before = machine.pss(pid)
    asking_all = asyncio.ensure_future(bench.send(bench.bodies.plan(asked)))
    most = before
    while not asking_all.done():
        await asyncio.sleep(LOOK_SECONDS)
        most = max(most, machine.pss(pid))
    await asking_all
    bench.samples[figures.SCAN_MEMORY][OURS] = [most - before]


async def _write(bench: Bench, store: Store) -> None:
    request = store.request("POST", f"/{SOURCE}/ts")
    await bench.send(bench.bodies.plan(request, b'{"data":21.5}'))
