"""System calls that Python has no name for, each as one plain function that raises `OSError`."""

import ctypes
import os
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_NEWCGROUP = 0x02000000

MS_NOSUID, MS_NODEV = 2, 4
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 1, 2, 4, 8

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
_PR_SET_NAME = 15
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_SYS_MOUNT_SETATTR = 442  # the same on both machines, as everything newer than 424
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, first: int = 0, second: int = 0) -> None:
    """Change something about this process."""
    _call("prctl", option, ctypes.c_ulong(first), ctypes.c_ulong(second), 0, 0)


def set_process_name(name: str) -> None:
    """Name this process for whoever lists processes; the kernel keeps 15 bytes."""
    _call("prctl", _PR_SET_NAME, name.encode(), 0, 0, 0)


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for new ones."""
    _call("unshare", flags)


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount `source` on `target`."""
    _call(
        "mount",
        os.fsencode(source),
        os.fsencode(target),
        kind.encode(),
        ctypes.c_ulong(flags),
        options.encode() or None,
    )


def restrict_mount(path: str, attributes: int, *, below: bool) -> None:
    """Add restrictions to a mount, and with `below` to all that is mounted in it."""
    wanted = struct.pack("=QQQQ", attributes, 0, 0, 0)
    flags = _AT_RECURSIVE if below else 0
    system_call(_SYS_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(path), flags, wanted, len(wanted))


def detach(path: str) -> None:
    """Take a mount and all below it out of sight."""
    _call("umount2", os.fsencode(path), MNT_DETACH)


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root and move the old root to `old`."""
    _call("pivot_root", os.fsencode(new), os.fsencode(old))


def set_host_name(name: str) -> None:
    """Name this UTS namespace."""
    _call("sethostname", name.encode(), len(name))


def drop_capabilities() -> None:
    """Give up every capability: permitted, effective and inheritable."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _call("capset", header, bytes(24))


def install_filter(program: bytes) -> None:
    """Pass every later system call through a seccomp filter of 8-byte instructions."""
    instructions = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("=H6xQ", len(program) // 8, ctypes.addressof(instructions))
    holder = ctypes.create_string_buffer(fprog, len(fprog))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(holder))


def system_call(number: int, *arguments: object) -> int:
    """Make a system call that libc does not know."""
    return _call("syscall", ctypes.c_long(number), *arguments)


def _call(name: str, *arguments: object) -> int:
    result: int = getattr(_libc, name)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    return result
