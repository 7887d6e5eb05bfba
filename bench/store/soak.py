"""Stores under a mixed load for a long time: do they stay as they were?

`python -m bench.store.soak --seconds 1200` starts ten stores as the box does, asks them fifty
things a second, and prints as JSON how long answers took, what went wrong, and how memory and open
files went. A wait counts from when the request was due, so a store that falls behind shows it.
"""

import argparse
import asyncio
import json
import os
import random
import socket
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.store import machine
from bench.store.ours import Rack, Store, rack

from databox.kit.http.client import Connection
from databox.wire.errors import DataboxError

SOURCES, RATE = 10, 50.0
SEED = 7
PAST = 1_600_000_000_000
"""Columns go there, second after second; single points come now."""
COLUMN = 100
SAMPLES = 120
"""Looks at memory and files over the whole time."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request. `weight`: how often it comes, of all that are asked."""

    name: str
    weight: int
    method: str
    path: str
    make: Callable[["Source"], tuple[str, bytes | None]]
    """Gives the query and the body."""


@dataclass(slots=True)
class Line:
    """One caller's connection to a store, for one question at a time."""

    caller: str
    connection: Connection
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class Source:
    """One source in a store of its own; who writes, who reads, and who follows it.

    `heard`: bytes that the follower got.
    """

    store: Store
    lines: dict[str, Line]
    tail: Line
    written: int = 0
    heard: int = 0


def _now() -> int:
    return int(time.time() * 1000)


def _point(source: Source) -> tuple[str, bytes]:
    source.written += 1
    return "", json.dumps({"timestamp": _now(), "data": 20 + source.written % 50 / 10}).encode()


def _columns(source: Source) -> tuple[str, bytes]:
    first = PAST + source.written * COLUMN * 1000
    source.written += 1
    times = [first + 1000 * n for n in range(COLUMN)]
    return "", json.dumps({"timestamps": times, "data": [n / 8 for n in range(COLUMN)]}).encode()


QUESTIONS = (
    Question("write", 30, "POST", "/load/ts", _point),
    Question("columns", 8, "POST", "/past/ts/columns", _columns),
    Question("latest", 25, "GET", "/load/ts/latest", lambda _: ("", None)),
    Question("points", 8, "GET", "/load/ts/points", lambda _: (f"?from={_now() - 60_000}", None)),
    Question(
        "range",
        5,
        "GET",
        "/load/ts/range",
        lambda _: (f"?startTimestamp={_now() - 60_000}&endTimestamp={_now()}", None),
    ),
    Question(
        "windows",
        8,
        "GET",
        "/past/ts/windows",
        lambda _: (f"?from={PAST}&every=PT1H&of=min,max,mean,p95", None),
    ),
    Question(
        "kv write", 8, "POST", "/state/kv", lambda s: ("", json.dumps({"n": s.written}).encode())
    ),
    Question("kv read", 8, "GET", "/state/kv", lambda _: ("", None)),
)


