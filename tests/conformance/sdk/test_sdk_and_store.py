"""A driver and an app of the SDK meet a store that really runs; only the arbiter is played."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.conformance.store.running import APP, DRIVER, NAME, Running, running, token
from tests.unit.sdk.fake_box import Service

from databox.kit.clock import FixedClock
from databox.sdk import Driver
from databox.sdk.app import App
from databox.sdk.driver import DriverSource
from databox.sdk.objects import StoredObject
from databox.sdk.peers import Peers
from databox.sdk.sandbox import Sandbox
from databox.sdk.source import Source
from databox.sdk.surroundings import Granted, Surroundings
from databox.wire.errors import BadRequest, Denied, NotFound, Unavailable

NOW = 1_777_630_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE


class Meeting:
    """A store in a thread of its own, and an arbiter that mints what it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.caveats: dict[str, Sequence[str]] = {APP: (), DRIVER: ()}
        self.ended = False
        self._stop: Callable[[], object] = lambda: None
        self._end: Callable[[], object] = lambda: None
        for name in (APP, DRIVER):
            (folder / name).mkdir()
        self.start_store()
        self._services = [self._arbiter(name) for name in (APP, DRIVER)]
        self._peers = {name: Peers(str(folder / name), bytes(32)) for name in (APP, DRIVER)}

    def start_store(self) -> None:
        """Run the store."""
        ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(ready),))
        self._thread.start()
        assert ready.wait(10)

    def stop_store(self) -> None:
        """Stop it, as the box does; its sockets stay where they are."""
        self._stop()
        self._thread.join(10)

    def end_grants(self) -> None:
        """The owner stops every access of the app."""
        self.ended = True
        self._end()

    async def _serve(self, ready: threading.Event) -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        async with running(self.folder, FixedClock(NOW)) as store:
            for name in (APP, DRIVER):
                self._place(store, name)
            self._end = lambda: asyncio.run_coroutine_threadsafe(
                store.store._end(1, ("g1",)), loop
            ).result(10)
            ready.set()
            await stopped.wait()

    def _place(self, store: Running, caller: str) -> None:
        link = self.folder / caller / f"{NAME}.sock"
        link.unlink(missing_ok=True)
        link.symlink_to(store.listen(caller))

    def _arbiter(self, caller: str) -> Service:
        def mint(method: str, path: str, key: str, body: bytes) -> tuple[int, bytes]:
            del method, path, key
            ask = json.loads(body)
            if self.ended and caller == APP:
                return 401, b"Insufficient route permissions"
            found = token(caller, ask["method"], ask["path"], *self.caveats[caller])
            return 200, found.encode()

        service = Service(self.folder / caller / "arbiter.sock", mint)
        service.start()
        return service

    def write(self, *readings: tuple[int, object]) -> None:
        """Have a driver write these readings: times and values."""
        driver = Driver("Test driver", now=lambda: NOW / 1000)
        source = driver.source("cpu-load", unit="%")
        for t, value in readings:
            source.write(value, t=t)
        driver.start(self._peers[DRIVER], NAME)
        assert driver.flush(10)

    def driver_source(self) -> DriverSource:
        """The source as its driver has it."""
        driver = Driver("Test driver", now=lambda: NOW / 1000)
        source = driver.source("cpu-load")
        self.start(driver)
        return source

    def start(self, driver: Driver) -> None:
        """Start a driver in reach of the store."""
        driver.start(self._peers[DRIVER], NAME)

    def source(self, *caveats: str, exact: str = "raw") -> Source:
        """The source as an app sees it whose grant has these caveats."""
        self.caveats[APP] = caveats
        granted = Granted(NAME, "cpu-load", exact, "%", "")
        outside = Sandbox(Surroundings({"CPU_LOAD": granted}, "", False, False), self._peers[APP])
        outside.now = lambda: NOW / 1000  # type: ignore[method-assign]
        app = App("Test")
        app.connect(outside)
        return app.ask("cpu-load")

    def close(self) -> None:
        for service in self._services:
            service.stop()
        for peers in self._peers.values():
            peers.close()
        self.stop_store()


@pytest.fixture
def meeting(tmp_path: Path) -> Iterator[Meeting]:
    """A store with a driver and an app in reach of it."""
    made = Meeting(tmp_path)
    yield made
    made.close()


def test_app_reads_what_a_driver_wrote(meeting: Meeting) -> None:
    meeting.write((NOW - 2000, 1.5), (NOW - 1000, 0), (NOW, {"a": [1]}))
    found = meeting.source().last(minutes=1)
    assert [tuple(each)[:2] for each in found] == [
        (NOW - 2000, 1.5),
        (NOW - 1000, 0),
        (NOW, {"a": [1]}),
    ]


