"""The home folder: its lock, its modes, its version, and small files in it."""

import os
from pathlib import Path

import pytest

from databox.box.home import lock, open_home, write_private
from databox.wire.errors import Conflict, DataboxError


def test_second_lock_names_the_holder(tmp_path: Path) -> None:
    held = lock(tmp_path)
    try:
        with pytest.raises(Conflict) as caught:
            lock(tmp_path)
        assert caught.value.found == f"process {os.getpid()}"
    finally:
        os.close(held)


def test_lock_of_a_dead_box_is_free(tmp_path: Path) -> None:
    os.close(lock(tmp_path))
    os.close(lock(tmp_path))


def test_what_holds_secrets_is_closed(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    closed = (home.keys, home.stores, home.logs, home.pairs, home.scratch)
    assert {path.stat().st_mode & 0o777 for path in closed} == {0o700}


def test_sockets_of_a_dead_box_are_cleared(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    (home.peers / "warm-home").mkdir()
    open_home(tmp_path)
    assert list(home.peers.iterdir()) == []


def test_home_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    open_home(tmp_path)
    (tmp_path / "version").write_text("2\n")
    with pytest.raises(DataboxError, match="newer version"):
        open_home(tmp_path)


def test_private_file_replaces_the_old_one_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_private(path, b"one")
    write_private(path, b"two")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o600)
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


def test_private_file_does_not_follow_a_link_planted_for_it(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("old")
    (tmp_path / ".key.new").symlink_to(target)
    write_private(tmp_path / "key", b"secret")
    assert target.read_text() == "old"
