"""The same work in the words of each server: request heads, and files of bodies."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from bench.store import points
from bench.store.load import Plan, Request, write_records
from bench.store.ours import Store
from bench.store.peers import Server
from bench.store.points import HOUR, Batch

JSON, COLUMNS = "application/json", "application/vnd.databox.columns"
SOURCE = "load"
STAMP = "@" * 13
"""The load generator puts a time here, another one each time."""

Query = Callable[[int, int], Request]
"""A request for a stretch, from and until, Unix ms; the end is not within."""


@dataclass(frozen=True, slots=True)
class Queries:
    """How a server is asked. `hours`: min, max, mean and count; `tops`: the 95th percentile."""

    stretch: Query
    hours: Query
    tops: Query


class Bodies:
    """Files of bodies below a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.nothing = write_records(folder / "nothing", b"")

    def plan(self, request: Request, *bodies: bytes) -> Plan:
        """A plan with these bodies; without any, one without a body."""
        if not bodies:
            return Plan(request, self.nothing)
        path = self.folder / f"{len(list(self.folder.iterdir()))}.bodies"
        return Plan(request, write_records(path, *bodies))


def lines_of(name: str) -> Callable[[Batch], bytes]:
    """Encodes a batch as lines of one measurement."""
    return lambda batch: points.lines(name, batch)


def our_point() -> bytes:
    """A point for the store, with a place for its time."""
    return b'{"timestamp":%b,"data":21.5}' % STAMP.encode()


def line_point(name: str) -> bytes:
    """The same in the line protocol."""
    return f"{name} value=21.5 {STAMP}".encode()


def our_queries(store: Store) -> Queries:
    """Our richer interface, with one token for all of a kind."""

    def get(path: str, **query: object) -> Request:
        return store.request("GET", f"/{SOURCE}/ts/{path}?{urlencode(query)}")

    def windows(first: int, end: int, of: str) -> Request:
        return get("windows", **{"from": first, "to": end - 1, "every": "PT1H", "of": of})

    return Queries(
        stretch=lambda first, end: get("points", **{"from": first, "to": end - 1}),
        hours=lambda first, end: windows(first, end, "min,max,mean,count"),
        tops=lambda first, end: windows(first, end, "p95"),
    )


def influx_queries(server: Server, name: str) -> Queries:
    """InfluxQL; the answers are JSON with times in ms."""

    def select(what: str, first: int, end: int, group: str = "") -> Request:
        where = f"time >= {first}ms AND time < {end}ms"
        query = f"SELECT {what} FROM {name} WHERE {where}{group}"
        return server.request("GET", f"/query?{urlencode({'db': 'b', 'epoch': 'ms', 'q': query})}")

    hourly = " GROUP BY time(1h)"
    four = "min(value), max(value), mean(value), count(value)"
    return Queries(
        stretch=lambda first, end: select("value", first, end),
        hours=lambda first, end: select(four, first, end, hourly),
        tops=lambda first, end: select("percentile(value, 95)", first, end, hourly),
    )


def victoria_queries(server: Server, name: str) -> Queries:
    """MetricsQL, without its cache of answers: others have none."""
    four = '("min_over_time","max_over_time","avg_over_time","count_over_time")'

    def hourly(query: str, first: int, end: int) -> Request:
        # A value stands for the hour before its time.
        span = {"start": (first + HOUR) // 1000, "end": end // 1000, "step": "1h", "nocache": "1"}
        return server.request("GET", f"/api/v1/query_range?{urlencode({'query': query, **span})}")

    def stretch(first: int, end: int) -> Request:
        query = {"match[]": name, "start": first / 1000, "end": (end - 1) / 1000}
        return server.request("GET", f"/api/v1/export?{urlencode(query)}")

    return Queries(
        stretch=stretch,
        hours=lambda first, end: hourly(f"aggr_over_time({four}, {name}[1h])", first, end),
        tops=lambda first, end: hourly(f"quantile_over_time(0.95, {name}[1h])", first, end),
    )
