"""However long an answer is, the store holds a bounded part of it."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.conformance.store.running import APP, KEY, token

from databox.kit.http.client import Connection
from databox.store.file import NewColumns, StoreFile

ROOT = Path(__file__).parents[3]
BINARY = "application/vnd.databox.columns"
MIB = 1024 * 1024
MOST = 64 * MIB
"""Over what the idle store takes."""
FEW, MANY = 500_000, 10_000_000
AT_ONCE = 100_000
PAGE = 1_000_000


def fill(folder: Path, count: int) -> None:
    file = StoreFile(folder / "store.db", KEY)
    chance = np.random.default_rng(1)
    for first in range(0, count, AT_ONCE):
        times = (np.arange(first, first + AT_ONCE, dtype="<i8") * 1000).tobytes()
        values = np.round(chance.normal(20, 3, AT_ONCE), 2).tobytes()
        file.commit({}, [NewColumns("load", "", times, values)], 0)
        while file.maintain():
            pass
    file.close()


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """A store as a process of its own; gives its number."""
    program = str(Path(__file__).with_name("running.py"))
    process = subprocess.Popen(
        [sys.executable, program, str(folder), APP],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
    )
    assert process.stdout
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def resident(process: int, field: str) -> int:
    """Bytes of memory now (`VmRSS`) or at most (`VmHWM`)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


async def size_of(folder: Path, path: str, accept: str = "") -> int:
    """Read an answer as it comes; gives its length."""
    connection = await _connect(folder)
    headers = {"x-api-key": token(APP, "GET", path.partition("?")[0])}
    if accept:
        headers["accept"] = accept
    answer = await connection.stream("GET", path, headers)
    assert answer.status == 200
    size = 0
    async for part in answer.chunks:
        size += len(part)
    connection.close()
    return size


async def _connect(folder: Path) -> Connection:
    connected = socket.socket(socket.AF_UNIX)
    connected.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connected, str(folder / f"{APP}.sock"))
    return Connection(connected)


async def read_all(folder: Path, count: int) -> None:
    """All points in binary, as readings, and page by page."""
    assert await size_of(folder, "/load/ts/points", BINARY) >= 16 * count
    assert await size_of(folder, "/load/ts/since?startTimestamp=0") >= 60 * count
    for first in range(0, count, PAGE):
        assert await size_of(folder, f"/load/ts/points?from={first * 1000}&limit={PAGE}") > PAGE
    assert await size_of(folder, "/load/ts/windows?every=PT1M&of=median,sd") > count // 60


def check(folder: Path, count: int) -> None:
    fill(folder, count)
    with serving(folder) as process:
        asyncio.run(size_of(folder, "/load/ts/latest"))
        idle = resident(process, "VmRSS")
        asyncio.run(read_all(folder, count))
        assert resident(process, "VmHWM") - idle < MOST


def test_half_a_million_points_leave_in_bounded_memory(tmp_path: Path) -> None:
    check(tmp_path, FEW)


@pytest.mark.slow
def test_ten_million_points_leave_in_bounded_memory(tmp_path: Path) -> None:
    check(tmp_path, MANY)
