"""Attacks on files: each fails inside, and its control shows that the attempt is sound."""

import os
from pathlib import Path
from typing import Any

import pytest

MIB = 1024 * 1024


def test_18_the_hosts_own_files_are_not_there(stage: Any, world: Any) -> None:
    private = ["/etc/shadow", "/root", "/home", "/etc/machine-id", "/sys/kernel", "/proc/self"]
    wanted = [str(world.canary), *private]
    control = world.control("read_files.py", wanted)
    assert control[str(world.canary)] == "done"
    if os.geteuid() == 0:
        assert control["/etc/shadow"] == "done"
    assert set(stage.attack("read_files.py", wanted).values()) == {"ENOENT"}


def test_19_what_is_shared_cannot_be_written(stage: Any, world: Any) -> None:
    shared = world.base / "runtime"
    shared.mkdir(exist_ok=True)
    wanted = [
        *("/usr", "/usr/bin/env", "/usr/lib", "/app", "/app/attempt.py"),
        *("/etc/hosts", "/etc/passwd", "/etc/ssl/certs", "/run/secrets/KEY"),
        *("/run/databox", "/opt/runtime"),
    ]
    results = stage.attack(
        "write_files.py",
        wanted,
        secrets={"KEY": b"secret"},
        peers=_open_folder(world.base / "peers"),
        shared=((_open_folder(shared), "/opt/runtime"),),
    )
    assert set(results.values()) <= {"EROFS", "EACCES"}
    assert set(results) == set(wanted)
    _control_by_writing(world)


def test_20_nothing_but_var_and_tmp_can_be_filled(stage: Any, world: Any) -> None:
    wanted = ["/", "/dev", "/etc", "/run", "/run/databox", "/run/secrets", "/opt", "/app"]
    results = stage.attack("write_files.py", wanted)
    assert set(results.values()) <= {"EROFS", "ENOENT"}
    _control_by_writing(world)


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_20_what_lies_in_memory_is_bounded(folder: str, stage: Any) -> None:
    results = stage.attack("fill.py", [70 * MIB, [folder, "/var"]])
    assert results[folder] == "ENOSPC"
    assert results[f"bytes in {folder}"] == 64 * MIB
    # The same attempt in /var is the control.
    assert results["/var"] == "done"


def test_proc_shows_nothing_of_the_box_when_an_app_has_it(
    stage: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABOX_TEST_CANARY", "planted")
    results = stage.attack("environments.py", "DATABOX_TEST_CANARY", proc=True)
    assert results["processes"] <= 3
    assert results["found in"] == []
    assert world.control("environments.py", "DATABOX_TEST_CANARY")["found in"] != []


def test_what_an_app_plants_in_var_gains_nothing(stage: Any) -> None:
    inside = stage.attack("plant.py", None)
    assert inside == {"set-uid": "done", "link": "done", "fifo": "done", "gain": "1000/1000"}


def _open_folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    path.chmod(0o777)
    return path


def _control_by_writing(world: Any) -> None:
    folder = world.base / "writable"
    folder.mkdir()
    (folder / "file").write_bytes(b"")
    wanted = [str(folder), str(folder / "file")]
    assert set(world.control("write_files.py", wanted).values()) == {"done"}
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
