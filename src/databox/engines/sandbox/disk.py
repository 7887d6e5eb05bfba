"""How much an instance keeps in `/var`, counted without trusting what it finds there.

The folder belongs to the app: it may swap a folder for a link while we walk, nest deeper than a
path can be, or make millions of empty files. So each folder is opened below the last one's root
with links refused, and counting stops at the bound.
"""

import ctypes
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from databox.wire.errors import Unavailable

SYS_OPENAT2 = 437
RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH = 1, 2, 4, 8
_RESOLVE = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
BLOCK = 512

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes on disk and number of files. `complete`: False where counting stopped early."""

    size: int
    files: int
    complete: bool


def usage(root: Path, *, size: int, files: int) -> Usage:
    """Count until `size` bytes or `files` files are passed.

    A part that cannot be walked, because it is too deep, counts as passing the bound.
    """
    top = os.open(root, _FLAGS)
    try:
        return _walk(top, size, files)
    finally:
        os.close(top)


def _walk(top: int, size: int, files: int) -> Usage:
    waiting, seen = ["."], set[int]()
    total = count = 0
    while waiting:
        path = waiting.pop()
        try:
            folder = open_beneath(top, path, _FLAGS)
        except FileNotFoundError:
            continue
        except OSError:
            return Usage(total, count, complete=False)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                        if status.st_ino in seen:
                            continue
                        seen.add(status.st_ino)
                    total += status.st_blocks * BLOCK
                    count += 1
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(f"{path}/{entry.name}")
                    if total > size or count > files:
                        return Usage(total, count, complete=False)
        finally:
            os.close(folder)
    return Usage(total, count, complete=True)


def open_beneath(top: int, path: str, flags: int) -> int:
    """Open `path` below the folder `top`, through no link and no other mount.

    Raises:
        OSError: as open(2), ELOOP for a link, EXDEV for a way out.
        Unavailable: the kernel is older than 5.6.
    """
    how = struct.pack("=QQQ", flags, 0, _RESOLVE)
    result = _libc.syscall(
        ctypes.c_long(SYS_OPENAT2),
        ctypes.c_int(top),
        ctypes.c_char_p(os.fsencode(path)),
        ctypes.c_char_p(how),
        ctypes.c_size_t(len(how)),
    )
    if result < 0:
        number = ctypes.get_errno()
        if number == 38:
            raise Unavailable("this kernel has no openat2", remedy="Use Linux 5.6 or later")
        raise OSError(number, os.strerror(number), path)
    return int(result)
