"""A store that nobody asks ends by itself, and whoever comes then wakes it and loses nothing."""

import json
import random
import ssl
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.recovery.conftest import make_home
from tests.recovery.running import RunningBox, command, gone, soon
from tests.recovery.speaking import Spoken, install, over_unix
from websockets.sync.client import ClientConnection, connect

from databox.cli.status import look

STORE = "diary-store"
IDLE_SECONDS = 0.5
LONGEST = 2.0
"""Seconds that it waits at most, since these callers have a rhythm."""
CALLERS = 4
WITHIN = 8.0
"""Seconds: idle time, look, report to the ledger, with room for a busy machine."""


class SleepyBox(RunningBox):
    """A box whose stores are tired after half a second."""

    def __init__(self, home: Path) -> None:
        _, _, _, *words = command(home)
        code = (
            "import sys; from databox.box import __main__, stores;"
            f"stores.IDLE_SECONDS = {IDLE_SECONDS}; sys.exit(__main__._run())"
        )
        super().__init__(home, start=[sys.executable, "-P", "-c", code, *words[1:]])


@pytest.fixture(scope="module")
def driver() -> Iterator[Spoken]:
    for home in make_home():
        with SleepyBox(home) as box:
            box.set_up()
            yield install(box, "diary", **{"databox-type": "driver"})


def asleep(driver: Spoken) -> bool:
    return driver.box.states()[STORE] == "asleep"


def sleep(driver: Spoken) -> None:
    soon(lambda: asleep(driver), within=WITHIN)


def test_an_idle_store_ends_and_is_shown_as_asleep(driver: Spoken) -> None:
    driver.call(STORE, "POST", "/day/ts", {"data": 1})
    process = driver.box.pid_of(STORE)
    sleep(driver)
    assert gone(process)


def test_the_first_request_wakes_it_and_is_answered(
    driver: Spoken, capsys: pytest.CaptureFixture[str]
) -> None:
    driver.call(STORE, "POST", "/day/ts", {"data": 2})
    token = driver.token_for(STORE, "GET", "/day/ts/latest")
    took = []
    for _ in range(5):
        sleep(driver)
        began = time.monotonic()
        status, body = driver.ask(STORE, "GET", "/day/ts/latest", b"", token)
        took.append(1000 * (time.monotonic() - began))
        assert (status, json.loads(body)[0]["data"]) == (200, 2)
    with capsys.disabled():
        print(f"\nfrom sleep to first answer: median {statistics.median(took):.1f} ms of 5")
    assert statistics.median(took) < 500


def test_the_owner_sees_its_data_while_it_sleeps(driver: Spoken) -> None:
    driver.call(STORE, "POST", "/day/ts", {"data": 3})
    sleep(driver)
    path = f"/api/stores/{STORE}/day/ts/latest"
    assert driver.box.get(path)[0]["data"] == 3


def test_whoever_comes_by_name_and_tls_wakes_it(driver: Spoken) -> None:
    sleep(driver)
    twin = driver.box.home / "run" / "pairs" / driver.name / f"{STORE}.tls"
    trust = ssl.create_default_context(cafile=str(driver.box.home / "keys" / "ca.pem"))
    with (
        over_unix(twin) as connected,
        trust.wrap_socket(connected, server_hostname=STORE) as secured,
    ):
        secured.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
        assert secured.recv(4096).endswith(b"active")


def test_the_status_command_does_not_wake_it(driver: Spoken) -> None:
    # As `databox up` leaves it.
    (driver.box.home / "run" / "address").write_text(driver.box.address)
    sleep(driver)
    report = look(driver.box.home)
    assert [each.state for each in report.parts if each.name == STORE] == ["asleep"]
    assert asleep(driver)


def test_a_subscription_keeps_it_awake(driver: Spoken) -> None:
    token = driver.token_for(STORE, "GET", "/ws")
    with websocket(driver, token):
        time.sleep(2 * LONGEST)
        assert not asleep(driver)
    sleep(driver)


@pytest.mark.parametrize("turns", [3, pytest.param(40, marks=pytest.mark.slow)])
def test_no_request_is_lost_while_it_falls_asleep_and_wakes(driver: Spoken, turns: int) -> None:
    """Callers whose pauses are about as long as the store waits, so that many meet its end."""
    source = f"hammer-{turns}"
    token = driver.token_for(STORE, "POST", f"/{source}/ts")
    wrong: list[tuple[int, int, bytes]] = []
    starts: set[int] = set()

    def write(caller: int) -> None:
        chance = random.Random(caller)
        for turn in range(turns):
            number = caller * turns + turn
            # All at about the same time: else one of them would keep it awake for the others.
            wake = began + turn * 1.5 * LONGEST + chance.uniform(0, LONGEST / 2)
            time.sleep(max(0.0, wake - time.monotonic()))
            body = json.dumps({"timestamp": number, "data": number}).encode()
            status, answer = driver.ask(STORE, "POST", f"/{source}/ts", body, token)
            if status != 200:
                wrong.append((number, status, answer))

    began = time.monotonic()
    callers = [threading.Thread(target=write, args=(caller,)) for caller in range(CALLERS)]
    for each in callers:
        each.start()
    while any(each.is_alive() for each in callers):
        starts |= set(process(driver))
        time.sleep(0.05)
    assert wrong == []
    _, body = driver.call(STORE, "GET", f"/{source}/ts/since?startTimestamp=0")
    assert [each["data"] for each in json.loads(body)] == list(range(CALLERS * turns))
    assert len(starts) > turns // 3, "the control: it slept again and again"


def process(driver: Spoken) -> list[int]:
    """The store's process, if it has one."""
    try:
        return [driver.box.pid_of(STORE)]
    except AssertionError:
        return []


def websocket(driver: Spoken, token: str) -> ClientConnection:
    connected = over_unix(driver.socket(STORE))
    headers = {"X-Api-Key": token}
    return connect(f"ws://{STORE}/ws", sock=connected, additional_headers=headers)
