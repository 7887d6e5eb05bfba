"""Archives that no honest package is, and one that is."""

import io
import tarfile
from pathlib import Path

import pytest

from databox.box.unpack import MAX_BYTES, unpack


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for member, body in members:
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return out.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = target
    return member, b""


def test_plain_files_are_unpacked(tmp_path: Path) -> None:
    unpack(archive((tarfile.TarInfo("lib/main.py"), b"print()")), tmp_path)
    assert (tmp_path / "lib" / "main.py").read_bytes() == b"print()"


def test_compiled_python_that_came_along_is_left_out(tmp_path: Path) -> None:
    unpack(archive((tarfile.TarInfo("__pycache__/main.cpython-311.pyc"), b"evil")), tmp_path)
    assert list(tmp_path.rglob("*.pyc")) == []


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../up", "a" * 400])
def test_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a usable path"):
        unpack(archive((tarfile.TarInfo(name), b"x")), tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(ValueError, match="not a plain file"):
        unpack(archive(special("x", kind, "/etc/passwd")), tmp_path)


def test_same_name_twice_is_refused(tmp_path: Path) -> None:
    twice = archive((tarfile.TarInfo("a"), b"1"), (tarfile.TarInfo("a"), b"2"))
    with pytest.raises(FileExistsError):
        unpack(twice, tmp_path)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("databox.box.unpack.MAX_FILES", 3)
    many = archive(*((tarfile.TarInfo(f"f{number}"), b"") for number in range(4)))
    with pytest.raises(ValueError, match="more than"):
        unpack(many, tmp_path)


def test_size_that_is_only_claimed_is_refused_before_it_is_read(tmp_path: Path) -> None:
    member = tarfile.TarInfo("big")
    member.size = MAX_BYTES + 1
    with pytest.raises(ValueError, match="more than"):
        unpack(member.tobuf(), tmp_path)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(tarfile.TarError):
        unpack(b"no archive" * 100, tmp_path)