@dataclass(slots=True)
class Soak:
    """What a soak gathers. `waits`: ms by kind; `samples`: MB and open files of each process."""

    seconds: float
    waits: dict[str, list[float]] = field(default_factory=dict)
    wrong: Counter[str] = field(default_factory=Counter)
    samples: list[dict[str, tuple[float, int]]] = field(default_factory=list)

    async def run(self, rack: Rack) -> None:
        """Ask for the whole time, follow every source, and look at the processes meanwhile."""
        sources = [await _source(rack, number) for number in range(SOURCES)]
        beside = [asyncio.create_task(self._follow(source)) for source in sources]
        beside.append(asyncio.create_task(self._look(rack, sources)))
        await self._ask_all(sources)
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        for source in sources:
            for line in (*source.lines.values(), source.tail):
                line.connection.close()
            if not source.heard:
                self.wrong["a tail that told nothing"] += 1

    async def _ask_all(self, sources: list[Source]) -> None:
        """Begin each question when it is due, whatever became of the ones before."""
        chosen = random.Random(SEED)
        weights = [each.weight for each in QUESTIONS]
        began = time.monotonic()
        async with asyncio.TaskGroup() as asked:
            for number in range(int(self.seconds * RATE)):
                due = began + number / RATE
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                [question] = chosen.choices(QUESTIONS, weights)
                asked.create_task(self._ask(sources[number % SOURCES], question, due))

    async def _ask(self, source: Source, question: Question, due: float) -> None:
        line = source.lines[question.method]
        async with line.turn:
            query, body = question.make(source)
            key = source.store.token(line.caller, question.method, question.path)
            headers = {"x-api-key": key, "content-type": "application/json"}
            path = question.path + query
            try:
                answer = await line.connection.request(question.method, path, headers, body)
            except DataboxError as error:
                self.wrong[f"{question.name}: {error}"] += 1
                return
        if answer.status != 200:
            self.wrong[f"{question.name}: {answer.status} {answer.body[:200]!r}"] += 1
        self.waits.setdefault(question.name, []).append(1000 * (time.monotonic() - due))

    async def _follow(self, source: Source) -> None:
        path = "/load/ts/tail"
        key = source.store.token(source.tail.caller, "GET", path)
        answer = await source.tail.connection.stream("GET", path, {"x-api-key": key})
        async for part in answer.chunks:
            source.heard += len(part)
        self.wrong["a tail that ended"] += 1

    async def _look(self, rack: Rack, sources: list[Source]) -> None:
        while True:
            processes = {each.store.name: rack.pid(each.store) for each in sources}
            processes["authority"] = rack.authority
            self.samples.append({name: _state(pid) for name, pid in processes.items()})
            await asyncio.sleep(max(0.5, self.seconds / SAMPLES))

    def report(self) -> dict[str, object]:
        """Everything in numbers."""
        every = [wait for waits in self.waits.values() for wait in waits]
        return {
            "seconds": self.seconds,
            "answered": len(every),
            "wrong": dict(self.wrong.most_common(20)),
            "p50": share(every, 0.5),
            "p99": share(every, 0.99),
            "kinds": {
                name: {"count": len(each), "p50": share(each, 0.5), "p99": share(each, 0.99)}
                for name, each in sorted(self.waits.items())
            },
            "processes": {name: self._course(name) for name in self.samples[-1]},
            "load": os.getloadavg(),
        }

    def _course(self, name: str) -> dict[str, object]:
        memory = [sample[name][0] for sample in self.samples]
        files = [sample[name][1] for sample in self.samples]
        # What is still being filled at the beginning, such as caches, is no leak.
        settled = memory[len(memory) // 4 :]
        return {
            "memory": memory[:: max(1, len(memory) // 12)],
            "growth": growth(settled),
            "files first": files[len(files) // 4],
            "files last": files[-1],
        }


def growth(values: list[float]) -> float:
    """How much a line through the values, which are as far apart as each other, rises in all."""
    if len(values) < 2:
        return 0.0
    return statistics.linear_regression(range(len(values)), values).slope * (len(values) - 1)


def share(values: list[float], part: float) -> float:
    """The value that so large a part of all does not pass."""
    return sorted(values)[int(part * (len(values) - 1))] if values else 0.0


async def _source(rack: Rack, number: int) -> Source:
    store = await rack.store(f"soak-{number}-store")
    await rack.awake(store)
    driver, app, *_ = store.paths
    lines = {"POST": await _line(store, driver), "GET": await _line(store, app)}
    source = Source(store, lines, await _line(store, app))
    # Nothing is asked for that was never written.
    for question in QUESTIONS:
        if question.method == "POST":
            await Soak(0)._ask(source, question, time.monotonic())
    return source


async def _line(store: Store, caller: str) -> Line:
    end = socket.socket(socket.AF_UNIX)
    end.setblocking(False)
    await asyncio.get_running_loop().sock_connect(end, str(store.paths[caller]))
    return Line(caller, Connection(end))


def _state(pid: int) -> tuple[float, int]:
    """Memory of a process that is its own alone, MB; and its open files, 0 if nobody may look."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    memory = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024
    files = 0
    with suppress(PermissionError):
        files = machine.open_files(pid)
    return memory, files


async def soak(seconds: float) -> dict[str, object]:
    """Soak stores on every core that there is."""
    done = Soak(seconds)
    async with rack(None) as opened:
        await done.run(opened)
    return done.report()


def main() -> int:
    """Soak, and print the report."""
    take = argparse.ArgumentParser(prog="bench.store.soak", description=__doc__)
    take.add_argument("--seconds", type=float, default=1200.0)
    report = asyncio.run(soak(take.parse_args().seconds))
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
