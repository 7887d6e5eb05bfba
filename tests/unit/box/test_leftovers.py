"""Processes of a dead box are ended; others that took their numbers are not."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from databox.box.leftovers import Register, start_time


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        yield process
        process.kill()


def test_listed_process_is_ended(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    register = Register(tmp_path / "processes")
    register.add(sleeper.pid)
    assert register.end_all() == 1
    assert sleeper.wait(5) == -9


def test_process_that_took_the_number_is_left_alone(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    (tmp_path / "processes").write_text(f"{sleeper.pid} 1\n")
    assert Register(tmp_path / "processes").end_all() == 0
    assert sleeper.poll() is None


@pytest.mark.parametrize("text", ["", "12", "x y\n", "999999999 5\n", "1 2 3\n"])
def test_half_written_register_is_no_trouble(tmp_path: Path, text: str) -> None:
    (tmp_path / "processes").write_text(text)
    assert Register(tmp_path / "processes").end_all() == 0


def test_register_forgets_the_dead_before_it_grows_long(tmp_path: Path) -> None:
    path = tmp_path / "processes"
    path.write_text("999999999 5\n" * 10_000)
    Register(path).add(os.getpid())
    assert path.read_text() == f"{os.getpid()} {start_time(os.getpid())}\n"


def test_start_time_is_that_of_a_process() -> None:
    found = start_time(os.getpid())
    assert found is not None
    assert found.isdigit()
