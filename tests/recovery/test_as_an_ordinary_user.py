"""The box without root: the same parts, walls by namespaces alone."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.recovery.running import RunningBox, gone, soon

NOBODY = 65534
PARTS = ("gateway", "authority", "switchboard", "os-monitor-store", "zygote")

pytestmark = pytest.mark.root
"""To become an ordinary user."""


@pytest.fixture(scope="module")
def box(shared_home: Path) -> Iterator[RunningBox]:
    os.chown(shared_home, NOBODY, NOBODY)
    with RunningBox(shared_home, user=NOBODY) as box:
        box.set_up()
        box.install("os-monitor")
        soon(box.readings, within=20)
        yield box


def test_driver_writes_and_owner_reads(box: RunningBox) -> None:
    before = len(box.readings())
    soon(lambda: len(box.readings()) > before)


def test_no_process_is_anybody_elses(box: RunningBox) -> None:
    uids = {Path(f"/proc/{pid}").stat().st_uid for pid in box.processes()}
    # Those that may not be looked at belong to root in the kernel's books, and are not it.
    assert uids <= {NOBODY, 0}
    for pid in box.processes():
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        (uid,) = (line.split()[1] for line in lines if line.startswith("Uid:"))
        assert uid == str(NOBODY)


@pytest.mark.parametrize("part", PARTS)
def test_killed_part_heals(box: RunningBox, part: str) -> None:
    killed = box.pid_of(part)
    before = box.readings()
    os.kill(killed, signal.SIGKILL)
    soon(lambda: gone(killed) and box.pid_of(part) != killed)
    soon(lambda: len(box.readings()) > len(before))


@pytest.mark.parametrize("part", ["gateway", "os-monitor-store"])
def test_part_has_no_capability_in_its_own_namespace(box: RunningBox, part: str) -> None:
    text = Path(f"/proc/{box.pid_of(part)}/status").read_text()
    assert "CapEff:\t0000000000000000" in text
    assert "CapBnd:\t0000000000000000" in text


def test_ctrl_c_leaves_no_process(shared_home: Path, box: RunningBox) -> None:
    processes = box.processes()
    assert box.stop() == 0
    assert [pid for pid in processes if not gone(pid)] == []
