"""Large objects through a whole box, and through falls: kept whole or not at all."""

import asyncio
import hashlib
import http.client
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.conformance.store import running
from tests.conformance.store.running import DRIVER, KEY, token
from tests.recovery.conftest import make_home
from tests.recovery.running import RunningBox, soon
from tests.recovery.test_store_recovery import mount_small, start

from databox.kit.http.client import Connection
from databox.kit.http.wire import Body
from databox.store.file import StoreFile
from databox.store.objects import files
from databox.store.objects.files import Content, Scratch
from databox.store.objects.stored import Stored
from databox.wire.errors import DataboxError

STORE = "/api/stores/os-monitor-store"
VIDEO = b"a canary sings in the mine; " * 1_500_000
"""42 MB."""


# A whole box: the owner, the gateway, and a store behind its walls.


@pytest.fixture(scope="module")
def box() -> Iterator[RunningBox]:
    for home in make_home():
        with RunningBox(home) as box:
            box.set_up()
            box.install("os-monitor")
            soon(box.readings, within=20)
            yield box


def call(
    box: RunningBox, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """One call of the owner's, with any body and headers."""
    port = int(box.address.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    sent |= {"Host": box.address.removeprefix("http://"), **box.proof(method, path)}
    try:
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        told = {name.lower(): value for name, value in response.headers.items()}
        return response.status, told, response.read()
    finally:
        connection.close()


def in_the_folder(box: RunningBox) -> list[Path]:
    return sorted((box.home / "stores/os-monitor-store/objects").iterdir())


def memory(box: RunningBox, part: str) -> int:
    """The most that a part has had, KiB."""
    lines = Path(f"/proc/{box.pid_of(part)}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def test_the_owner_keeps_a_video_in_a_store_behind_its_walls(box: RunningBox) -> None:
    parts = ("gateway", "os-monitor-store")
    before = {part: memory(box, part) for part in parts}
    status, _, told = call(box, "POST", f"{STORE}/video/object", VIDEO, Content_Type="video/mp4")
    assert status == 200, told
    assert hashlib.sha512(VIDEO).hexdigest().encode() in told
    status, headers, body = call(box, "GET", f"{STORE}/video/object")
    assert (status, body == VIDEO) == (200, True)
    assert headers["content-type"] == "video/mp4"
    assert headers["content-disposition"] == "attachment"
    for part in parts:
        assert memory(box, part) - before[part] < 24_000, part
    (file,) = in_the_folder(box)
    assert b"canary" not in file.read_bytes()
    assert file.stat().st_uid == (box.home / "stores/os-monitor-store/store.db").stat().st_uid

    status, headers, body = call(box, "GET", f"{STORE}/video/object", Range="bytes=1000-1999")
    assert (status, body) == (206, VIDEO[1000:2000])
    assert headers["content-range"] == f"bytes 1000-1999/{len(VIDEO)}"
    status, headers, body = call(box, "HEAD", f"{STORE}/video/object")
    assert (status, headers["content-length"], body) == (200, str(len(VIDEO)), b"")
    status, _, _ = call(box, "GET", f"{STORE}/video/object", If_None_Match=headers["etag"])
    assert status == 304

    status, _, body = call(box, "GET", f"{STORE}/objects")
    assert (status, b'"key":"video"' in body) == (200, True)
    path = f"{STORE}/video/object/delete"
    assert call(box, "POST", path, b"{}", Content_Type="application/json")[0] == 200
    assert in_the_folder(box) == []
    assert call(box, "GET", f"{STORE}/video/object")[0] == 404


def test_another_page_cannot_upload(box: RunningBox) -> None:
    path = f"{STORE}/photo/object"
    for site in ("cross-site", "same-site"):
        headers = {"Content_Type": "image/jpeg", "Sec_Fetch_Site": site}
        assert call(box, "POST", path, b"x" * 100, **headers)[0] == 403
    assert call(box, "GET", path)[0] == 404


def test_what_the_owner_did_is_told(box: RunningBox) -> None:
    call(box, "POST", f"{STORE}/photo/object", b"x" * 1000, Content_Type="image/jpeg")

    def told() -> bool:
        rows = box.get("/api/history?limit=100")["rows"]
        return any("photo" in str(row["entry"]) for row in rows)

    soon(told, within=25)


def test_an_object_of_a_forgotten_source_goes_with_it(box: RunningBox) -> None:
    call(box, "POST", f"{STORE}/gone/object", VIDEO[:500_000], Content_Type="video/mp4")
    assert in_the_folder(box)
    status, answer = box.call("POST", "/api/components/os-monitor/uninstall", {"keep": False})
    assert status == 200, answer
    assert not (box.home / "stores/os-monitor-store").exists()


# A store that is killed while objects come.


async def upload_until_it_dies(
    folder: Path, name: int, acknowledged: dict[str, bytes], size: int
) -> None:
    number = 0
    try:
        while True:
            key, content = f"{name}-{number}", os.urandom(size)
            connected = socket.socket(socket.AF_UNIX)
            connected.connect(str(folder / f"{DRIVER}.sock"))
            connected.setblocking(False)
            connection = Connection(connected)
            path = f"/{key}/object"
            sent = {"x-api-key": token(DRIVER, "POST", path, grant="own")}
            try:
                answer = await connection.stream("POST", path, sent, Body(slowly(content), size))
                if answer.status != 200:
                    return
                acknowledged[key] = content
            finally:
                connection.close()
            number += 1
    except (DataboxError, OSError):
        return


async def slowly(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), 50_000):
        yield content[at : at + 50_000]
        await asyncio.sleep(0)


@pytest.mark.parametrize("delay", [0, 0.2, 0.6])
def test_kill_9_during_uploads_loses_nothing_acknowledged_and_leaves_nothing_else(
    tmp_path: Path, delay: float
) -> None:
    acknowledged: dict[str, bytes] = {}

    async def story() -> None:
        with start(tmp_path) as process:
            uploads = [
                asyncio.create_task(upload_until_it_dies(tmp_path, name, acknowledged, size))
                for name, size in enumerate([1_000, 100_000, 700_000, 3_000_000])
            ]
            async with asyncio.timeout(20):
                while not acknowledged:
                    await asyncio.sleep(0.005)
            await asyncio.sleep(delay)
            process.send_signal(signal.SIGKILL)
            await asyncio.gather(*uploads)

    asyncio.run(story())
    asyncio.run(swept(tmp_path))
    found = stored(tmp_path)
    assert acknowledged
    for key, content in acknowledged.items():
        assert read(tmp_path, found[key]) == content
    there = {each.name for each in (tmp_path / "objects").iterdir()}
    assert there == {each.name.hex() for each in found.values()}


async def swept(folder: Path) -> None:
    """A start, in which what is left over is looked for."""
    async with running.running(folder) as store:
        await store.store._answers.shelf.sweep()


def stored(folder: Path) -> dict[str, Stored]:
    file = StoreFile(folder / "store.db", KEY)
    reader = file.reader()
    found = {each.key: each.stored for each in reader.objects.listed("", "", 10_000)}
    reader.close()
    file.close()
    return found


def read(folder: Path, stored: Stored) -> bytes:
    content, scratch = Content(folder / "objects", stored), Scratch()
    parts, at = [], 0
    while at < stored.size:
        parts.append(content.part(at, stored.size, scratch))
        at += len(parts[-1])
    content.close()
    return b"".join(parts)


# A full disk.


async def ask_for(
    store: running.Running, key: str, content: bytes, *, known: bool = True
) -> tuple[int, bytes]:
    path = f"/{key}/object"
    headers = {"x-api-key": token(DRIVER, "POST", path, grant="own")}
    body = Body(slowly(content), len(content) if known else None)
    answer = await store.connect(DRIVER).stream("POST", path, headers, body)
    told = b"".join([part async for part in answer.chunks])
    return answer.status, told


async def fill(disk: Path, left_free: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Bring objects in until the disk refuses, look what there is, make room, and go on."""
    monkeypatch.setattr(files, "LEFT_FREE", left_free)
    seen: dict[str, object] = {}
    photo = os.urandom(1_000_000)
    async with running.running(disk) as store:
        kept = 0
        while (answer := await ask_for(store, f"photo-{kept}", os.urandom(1_000_000)))[0] == 200:
            kept += 1
        seen["refused"] = (answer[0], b"disk" in answer[1])
        unknown = await ask_for(store, "unknown", os.urandom(3_000_000), known=False)
        seen["refused without a length"] = unknown[0]
        await asyncio.sleep(0.2)
        seen["files"] = len(list((disk / "objects").iterdir())) - kept
        seen["state"] = (await store.ask("GET", "/status", key="")).body
        seen["reads"] = (await store.ask("GET", "/photo-0/object")).status
        path = "/photo-0/object/delete"
        assert (await store.ask("POST", path, caller=DRIVER)).status == 200
        seen["again"] = (await ask_for(store, "again", photo))[0]
    seen["whole"] = read(disk, stored(disk)["again"]) == photo
    return seen


@pytest.mark.root
@pytest.mark.parametrize("left_free", [0, 8_000_000])
def test_a_full_disk_refuses_objects_and_leaves_nothing_of_them(
    tmp_path: Path, left_free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, object] = {}

    def alone() -> None:
        mount_small(tmp_path)
        seen.update(asyncio.run(fill(tmp_path, left_free, monkeypatch)))

    thread = threading.Thread(target=alone)
    thread.start()
    thread.join()
    assert seen == {
        "refused": (507, True),
        "refused without a length": 507,
        "files": 0,
        "state": b"active",
        "reads": 200,
        "again": 200,
        "whole": True,
    }
