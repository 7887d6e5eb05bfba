"""Takes plain files out of a folder that a sandbox wrote to, and makes a package of them.

Whatever ran in there may have left symbolic links to our keys, pipes that block whoever opens them,
or second names of other files. So every folder is entered and every file opened by descriptor,
without following links and without waiting, and only what is a plain file with one name is read.
"""

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from databox.box.home import sync_folder
from databox.registry import content
from databox.wire.errors import BadRequest, TooLarge

MAX_BYTES = 96 * 1024 * 1024
MAX_FILES = 8000
MAX_DEPTH = 40
_COMPILED = ".pyc"
_PROGRAMS = (b"#!", b"\x7fELF")
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_SEALED_FILE, _SEALED_PROGRAM, _SEALED_FOLDER = 0o444, 0o555, 0o555


@dataclass(frozen=True, slots=True)
class Item:
    """One plain file. `path` is relative."""

    path: str
    content: bytes


def read(folder: Path) -> list[Item]:
    """Read every plain file below `folder`.

    Raises:
        BadRequest: something else than plain files and folders is there.
        TooLarge: too many, too deep or too much.
    """
    top = os.open(folder, _LOOK | os.O_DIRECTORY)
    found: list[Item] = []
    room = MAX_BYTES
    try:
        for item in _walk(top, "", MAX_DEPTH):
            room -= len(item.content)
            if room < 0 or len(found) >= MAX_FILES:
                raise TooLarge(
                    "the package is too large once unpacked",
                    remedy=f"Keep it under {MAX_FILES} files and {MAX_BYTES} bytes",
                )
            found.append(item)
    finally:
        os.close(top)
    return found


def keep(items: list[Item], packages: Path) -> str:
    """Write a package under the digest of its content, read-only; gives the digest.

    Compiled Python, which the sandbox made, is kept beside the content that it was made from.

    Raises:
        BadRequest, TooLarge: it holds what no package may.
    """
    files = {item.path: item.content for item in items if content.belongs(item.path)}
    content.check(files)
    digest = content.digest(files)
    final = packages / digest
    if final.is_dir():
        return digest
    fresh = packages / f".{secrets.token_hex(8)}"
    for item in items:
        if item.path in files or item.path.endswith(_COMPILED):
            _write(fresh / item.path, item)
    fresh.mkdir(exist_ok=True)
    _seal(fresh)
    fresh.rename(final)
    sync_folder(packages)
    return digest


def remove(folder: Path) -> None:
    """Delete a package."""
    for where, _, _ in os.walk(folder):
        Path(where).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _walk(folder: int, prefix: str, depth: int) -> Iterator[Item]:
    if depth == 0:
        raise TooLarge("the package's folders are nested too deep", found=prefix[:200])
    for name in sorted(os.listdir(folder)):
        path = f"{prefix}{name}"
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            below = os.open(name, _LOOK | os.O_DIRECTORY, dir_fd=folder)
            try:
                yield from _walk(below, f"{path}/", depth - 1)
            finally:
                os.close(below)
        elif stat.S_ISREG(status.st_mode):
            yield _item(folder, name, path)
        else:
            raise _odd(path)


def _item(folder: int, name: str, path: str) -> Item:
    # Not waiting: by now a pipe may lie where a file was.
    descriptor = os.open(name, _LOOK | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise _odd(path)
        read = file.read(MAX_BYTES + 1)
    if len(read) > MAX_BYTES:
        raise TooLarge("a file of the package is too large", found=path[:200])
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise BadRequest("a file name is not UTF-8", code="package-path") from error
    return Item(path, read)


def _write(target: Path, item: Item) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        file.write(item.content)
        file.flush()
        os.fsync(file.fileno())
    # Known by its first bytes: whether a file may be executed is no part of the digest.
    target.chmod(_SEALED_PROGRAM if item.content.startswith(_PROGRAMS) else _SEALED_FILE)


def _seal(folder: Path) -> None:
    for where, _, _ in os.walk(folder, topdown=False):
        sync_folder(Path(where))
        Path(where).chmod(_SEALED_FOLDER)


def _odd(path: str) -> BadRequest:
    return BadRequest(
        "a package may hold plain files only",
        code="package-file",
        found=path[:200],
        remedy="Leave out links, pipes and devices",
    )
