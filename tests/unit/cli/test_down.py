import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from databox.cli.client import NotRunning
from databox.cli.down import down, running

BOX = """
import fcntl, os, signal, sys, time
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
lock.write(str(os.getpid()))
lock.flush()
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
print(flush=True)
time.sleep(60)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


def test_without_a_box_there_is_nothing_to_stop(home: Path) -> None:
    with pytest.raises(NotRunning):
        down(home)


def test_a_lock_that_nobody_holds_names_nobody(home: Path) -> None:
    # The number may by now belong to any other program: here it is this one.
    (home / "run" / "lock").write_text(str(os.getpid()))
    assert running(home) is None


def test_a_lock_that_is_held_and_not_yet_written_names_nobody(home: Path) -> None:
    with (home / "run" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert running(home) is None


def test_a_running_box_is_asked_to_end_and_waited_for(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = home / "run" / "lock"
    with subprocess.Popen((sys.executable, "-c", BOX, str(lock)), stdout=subprocess.PIPE) as box:
        assert box.stdout is not None
        box.stdout.readline()
        assert running(home) == box.pid
        assert down(home) == 0
        assert box.wait(5) == 0
    assert capsys.readouterr().out == "The box has stopped.\n"
