"""What somebody who took over a part would try next: each attempt gives its error, 0 if it worked.

Harmless where they work: they make sockets that connect to nobody, or ask the kernel for things it
then refuses for another reason.
"""

import contextlib
import ctypes
import os
import platform
import socket
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_COLUMN = 0 if platform.machine() == "x86_64" else 1
_NUMBERS = {
    "bpf": (321, 280),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "userfaultfd": (323, 282),
    "ptrace": (101, 117),
    "unshare": (272, 97),
    "mount": (165, 40),
    "chroot": (161, 51),
    "setns": (308, 268),
    "execve": (59, 221),
    "perf_event_open": (298, 241),
    "open_by_handle_at": (304, 265),
    "process_vm_readv": (310, 270),
    "kexec_load": (246, 104),
}
_CLONE_NEWUTS = 0x04000000
_PTRACE_ATTACH, _NOBODY = 16, 0x3FFFFFFF
_AF_VSOCK = 40
_FAMILIES = (
    int(socket.AF_INET),
    int(socket.AF_INET6),
    int(socket.AF_UNIX),
    int(socket.AF_NETLINK),
    _AF_VSOCK,
)


def attempts() -> dict[str, int]:
    """Try everything."""
    found = {
        f"socket {family}": _socket(family)
        for family in (
            socket.AF_INET,
            socket.AF_INET6,
            socket.AF_UNIX,
            socket.AF_NETLINK,
            _AF_VSOCK,
        )
    }
    found |= {
        "unshare": _call("unshare", _CLONE_NEWUTS),
        "ptrace": _call("ptrace", _PTRACE_ATTACH, _NOBODY, 0, 0),
        "chroot": _call("chroot", b"/"),
        # The kernel looks at the rights first, then finds that nothing is there.
        "mount": _call("mount", b"none", b"/nowhere-at-all", b"tmpfs", 0, None),
        "execve": _call("execve", b"/nowhere-at-all", None, None),
        "setns": _call("setns", -1, 0),
        "bpf": _call("bpf", 0, None, 0),
        "io_uring_setup": _call("io_uring_setup", 0, None),
        "keyctl": _call("keyctl", 0, -3, 1),
        "open_by_handle_at": _call("open_by_handle_at", -1, None, 0),
        "setuid": _error(lambda: os.setuid(0)),
        "fork": _fork(),
        "other files": _error(lambda: Path("/etc/passwd").read_bytes()),
        "write to the system": _error(lambda: Path("/usr/written").write_text("x")),
        "device": _error(lambda: os.mknod("device", 0o020600, os.makedev(1, 3))),
    }
    for path in (Path("/usr/written"), Path("device")):
        with contextlib.suppress(OSError):
            path.unlink()
    return found


def _socket(family: int) -> int:
    return _error(lambda: socket.socket(family, socket.SOCK_STREAM if family != 16 else 3).close())


def _call(name: str, *arguments: object) -> int:
    ctypes.set_errno(0)
    if _libc.syscall(ctypes.c_long(_NUMBERS[name][_COLUMN]), *arguments) >= 0:
        return 0
    return ctypes.get_errno()


def _error(attempt: object) -> int:
    try:
        attempt()  # type: ignore[operator]
    except OSError as error:
        return error.errno or -1
    return 0


def _fork() -> int:
    try:
        pid = os.fork()
    except OSError as error:
        return error.errno or -1
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return 0
