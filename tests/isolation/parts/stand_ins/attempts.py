"""What somebody tries who has taken over one of our own parts. Standard library only.

Run as a program, `attempts.py WORLD`, it is the control: the same attempts by a process outside.
"""

import ctypes
import errno
import json
import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

TRUE = "/usr/bin/true"
PTRACE_SEIZE = 0x4206
PR_SET_DUMPABLE = 4
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x20000
VSOCK = 40
MOST_DESCRIPTORS = 256
_libc = ctypes.CDLL(None, use_errno=True)

Attempt = tuple[str, Callable[[], object]]


def attempts(world: dict[str, Any], box: int, own: str) -> Iterator[Attempt]:
    """All of them. `box`: the process id of the box; `own`: a folder to mount something on."""
    for name, path in world["files"].items():
        yield f"read {name}", partial(_read, path)
    yield "plant a file beside another part's", lambda: _plant(world["plant"])
    yield "change the code that parts run", lambda: _plant(world["code"])
    yield "read what the box was started with", lambda: _read(f"/proc/{box}/environ")
    yield "read the box's memory map", lambda: _read(f"/proc/{box}/maps")
    for name, family in (
        ("unix", socket.AF_UNIX),
        ("internet", socket.AF_INET),
        ("internet 6", socket.AF_INET6),
        ("netlink", socket.AF_NETLINK),
        ("vsock", VSOCK),
    ):
        kind = socket.SOCK_RAW if name == "netlink" else socket.SOCK_STREAM
        # Made and closed: nothing is ever sent on it.
        yield f"make a socket: {name}", partial(_socket, family, kind)
    yield "reach the machine's loopback", lambda: _reach(world["port"])
    yield "start a program", _spawn
    yield "become another program", _replace
    yield "fork", _fork
    yield "trace the box", lambda: _ptrace(box)
    yield "read the box's memory", lambda: _read_memory(box)
    yield "signal the box", lambda: os.kill(box, 0)
    yield "hold on to the box", lambda: os.close(os.pidfd_open(box))
    yield "mount", lambda: _mount(own)
    yield "unmount", lambda: _call("umount2", own.encode(), 2)
    yield "leave its namespaces", lambda: _call("unshare", CLONE_NEWNS)
    yield "make a user namespace", lambda: _call("unshare", CLONE_NEWUSER)
    yield "become root", lambda: os.setuid(0)
    yield "change its root", lambda: os.chroot(own)
    yield "make a device", lambda: os.mknod(f"{own}/null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))


def has_vsock() -> bool:
    """Whether this machine's kernel knows the family at all."""
    return outcome(partial(_socket, VSOCK, socket.SOCK_STREAM)) == "done"


def descriptors() -> list[str]:
    """Of what kind the descriptors are that it was born with."""
    kinds = []
    for number in range(MOST_DESCRIPTORS):
        try:
            mode = os.fstat(number).st_mode
        except OSError:
            continue
        kinds.append(f"{number} {stat.filemode(mode)[0]}")
    return kinds


def outcome(action: Callable[[], object]) -> str:
    """`done`, or the name of the error."""
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


def _read(path: str) -> None:
    with Path(path).open("rb") as file:
        file.read(1)


def _plant(path: str) -> None:
    Path(path).write_text("planted")
    Path(path).unlink()


def _socket(family: int, kind: int) -> None:
    socket.socket(family, kind).close()


def _reach(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        pass


def _spawn() -> None:
    os.waitpid(os.posix_spawn(TRUE, [TRUE], {}), 0)


def _replace() -> None:
    """By a path on which no program can be: whoever may execute at all is told that."""
    try:
        os.execve(f"{TRUE}/x", ["x"], {})
    except NotADirectoryError:
        return


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _ptrace(pid: int) -> None:
    # The kernel lets go of the traced one when the tracer ends.
    _call("ptrace", PTRACE_SEIZE, pid, None, None)


def _read_memory(pid: int) -> None:
    class Range(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))

    with Path(f"/proc/{pid}/maps").open("rb") as file:
        where = int(file.readline().split(b"-")[0], 16)
    buffer = ctypes.create_string_buffer(8)
    here = Range(ctypes.cast(buffer, ctypes.c_void_p).value, 8)
    _call("process_vm_readv", pid, ctypes.byref(here), 1, ctypes.byref(Range(where, 8)), 1, 0)


def _mount(where: str) -> None:
    _call("mount", b"none", where.encode(), b"tmpfs", 0, None)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def apart(action: Callable[[], object]) -> str:
    """As `outcome`, in a process of its own, so that what it changes is gone afterwards."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, outcome(action).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        found = told.read()
    os.waitpid(child, 0)
    return found


if __name__ == "__main__":
    world = json.loads(Path(sys.argv[1]).read_text())
    all_of_them = attempts(world, world["box"], world["own"])
    print(json.dumps({name: apart(action) for name, action in all_of_them}))
