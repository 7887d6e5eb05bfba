"""Ten thousand points a request, in order of time, on one connection."""

from collections.abc import Awaitable, Callable

from bench.store import asking, figures, points
from bench.store.asking import SOURCE
from bench.store.context import Bench, points_per_cpu_second
from bench.store.figures import INFLUX, OURS, VICTORIA
from bench.store.load import Outcome, Request
from bench.store.machine import Meter
from bench.store.points import HOUR, Batch
from bench.store.rounds import Contestant, alternate

FIRST = 1_700_000_000_000 // HOUR * HOUR
WRITES = {INFLUX: "/write?db=b&precision=ms", VICTORIA: "/write?precision=ms"}
Encode = Callable[[Batch], bytes]
Way = tuple[Request, Encode]
"""A request, and how its body is made."""


async def ingest(bench: Bench) -> None:
    """Both forms, each beside the databases."""
    await _form(bench, figures.JSON_COLUMNS, "json", asking.JSON, points.columns)
    await _form(bench, figures.BINARY_COLUMNS, "binary", asking.COLUMNS, points.binary)


async def _form(bench: Bench, goal: str, name: str, kind: str, encode: Encode) -> None:
    windows = bench.scale.windows + 1
    everything = points.series(windows * bench.scale.batches * points.BATCH, FIRST)
    store = await bench.rack.store(f"{name}-store")
    way = (store.request("POST", f"/{SOURCE}/ts/columns", kind), encode)
    sender = _sender(bench, await bench.ours(store), way, everything)
    contestants = [Contestant(OURS, *sender)]
    for peer, path in WRITES.items():
        server = bench.servers.get(peer)
        if server and peer in figures.goal(goal).beside:
            way = (server.request("POST", path), asking.lines_of(name))
            sender = _sender(bench, bench.peer(peer), way, everything)
            contestants.append(Contestant(peer, *sender))
    found = await alternate(contestants, bench.scale.windows, bench.scale.settle)
    bench.keep(goal, found, points_per_cpu_second)


def _sender(
    bench: Bench, meter: Meter, way: Way, everything: Batch
) -> tuple[Meter, Callable[[int], Awaitable[Outcome]]]:
    request, encode = way
    size = bench.scale.batches * points.BATCH
    parts = points.batches(everything, size)
    plans = [bench.bodies.plan(request, *map(encode, points.batches(part))) for part in parts]

    async def window(number: int) -> Outcome:
        return await bench.send(plans[number])

    return meter, window
