"""Small requests: the newest reading, and one point at a time."""

from bench.store import asking, figures
from bench.store.asking import SOURCE
from bench.store.context import Bench, Plans, per_cpu_second, wait
from bench.store.figures import INFLUX, NGINX, OURS, UVICORN, VICTORIA


async def latest(bench: Bench) -> None:
    """One reading from memory, by a token seen before, its record durable before it leaves."""
    store = await bench.rack.store("latest-store")
    ours = await bench.ours(store)
    path = f"/{SOURCE}/ts/latest"
    point = bench.bodies.plan(store.request("POST", f"/{SOURCE}/ts"), b'{"data":21.5}')
    await bench.send(point)
    plans: Plans = {OURS: (ours, bench.bodies.plan(store.request("GET", path)))}
    for name in (NGINX, UVICORN):
        if server := bench.servers.get(name):
            # As long as ours: a token goes along.
            asked = server.request("GET", path, b"X-Api-Key: %b\r\n" % (b"x" * 280))
            plans[name] = (bench.peer(name), bench.bodies.plan(asked))
    bench.keep(figures.LATEST, await bench.alternate(plans, 32), per_cpu_second)


async def single_points(bench: Bench) -> None:
    """One point a request, another time each time, durable before the answer leaves."""
    for connections, goal, value in (
        (32, figures.POINT_32, per_cpu_second),
        (256, figures.POINT_256, per_cpu_second),
        (1, figures.POINT_1, wait),
    ):
        store = await bench.rack.store(f"points-{connections}-store")
        asked = store.request("POST", f"/{SOURCE}/ts", callers=-(-connections // 64))
        plan = bench.bodies.plan(asked, asking.our_point())
        plans: Plans = {OURS: (await bench.ours(store), plan)}
        for name, path, body in (
            (INFLUX, "/write?db=b&precision=ms", asking.line_point("one")),
            (VICTORIA, "/write?precision=ms", asking.line_point("one")),
            (UVICORN, "/write", asking.our_point()),
        ):
            server = bench.servers.get(name)
            if server and name in figures.goal(goal).beside:
                plan = bench.bodies.plan(server.request("POST", path), body)
                plans[name] = (bench.peer(name), plan)
        bench.keep(goal, await bench.alternate(plans, connections), value)
