"""What a hostile sandbox may have left in a folder, and what the box takes of it."""

import os
from pathlib import Path

import pytest

from databox.box import harvest
from databox.registry import content
from databox.wire.errors import BadRequest, DataboxError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "var"
    (path / "lib").mkdir(parents=True)
    (path / "main.py").write_text("print()")
    (path / "lib" / "more.py").write_text("1")
    return path


def test_plain_files_are_read(folder: Path) -> None:
    found = {item.path: item.content for item in harvest.read(folder)}
    assert found == {"main.py": b"print()", "lib/more.py": b"1"}


def test_link_to_a_file_of_ours_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret")
    (folder / "innocent").symlink_to(tmp_path / "key")
    with pytest.raises(BadRequest):
        harvest.read(folder)


def test_link_to_a_folder_of_ours_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (folder / "innocent").symlink_to(tmp_path / "keys")
    with pytest.raises(BadRequest):
        harvest.read(folder)


def test_second_name_of_a_file_is_refused(folder: Path) -> None:
    os.link(folder / "main.py", folder / "twin.py")
    with pytest.raises(BadRequest):
        harvest.read(folder)


def test_pipe_is_refused_and_does_not_block(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(BadRequest):
        harvest.read(folder)


def test_folders_without_end_are_refused(folder: Path) -> None:
    deep = folder
    for _ in range(harvest.MAX_DEPTH + 1):
        deep = deep / "d"
        deep.mkdir()
    with pytest.raises(DataboxError):
        harvest.read(folder)


def test_name_that_is_not_text_is_refused(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.py")).write_text("x")
    with pytest.raises(BadRequest):
        harvest.read(folder)


def test_kept_package_is_named_by_its_content_and_read_only(folder: Path, tmp_path: Path) -> None:
    items = harvest.read(folder)
    (tmp_path / "packages").mkdir()
    digest = harvest.keep(items, tmp_path / "packages")
    kept = tmp_path / "packages" / digest
    assert digest == content.digest({item.path: item.content for item in items})
    assert (kept / "main.py").stat().st_mode & 0o777 == 0o444
    assert (kept / "lib").stat().st_mode & 0o777 == 0o555
    harvest.remove(kept)


def test_compiled_python_is_kept_but_not_counted(folder: Path, tmp_path: Path) -> None:
    plain = content.digest({item.path: item.content for item in harvest.read(folder)})
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "main.cpython-311.pyc").write_bytes(b"code")
    (tmp_path / "packages").mkdir()
    digest = harvest.keep(harvest.read(folder), tmp_path / "packages")
    assert digest == plain
    assert (tmp_path / "packages" / digest / "__pycache__").is_dir()
    harvest.remove(tmp_path / "packages" / digest)


def test_hidden_file_is_left_out(folder: Path, tmp_path: Path) -> None:
    (folder / ".env").write_text("PASSWORD=x")
    (tmp_path / "packages").mkdir()
    digest = harvest.keep(harvest.read(folder), tmp_path / "packages")
    assert not (tmp_path / "packages" / digest / ".env").exists()
    harvest.remove(tmp_path / "packages" / digest)
