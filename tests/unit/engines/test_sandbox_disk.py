"""Counting `/var` is not fooled by what an app puts there."""

import os
from pathlib import Path

import pytest

from databox.engines.sandbox.disk import open_beneath, usage

PLENTY = 1 << 40
MANY = 1 << 30


def test_every_file_in_every_folder_counts(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"x" * 100_000)
    found = usage(tmp_path, size=PLENTY, files=MANY)
    assert found.complete
    assert found.files == 4
    assert 200_000 <= found.size < 300_000


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x" * 100_000)
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    assert usage(tmp_path, size=PLENTY, files=MANY).files == 1


def test_counting_stops_at_the_bound(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / str(number)).write_bytes(b"x" * 8192)
    assert not usage(tmp_path, size=PLENTY, files=10).complete
    assert not usage(tmp_path, size=100_000, files=MANY).complete


def test_a_sparse_file_counts_by_its_blocks(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert usage(tmp_path, size=1_000_000, files=MANY).complete


def test_links_are_counted_but_not_followed(tmp_path: Path) -> None:
    var, other = tmp_path / "var", tmp_path / "other"
    var.mkdir()
    other.mkdir()
    (other / "large").write_bytes(b"x" * 1_000_000)
    (var / "link").symlink_to(other)
    found = usage(var, size=PLENTY, files=MANY)
    assert (found.files, found.complete) == (1, True)
    assert found.size < 100_000


def test_a_tree_deeper_than_a_path_passes_the_bound(tmp_path: Path) -> None:
    top = folder = os.open(tmp_path, os.O_DIRECTORY)
    for _ in range(30):
        os.mkdir("x" * 200, dir_fd=folder)
        deeper = os.open("x" * 200, os.O_DIRECTORY, dir_fd=folder)
        if folder != top:
            os.close(folder)
        folder = deeper
    os.close(folder)
    os.close(top)
    assert not usage(tmp_path, size=PLENTY, files=MANY).complete


@pytest.mark.parametrize("path", ["link/file", "../outside", "/etc/hosts"])
def test_nothing_outside_can_be_opened(tmp_path: Path, path: str) -> None:
    var = tmp_path / "var"
    var.mkdir()
    (tmp_path / "outside").write_bytes(b"secret")
    (var / "link").symlink_to(tmp_path)
    top = os.open(var, os.O_DIRECTORY)
    try:
        with pytest.raises(OSError, match=path):
            open_beneath(top, path, os.O_RDONLY)
    finally:
        os.close(top)
