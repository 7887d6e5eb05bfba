"""A store that is killed, or whose disk is full, loses nothing that it has acknowledged."""

import asyncio
import base64
import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.store import running
from tests.conformance.store.running import DRIVER, KEY, token

from databox.kit.http.client import Connection
from databox.kit.http.message import Response
from databox.store import audit
from databox.store.file import StoreFile
from databox.store.readings import EARLIEST, LATEST
from databox.wire.errors import DataboxError

WRITERS = 8
FIRST = 1_500_000_000_000


def start(folder: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, running.__file__, str(folder), DRIVER],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


async def write_until_it_dies(folder: Path, name: int, acknowledged: set[tuple[int, int]]) -> None:
    """Write readings one after the other, and note each that was acknowledged."""
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(str(folder / f"{DRIVER}.sock"))
    connected.setblocking(False)
    connection = Connection(connected)
    key = token(DRIVER, "POST", "/load/ts")
    number = 0
    try:
        while True:
            # Each has a moment of its own: of two for one moment the later is kept.
            moment = FIRST + number * WRITERS + name
            body = json.dumps({"timestamp": moment, "data": [name, number]}).encode()
            response = await connection.request("POST", "/load/ts", {"x-api-key": key}, body)
            if response.status != 200:
                return
            acknowledged.add((name, number))
            number += 1
    except (DataboxError, OSError):
        return
    finally:
        connection.close()


def stored(folder: Path) -> set[tuple[int, int]]:
    file = StoreFile(folder / "store.db", KEY)
    reader = file.reader()
    batches = reader.readings("load", EARLIEST, LATEST)
    found = [tuple(json.loads(each.data)) for batch in batches for each in batch]
    assert len(set(found)) == len(found)
    assert audit.broken_at(reader.chain()) is None
    reader.close()
    file.close()
    return {(name, number) for name, number in found}


@pytest.mark.parametrize("delay", [0.05, 0.2, 0.5])
def test_kill_9_while_writing_loses_nothing_acknowledged(tmp_path: Path, delay: float) -> None:
    acknowledged: set[tuple[int, int]] = set()

    async def story(process: subprocess.Popen[bytes]) -> None:
        writers = [
            asyncio.create_task(write_until_it_dies(tmp_path, name, acknowledged))
            for name in range(WRITERS)
        ]
        await asyncio.sleep(delay)
        process.send_signal(signal.SIGKILL)
        await asyncio.gather(*writers)

    with start(tmp_path) as process:
        asyncio.run(story(process))
    assert acknowledged
    assert acknowledged <= stored(tmp_path)
    with start(tmp_path) as again:
        again.kill()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB in a mount namespace of this thread alone."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    yield disk


def mount_small(disk: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newns, ms_rec_private = 0x20000, 0x44000
    for result in (
        libc.unshare(clone_newns),
        libc.mount(None, b"/", None, ms_rec_private, None),
        libc.mount(b"none", os.fsencode(disk), b"tmpfs", 0, b"size=24m"),
    ):
        if result != 0:
            raise OSError(ctypes.get_errno(), "cannot mount")


async def fill_and_recover(disk: Path) -> dict[str, object]:
    """Fill the disk by writing, look what is still answered, make room, and write again."""
    seen: dict[str, object] = {}
    async with running.running(disk) as store:
        written = 0
        while (response := await write_much(store, FIRST + written)).status == 200:
            written += 1
        seen["refusal"] = (response.status, b"full" in response.body)
        latest = [await store.ask("GET", "/load/ts/latest") for _ in range(200)]
        seen["reads"] = {each.status for each in latest}
        seen["status"] = (await store.ask("GET", "/status", key="")).body
        (disk / "ballast").unlink()
        await asyncio.sleep(1.1)
        again = await store.ask("POST", "/load/ts", {"data": "again"}, caller=DRIVER)
        seen["again"] = again.status
    file = StoreFile(disk / "store.db", KEY)
    reader = file.reader()
    seen["kept"] = reader.count("load", EARLIEST, LATEST) - written - 1
    seen["chain"] = audit.broken_at(reader.chain())
    return seen


async def write_much(store: running.Running, moment: int) -> Response:
    """Write a document that hardly becomes smaller when it is packed."""
    body = {"timestamp": moment, "data": base64.b64encode(os.urandom(75_000)).decode()}
    return await store.ask("POST", "/load/ts", body, caller=DRIVER)


@pytest.mark.root
def test_a_full_disk_refuses_writes_keeps_reads_and_recovers(small_disk: Path) -> None:
    seen: dict[str, object] = {}

    def in_a_namespace() -> None:
        # unshare works on one thread, so the other tests keep their view of the disk.
        mount_small(small_disk)
        (small_disk / "ballast").write_bytes(bytes(8 * 1024 * 1024))
        seen.update(asyncio.run(fill_and_recover(small_disk)))

    thread = threading.Thread(target=in_a_namespace)
    thread.start()
    thread.join(60)
    assert seen == {
        "refusal": (507, True),
        "reads": {200},
        "status": b"standby",
        "again": 200,
        "kept": 0,
        "chain": None,
    }


async def ask(folder: Path, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    """One request of the driver."""
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(str(folder / f"{DRIVER}.sock"))
    connected.setblocking(False)
    connection = Connection(connected)
    try:
        content = b"" if body is None else json.dumps(body).encode()
        key = {"x-api-key": token(DRIVER, method, path)}
        response = await connection.request(method, path, key, content)
        return response.status, response.body
    finally:
        connection.close()


def test_a_disk_that_reports_errors_refuses_says_why_and_recovers(tmp_path: Path) -> None:
    """No file of the store may grow, as on a disk that breaks: every write to one is an error."""

    async def story(process: int) -> None:
        latest = "/load/ts/latest"
        assert (await ask(tmp_path, "POST", "/load/ts", {"data": "before"}))[0] == 200
        resource.prlimit(process, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        for method, path, body in (("POST", "/load/ts", {"data": "lost"}), ("GET", latest, None)):
            status, answer = await ask(tmp_path, method, path, body)
            assert (status, b"the disk reports an error" in answer) == (503, True)
        assert (await ask(tmp_path, "GET", "/status"))[1] == b"standby"
        no_limit = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(process, resource.RLIMIT_FSIZE, no_limit)
        await asyncio.sleep(1.1)
        assert (await ask(tmp_path, "POST", "/load/ts", {"data": "after"}))[0] == 200
        assert json.loads((await ask(tmp_path, "GET", latest))[1])[0]["data"] == "after"

    with start(tmp_path) as process:
        asyncio.run(story(process.pid))
        process.kill()
    file = StoreFile(tmp_path / "store.db", KEY)
    reader = file.reader()
    kept = [
        json.loads(each.data)
        for batch in reader.readings("load", EARLIEST, LATEST)
        for each in batch
    ]
    assert kept == ["before", "after"]
    assert audit.broken_at(reader.chain()) is None
    reader.close()
    file.close()
