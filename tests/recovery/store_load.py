"""A store in a process of its own, clients that use it, and what they may hold it to."""

import asyncio
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.conformance.store import running
from tests.conformance.store.running import APP, DRIVER, KEY, token

from databox.kit.http.client import Connection
from databox.store import audit
from databox.store.file import Reader, StoreFile
from databox.store.readings import EARLIEST, LATEST
from databox.wire.errors import DataboxError

NUMBERS, DOCUMENTS, COLUMNS = SOURCES = "temperature", "message", "power"
_AT_ONCE, _TIMES = 1200, 4
"""Points of one request that writes columns, enough to make blocks, and such requests of a life."""
_KEYS = ("scene", "rule")
_WRITERS = 6


def value_of(source: str, t: int) -> object:
    """What is written at a time, so that a point that was mixed up shows."""
    return {"n": t, "text": "word " * (t % 40)} if source == DOCUMENTS else t % 1000 / 4


@dataclass(slots=True)
class Promises:
    """What clients sent, and what they were told is so.

    `sent`, `kept`: times by source; `shown`: what readers and subscribers were sent, with its
    value. `gone`: times among columns of which the deletion was acknowledged. `sets`: the last
    number acknowledged under each key, and the last one sent. `count`: acknowledged requests.
    """

    sent: dict[str, set[int]] = field(default_factory=lambda: {name: set() for name in SOURCES})
    kept: dict[str, set[int]] = field(default_factory=lambda: {name: set() for name in SOURCES})
    gone: set[int] = field(default_factory=set)
    count: int = 0
    shown: dict[int, object] = field(default_factory=dict)
    sets: dict[str, tuple[int, int]] = field(default_factory=dict)
    times: Iterator[int] = field(default_factory=lambda: itertools.count(time.time_ns() // 10**6))


@dataclass(frozen=True, slots=True)
class Found:
    """What is in a store's file: points by source and time, numbers by key."""

    points: dict[str, dict[int, object]]
    sets: dict[str, int]

    def keep(self, promises: Promises) -> None:
        """Check that nothing acknowledged or shown is missing, and nothing is there by itself."""
        for source, points in self.points.items():
            assert promises.kept[source] <= points.keys(), "an acknowledged point is gone"
            assert points.keys() <= promises.sent[source], "nobody sent that point"
            assert all(value == value_of(source, t) for t, value in points.items())
        assert not promises.gone & self.points[COLUMNS].keys(), "a deleted point is back"
        numbers = self.points[NUMBERS]
        assert all(numbers.get(t) == value for t, value in promises.shown.items())
        for key, (kept, sent) in promises.sets.items():
            assert kept <= self.sets[key] <= sent, "an acknowledged value is gone"


class StoreProcess:
    """One run of the store on a folder: its service, writer and file, behind its sockets."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, running.__file__, str(folder), DRIVER, APP],
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    async def ready(self) -> None:
        """Wait for the first answer."""
        while True:
            assert self._process.poll() is None, "the store did not open"
            with suppress(DataboxError, OSError), closing(self._connect(APP)) as connection:
                await _get(connection, f"/{NUMBERS}/ts/latest")
                return
            await asyncio.sleep(0.005)

    def kill(self) -> None:
        """What a power cut is to a process."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    async def serve(self, promises: Promises) -> None:
        """Be used by all kinds of clients until it dies."""
        sources = itertools.cycle((NUMBERS, DOCUMENTS))
        clients = [self._write(next(sources), promises) for _ in range(_WRITERS)]
        clients += [self._set(key, promises) for key in _KEYS]
        clients += [self._read(promises), self._listen(promises), self._pour(promises)]
        await asyncio.gather(*map(_until_it_dies, clients))

    async def _write(self, source: str, promises: Promises) -> None:
        path = f"/{source}/ts"
        headers = {"x-api-key": token(DRIVER, "POST", path)}
        with closing(self._connect(DRIVER)) as connection:
            for t in promises.times:
                promises.sent[source].add(t)
                body = json.dumps({"data": value_of(source, t), "timestamp": t}).encode()
                response = await connection.request("POST", path, headers, body)
                assert response.status == 200, response.body
                promises.kept[source].add(t)
                promises.count += 1

    async def _pour(self, promises: Promises) -> None:
        """Write columns, and take every other one away again, all but its ends."""
        with closing(self._connect(DRIVER)) as connection:
            for number in range(_TIMES):
                times = list(itertools.islice(promises.times, _AT_ONCE))
                promises.sent[COLUMNS] |= set(times)
                data = [value_of(COLUMNS, t) for t in times]
                await _post(connection, "columns", {"timestamps": times, "data": data})
                promises.kept[COLUMNS] |= set(times)
                promises.count += 1
                if number % 2:
                    inner = set(times[1:-1])
                    promises.kept[COLUMNS] -= inner
                    await _post(connection, "delete", {"from": times[1], "to": times[-2]})
                    promises.gone |= inner

    async def _set(self, key: str, promises: Promises) -> None:
        path = f"/{key}/kv"
        headers = {"x-api-key": token(DRIVER, "POST", path)}
        with closing(self._connect(DRIVER)) as connection:
            while True:
                kept, sent = promises.sets.get(key, (0, 0))
                promises.sets[key] = kept, sent + 1
                body = str(sent + 1).encode()
                response = await connection.request("POST", path, headers, body)
                assert response.status == 200, response.body
                promises.sets[key] = sent + 1, sent + 1
                promises.count += 1

    async def _read(self, promises: Promises) -> None:
        with closing(self._connect(APP)) as connection:
            while True:
                newest = await _get(connection, f"/{NUMBERS}/ts/latest")
                since = newest[0]["timestamp"] - 20 if newest else 0
                path = f"/{NUMBERS}/ts/since?startTimestamp={since}"
                for each in await _get(connection, path):
                    promises.shown[each["timestamp"]] = each["data"]

    async def _listen(self, promises: Promises) -> None:
        opening = {"x-api-key": token(APP, "GET", "/ws")}
        events = await self._connect(APP).websocket("/ws", opening)
        path = f"/sub/{NUMBERS}/ts"
        with closing(self._connect(APP)) as connection:
            headers = {"x-api-key": token(APP, "GET", path)}
            response = await connection.request("GET", path, headers)
            assert response.status == 200, response.body
        while isinstance(event := await events.receive(), str):
            told = json.loads(event)
            promises.shown[told["timestamp"]] = told["data"]

    def _connect(self, caller: str) -> Connection:
        connected = socket.socket(socket.AF_UNIX)
        try:
            connected.connect(str(self._folder / f"{caller}.sock"))
        except OSError:
            connected.close()
            raise
        connected.setblocking(False)
        return Connection(connected)


def found_on(folder: Path, copy: Path) -> Found:
    """What a store's files hold, seen in a copy of them, so that the store meets them as it left.

    Raises:
        Unavailable: they do not open.
        AssertionError: the chain of accesses does not verify.
    """
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for name in ("store.db", "store.db-wal"):
        with suppress(FileNotFoundError):
            shutil.copyfile(folder / name, copy / name)
    file = StoreFile(copy / "store.db", KEY)
    with closing(file), closing(file.reader()) as reader:
        assert audit.broken_at(reader.chain()) is None
        return Found(
            {source: dict(_points(reader, source)) for source in SOURCES},
            {key: _number(reader.value(key)) for key in _KEYS},
        )


def _points(reader: Reader, source: str) -> Iterator[tuple[int, object]]:
    for batch in reader.readings(source, EARLIEST, LATEST):
        for each in batch:
            yield each.t, json.loads(each.data)


def _number(value: tuple[bytes, str] | None) -> int:
    return int(value[0]) if value else 0


async def _post(connection: Connection, what: str, body: object) -> None:
    path = f"/{COLUMNS}/ts/{what}"
    headers = {"x-api-key": token(DRIVER, "POST", path)}
    response = await connection.request("POST", path, headers, json.dumps(body).encode())
    assert response.status == 200, response.body


async def _until_it_dies(client: Coroutine[None, None, None]) -> None:
    with suppress(DataboxError, OSError):
        await client


async def _get(connection: Connection, path: str) -> list[dict[str, Any]]:
    key = token(APP, "GET", path.partition("?")[0])
    response = await connection.request("GET", path, {"x-api-key": key})
    assert response.status == 200, response.body
    answer: list[dict[str, Any]] = json.loads(response.body)
    return answer
