"""Landlock: a second wall around a part's files that holds even if its mounts were wrong.

Where the kernel has none of it the first wall, a root with nothing else in it, stands alone.

Source: linux/landlock.h.
"""

import os
import stat
import struct
from collections.abc import Iterable

from databox.box import kernel

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1, 2, 4, 8
_MAKE_DEVICES = 1 << 6 | 1 << 11
# From version 1: write, remove, make each kind of file; from 2: move between folders; 3: truncate.
_WRITE_BY_VERSION = {1: 0x1FF2, 2: 1 << 13, 3: 1 << 14}
_IOCTL_DEVICE = 1 << 15
_BIND_AND_CONNECT = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


def restrict(read: Iterable[str], write: Iterable[str], *, network: bool) -> int:
    """Allow this process these paths alone, and TCP only with `network`. It executes nothing.

    Returns:
        The kernel's version of Landlock, 0 where it has none and nothing was done.
    """
    found = version()
    if found == 0:
        return 0
    writing = sum(bits for since, bits in _WRITE_BY_VERSION.items() if found >= since)
    ruleset = _create(writing, found, network)
    try:
        for path in read:
            _allow(ruleset, path, _READ_FILE | _READ_FOLDER)
        for path in write:
            _allow(ruleset, path, _READ_FILE | _READ_FOLDER | writing & ~_MAKE_DEVICES)
        kernel.system_call(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)
    return found


def version() -> int:
    """The kernel's version of Landlock, 0 where it has none or does not let us."""
    try:
        return kernel.system_call(_CREATE, None, 0, _VERSION)
    except OSError:
        return 0


def _create(writing: int, version: int, network: bool) -> int:
    files = _EXECUTE | _READ_FILE | _READ_FOLDER | writing | (_IOCTL_DEVICE if version >= 5 else 0)
    handled = struct.pack("=Q", files)
    if version >= 4:
        handled += struct.pack("=Q", 0 if network else _BIND_AND_CONNECT)
    if version >= 6:
        handled += struct.pack("=Q", _ABSTRACT_SOCKETS_AND_SIGNALS)
    return kernel.system_call(_CREATE, handled, len(handled), 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            # The kernel refuses a rule that gives a file the rights of a folder.
            rights &= _READ_FILE | _WRITE_FILE
        rule = struct.pack("=Qi", rights, place)
        kernel.system_call(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(place)
