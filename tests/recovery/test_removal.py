"""What is removed is gone, and can come again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.recovery.running import RunningBox, soon

STORE = "os-monitor-store"


@pytest.fixture
def box(home: Path) -> Iterator[RunningBox]:
    with RunningBox(home) as box:
        box.set_up()
        box.install("os-monitor")
        soon(box.readings, within=20)
        yield box


def uninstall(box: RunningBox, *, keep: bool) -> None:
    status, answer = box.call("POST", "/api/components/os-monitor/uninstall", {"keep": keep})
    assert status == 200, answer


def test_removed_driver_leaves_neither_key_nor_file(box: RunningBox) -> None:
    uninstall(box, keep=False)
    assert list((box.home / "stores").iterdir()) == []
    assert list((box.home / "instances").iterdir()) == []
    assert [path.name for path in (box.home / "keys").glob(f"{STORE}*")] == []
    assert STORE not in box.states()


def test_removed_driver_can_be_installed_again(box: RunningBox) -> None:
    before = box.readings()
    uninstall(box, keep=False)
    box.install("os-monitor")
    soon(box.readings, within=20)
    assert not set(before) & set(box.readings())


def test_kept_data_is_there_when_the_driver_comes_back(box: RunningBox) -> None:
    before = box.readings()
    uninstall(box, keep=True)
    box.install("os-monitor")
    soon(lambda: len(box.readings()) > len(before), within=20)
    assert before.items() <= box.readings().items()


def test_forgetting_that_was_cut_short_is_finished_at_the_next_start(home: Path) -> None:
    with RunningBox(home) as box:
        box.set_up()
        box.install("os-monitor")
        soon(box.readings, within=20)
        box.call("POST", "/api/components/os-monitor/uninstall", {"keep": True})
    (home / "keys" / f"{STORE}.database").unlink()
    with RunningBox(home) as again:
        again.log_in()
        assert list((home / "stores").iterdir()) == []
