"""kill -9 of each of our processes in turn while a driver writes: all heals, nothing is lost."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.recovery.running import RunningBox, gone, soon

STORE = "os-monitor-store"
PARTS = (
    "gateway",
    "authority",
    "manager",
    "switchboard",
    "export-service",
    STORE,
    "zygote",
)


@pytest.fixture(scope="module")
def box(shared_home: Path) -> Iterator[RunningBox]:
    with RunningBox(shared_home) as box:
        box.set_up()
        box.install("os-monitor")
        soon(lambda: len(box.readings()) >= 2, within=20)
        yield box


@pytest.mark.parametrize("part", PARTS)
def test_killed_part_heals_within_five_seconds_and_loses_nothing(
    box: RunningBox, part: str
) -> None:
    before = box.readings()
    driver = box.get("/api/components/os-monitor")
    killed = box.pid_of(part)
    os.kill(killed, signal.SIGKILL)
    soon(lambda: gone(killed) and box.pid_of(part) != killed)
    soon(lambda: set(box.states().values()) == {"running"})
    soon(lambda: len(box.readings()) > len(before))
    after = box.readings()
    assert {time: after.get(time) for time in before} == before
    assert box.get("/api/components/os-monitor")["restarts"] == driver["restarts"]


def test_after_all_kills_the_ledger_is_whole(box: RunningBox) -> None:
    assert box.get("/api/history/verdict")["ok"]


def test_after_all_kills_each_fall_is_written(box: RunningBox) -> None:
    # The manager, which writes them, does not hear of its own.
    killed = set(PARTS) - {"manager", "zygote"}

    def told() -> bool:
        rows = box.get("/api/history?kind=lifecycle")["rows"]
        return {row["entry"]["event"]["component"] for row in rows} >= killed

    soon(told, within=20)
