"""A box whose disk is full says so, does nothing by halves, and goes on once there is room.

A folder of its home is a small file system of its own, in a mount namespace that only this box has.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.recovery.conftest import make_home
from tests.recovery.running import RunningBox, command, soon
from tests.recovery.speaking import MAIN, RUN, Spoken, install, upload

pytestmark = pytest.mark.root
MEBIBYTE = 1024 * 1024
BALLAST = "ballast"


class SmallBox(RunningBox):
    """A box with `megabytes` for one folder of its home."""

    def __init__(self, home: Path, folder: str, megabytes: int) -> None:
        self.home = home
        self.place = disk = home / folder
        disk.mkdir(parents=True)
        script = 'mount -t tmpfs -o "size=$1" none "$0"; shift; exec "$@"'
        words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
        super().__init__(home, start=[*words, str(disk), f"{megabytes}m", *self.command()])
        # Its own view of the disk is not ours.
        self.disk = Path(f"/proc/{self.process.pid}/root{disk}")

    def command(self) -> list[str]:
        """How the box itself is started."""
        return command(self.home)

    def fill(self) -> None:
        """Leave no byte free."""
        with (self.disk / BALLAST).open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        found = os.statvfs(self.disk)
        assert found.f_bavail == 0

    def make_room(self) -> None:
        """Give back what was filled."""
        (self.disk / BALLAST).unlink()


# The disk of the stores.


@pytest.fixture(scope="module")
def stores() -> Iterator[tuple[SmallBox, Spoken]]:
    for home in make_home():
        with SmallBox(home, "stores", 24) as box:
            box.set_up()
            yield box, install(box, "diary", **{"databox-type": "driver"})


def write(driver: Spoken, value: str, token: str) -> tuple[int, bytes]:
    body = json.dumps({"data": value}).encode()
    return driver.ask("diary-store", "POST", "/day/ts", body, token)


def test_a_full_disk_under_a_store_refuses_writes_and_loses_nothing(
    stores: tuple[SmallBox, Spoken],
) -> None:
    box, driver = stores
    token = driver.token_for("diary-store", "POST", "/day/ts")
    assert write(driver, "first", token)[0] == 200
    box.fill()
    written = 1
    while (answer := write(driver, f"{written}" + "x" * 50_000, token))[0] == 200:
        written += 1
    assert answer[0] == 507
    assert b"the disk is full" in answer[1]
    assert b"Free some space; the box goes on by itself" in answer[1]
    read = "/day/ts/since?startTimestamp=0"
    kept = json.loads(driver.call("diary-store", "GET", read)[1])
    assert len(kept) == written, "all that was acknowledged, and nothing else"
    assert driver.ask("diary-store", "GET", "/status") == (200, b"standby")
    box.make_room()
    soon(lambda: write(driver, "last", token)[0] == 200, within=10)
    assert len(json.loads(driver.call("diary-store", "GET", read)[1])) == written + 1
    assert driver.ask("diary-store", "GET", "/status") == (200, b"active")


def test_a_driver_that_finds_no_room_for_its_store_is_not_installed(
    stores: tuple[SmallBox, Spoken],
) -> None:
    box, _ = stores
    box.fill()
    try:
        with pytest.raises(AssertionError):
            install(box, "second", **{"databox-type": "driver"})
        assert names(box) == ["diary"]
        assert [each for each in box.get("/api/grants")["grants"] if "second" in str(each)] == []
    finally:
        box.make_room()
    install(box, "second", **{"databox-type": "driver"})
    assert names(box) == ["diary", "second"]


# The disk of our own parts: grants, the ledger, the manager's and the exports' databases.

PLACE = "https://sum.test.example/in"


def small(megabytes: int) -> Iterator[tuple[SmallBox, Spoken]]:
    asks = {"export-whitelist": [{"url": PLACE}]}
    choices = {"exports": [{"url": PLACE, "allowed": True}]}
    for home in make_home():
        with SmallBox(home, "parts", megabytes) as box:
            box.set_up()
            yield box, install(box, "present", choices=choices, **asks)


@pytest.fixture
def tiny() -> Iterator[tuple[SmallBox, Spoken]]:
    """On so small a disk nothing is set aside for bad times."""
    yield from small(6)


@pytest.fixture
def roomy() -> Iterator[tuple[SmallBox, Spoken]]:
    yield from small(64)


def names(box: RunningBox) -> list[str]:
    return sorted(each["name"] for each in box.get("/api/components")["components"])


def says_that_it_is_full(error: dict[str, str]) -> bool:
    told = (error["code"], error["message"], error["remedy"])
    return told == (
        "disk-full",
        "the disk is full",
        "Free some space; the box goes on by itself",
    )


def test_a_full_disk_under_the_parts_installs_nothing(tiny: tuple[SmallBox, Spoken]) -> None:
    box, app = tiny
    before = names(box)
    package = box.get("/api/offers/computer-graph")["package"]
    request = {"name": "computer-graph", "package": package, "choices": {}, "text": "agreed"}
    token = app.token_for("export-service", "POST", "/export")
    ask = json.dumps({"id": "", "uri": PLACE, "data": "1"}).encode()
    box.fill()
    try:
        status, answer = box.call("POST", "/api/install", request)
        assert status == 503
        assert says_that_it_is_full(answer["error"])
        status, text = app.ask("export-service", "POST", "/export", ask, token)
        assert status == 503
        assert says_that_it_is_full(json.loads(text)["error"])
    finally:
        box.make_room()
    soon(lambda: names(box) == before, within=10)
    assert box.get("/api/exports")["exports"] == []
    status, answer = box.call("POST", "/api/install", request)
    assert status == 200, answer
    assert names(box) == sorted([*before, "computer-graph"])
    assert box.get("/api/history/verdict")["ok"]


def test_on_a_full_disk_the_owner_still_looks_and_stops(roomy: tuple[SmallBox, Spoken]) -> None:
    box, app = roomy
    soon(lambda: app.token_for("export-service", "POST", "/export"))
    box.fill()
    assert box.log_in()[0] == 200
    assert box.get("/api/history")["rows"]
    status, answer = upload(box, {"databox-manifest.json": "{}", "main.py": MAIN})
    assert status == 400, "what is wrong is said first"
    manifest = json.dumps({"name": "new", "run": RUN})
    status, answer = upload(box, {"databox-manifest.json": manifest, "main.py": MAIN})
    assert status == 503
    assert says_that_it_is_full(answer["error"])
    assert box.call("POST", "/api/stop-access", {"component": "present"})[1]["ended"] == 1
    assert not app.socket("export-service").exists()
    assert box.call("POST", "/api/components/present/uninstall", {"keep": False})[0] == 200
    assert names(box) == []
    assert box.get("/api/history/verdict")["ok"]
