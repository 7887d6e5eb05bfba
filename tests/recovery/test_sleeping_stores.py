"""A store that nobody asks ends by itself, and whoever comes then wakes it and loses nothing."""

import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.recovery.conftest import make_home
from tests.recovery.running import RunningBox, command, gone, soon
from tests.recovery.speaking import Spoken, install

STORE = "diary-store"
IDLE_SECONDS = 0.5
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