def test_latest_is_the_newest(meeting: Meeting) -> None:
    meeting.write((NOW - 2000, 1), (NOW - 1000, 2))
    newest = meeting.source().latest()
    assert newest is not None
    assert (newest.t, newest.value) == (NOW - 1000, 2)


def test_app_sees_closed_minutes_when_only_minutes_are_allowed(meeting: Meeting) -> None:
    start = NOW // HOUR * HOUR - HOUR
    meeting.write(*((start + at * 1000, at % 60) for at in range(0, 600, 10)))
    source = meeting.source("granularity >= PT1M", exact="PT1M")
    found = source.last(hours=2)
    assert len(found) == 10
    first = found[0]
    assert (first.t, first.value, first.weight) == (start, 25.0, 6)
    assert (first.least, first.most) == (0, 50)
    assert source.latest() == found[-1]


def test_count_by_hour_counts_values_not_windows(meeting: Meeting) -> None:
    start = NOW // HOUR * HOUR - 3 * HOUR
    meeting.write(*((start + at * MINUTE, 1) for at in range(60)))
    counts = meeting.source("granularity >= PT1H", exact="PT1H").count(by="hour of day", days=2)
    assert sum(counts.values()) == 60
    assert max(counts.values()) == 60


def test_app_sees_as_far_back_as_its_grant(meeting: Meeting) -> None:
    meeting.write((NOW - 2 * HOUR, 1), (NOW - MINUTE, 2))
    source = meeting.source(f"startTimestamp >= {NOW - HOUR}")
    assert source.last(days=3).values == [2]


def test_read_is_denied_when_the_grant_is_for_another_source(meeting: Meeting) -> None:
    meeting.write((NOW, 1))
    with pytest.raises(Denied, match=r"app\.ask"):
        meeting.source('datasources = ["other"]').latest()


# Objects.

PHOTO = bytes(range(256)) * 8_000
"""2 MB."""


@pytest.fixture
def camera(meeting: Meeting) -> DriverSource:
    """A driver's source, in reach of the store."""
    driver = Driver("Test driver", now=lambda: NOW / 1000)
    source = driver.source("cpu-load")
    driver.start(meeting._peers[DRIVER], NAME)
    return source


def test_app_reads_the_objects_that_a_driver_wrote(
    meeting: Meeting, camera: DriverSource, tmp_path: Path
) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"skipped" + PHOTO)
    with path.open("rb") as file:
        file.seek(7)
        camera.write_object("2026-1.jpg", file, type="image/jpeg")
    camera.write_object("note", b"")
    source = meeting.source()
    assert source.objects() == [
        StoredObject("2026-1.jpg", "image/jpeg", len(PHOTO), NOW),
        StoredObject("note", "application/octet-stream", 0, NOW),
    ]
    pieces = list(source.read_object("2026-1.jpg"))
    assert b"".join(pieces) == PHOTO
    assert max(map(len, pieces)) < 200_000
    assert b"".join(source.read_object("note")) == b""


def test_a_deleted_object_is_not_found(meeting: Meeting, camera: DriverSource) -> None:
    camera.write_object("a", b"x")
    camera.delete_object("a")
    camera.delete_object("a")
    with pytest.raises(NotFound):
        list(meeting.source().read_object("a"))


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a b", ".a", "ä", "a" * 129, "a?b"])
def test_what_cannot_be_an_objects_name_is_refused(camera: DriverSource, name: str) -> None:
    with pytest.raises(BadRequest, match="name"):
        camera.write_object(name, b"x")


def test_app_that_may_see_minutes_alone_reads_no_object(
    meeting: Meeting, camera: DriverSource
) -> None:
    camera.write_object("a", b"x")
    source = meeting.source("granularity >= PT1M", exact="PT1M")
    with pytest.raises(Denied):
        list(source.read_object("a"))


def test_an_app_may_stop_reading_and_go_on_with_something_else(
    meeting: Meeting, camera: DriverSource
) -> None:
    camera.write_object("a", PHOTO)
    source = meeting.source()
    for _ in source.read_object("a"):
        break
    assert len(source.objects()) == 1
    assert b"".join(source.read_object("a")) == PHOTO


def test_invented_data_have_no_objects(meeting: Meeting) -> None:
    app = App("Test")
    app.connect(Sandbox(Surroundings({}, "", False, False), meeting._peers[APP]))
    source = app.ask("photo")
    assert source.objects() == []
    with pytest.raises(NotFound):
        list(source.read_object("a"))


def test_a_driver_that_does_not_run_yet_says_so() -> None:
    with pytest.raises(Unavailable, match="does not run yet"):
        Driver("Test driver").source("photos").write_object("a", b"x")
