"""Reads a package's folder from disk, following nothing that leads out of it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from databox.registry import content
from databox.wire.errors import BadRequest, TooLarge


def read(folder: Path) -> dict[str, bytes]:
    """All files that belong to the package, by relative path, checked.

    Raises:
        BadRequest: a link, a device or another special file; a path that is not plain.
        TooLarge: over the bounds of a package; reading stops there.
    """
    files: dict[str, bytes] = {}
    size = 0
    for path in _paths(folder):
        name = path.relative_to(folder).as_posix()
        files[name] = _read(path, name, content.MAX_BYTES - size)
        size += len(files[name])
        if len(files) > content.MAX_FILES:
            break
    content.check(files)
    return files


def _paths(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if not content.belongs(path.name):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _paths(path)
        else:
            yield path


def _read(path: Path, name: str, room: int) -> bytes:
    # Not following a link matters here: it could name a key of the box, and become readable.
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _special(name) from error
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _special(name)
        text = file.read(room + 1)
    if len(text) > room:
        raise TooLarge(
            "the package is too large",
            field="files",
            found=name,
            remedy=f"Keep all files together under {content.MAX_BYTES} bytes",
        )
    return text


def _special(name: str) -> BadRequest:
    return BadRequest(
        "a package holds plain files only",
        code="package-path",
        field="files",
        found=repr(name[:100]),
        remedy="Replace links and special files by plain ones",
    )
