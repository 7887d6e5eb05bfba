"""The shell script `databox`, with stubs in place of the programs it calls."""

import os
import subprocess
from pathlib import Path

import pytest

from databox.cli import start

SCRIPT = Path(__file__).parents[3] / "databox"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH with what every Debian has, no bubblewrap, and an `apt-get` that only writes down."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("dirname", "readlink", "ls", "cat"):
        (folder / name).symlink_to(f"/usr/bin/{name}")
    return folder


def stub(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def script(programs: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("/bin/sh", str(SCRIPT), *words),
        env={"PATH": str(programs), "DATABOX_HOME": "not absolute"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_ordinary_user_is_told_the_one_line_to_ask_for(programs: Path) -> None:
    stub(programs, "id", "echo 1000")
    stub(programs, "apt-get", "exit 1")
    done = script(programs, "up")
    assert done.returncode == 1
    line = "apt-get install --no-install-recommends --yes bubblewrap"
    assert line in done.stderr.splitlines()[-1]


def test_root_without_a_terminal_must_agree_by_yes(programs: Path) -> None:
    stub(programs, "id", "echo 0")
    stub(programs, "apt-get", f"touch {programs}/called")
    done = script(programs, "up")
    assert done.returncode == 1
    assert "add --yes" in done.stderr
    assert not (programs / "called").exists()


def test_root_with_yes_has_it_installed_and_goes_on(programs: Path) -> None:
    stub(programs, "id", "echo 0")
    stub(programs, "apt-get", f'echo "$*" >>{programs}/called')
    done = script(programs, "up", "--yes")
    called = (programs / "called").read_text()
    assert "--no-install-recommends --yes bubblewrap" in called
    # What comes next is our own Python, which here finds a useless home folder.
    assert "DATABOX_HOME must be an absolute path" in done.stderr


def test_lists_that_are_too_old_are_fetched_once_and_then_it_fails_in_words(programs: Path) -> None:
    stub(programs, "id", "echo 0")
    stub(programs, "apt-get", f'echo "$*" >>{programs}/called; [ "$1" = update ]')
    done = script(programs, "up", "--yes")
    called = (programs / "called").read_text().splitlines()
    verbs = ["update" if "update" in line else "install" for line in called]
    assert verbs[-3:] == ["install", "update", "install"]
    assert done.returncode == 1
    assert "Run by hand" in done.stderr.splitlines()[-1]


def test_a_system_without_apt_gets_the_names(programs: Path) -> None:
    done = script(programs, "up")
    assert done.returncode == 1
    assert "bubblewrap" in done.stderr
    assert "package manager" in done.stderr


def test_doctor_asks_for_no_sandbox_program(programs: Path) -> None:
    done = script(programs, "doctor")
    assert "DATABOX_HOME must be an absolute path" in done.stderr


def test_what_runs_before_anything_is_installed_needs_the_standard_library_alone() -> None:
    modules = "databox.cli.start, databox.cli.runtime, databox.cli.packages, databox.cli.home"
    done = subprocess.run(
        ("/usr/bin/python3", "-S", "-s", "-P", "-B", "-c", f"import {modules}"),
        env={"PYTHONPATH": str(SCRIPT.parent / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_command_line_gets_a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    became = []
    monkeypatch.setattr(os, "execve", lambda *words: became.append(words))
    monkeypatch.setenv("PYTHONSTARTUP", "/hostile.py")
    start.become(Path("/runtime"), Path("/home"), ["status"])
    [(program, words, environment)] = became
    assert (program, words[1:]) == ("/usr/bin/python3", ["-m", "databox.cli", "status"])
    assert environment["PYTHONPATH"] == "/runtime/site-packages"
    assert environment["DATABOX_HOME"] == "/home"
    assert "PYTHONSTARTUP" not in environment


def test_a_full_disk_while_setting_up_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*words: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("DATABOX_HOME", "/nowhere")
    monkeypatch.setattr(start, "make_home", full)
    assert start.main(Path("/checkout"), ["status"]) == 1
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert "Traceback" not in said
