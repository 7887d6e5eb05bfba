"""The box's one door for browsers: its port on both loopback addresses, or none at all.

On one address alone, another program could take the other and receive what browsers send to the
same name.
"""

import socket
from pathlib import Path

from databox.wire.errors import Conflict

ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
BACKLOG = 128
LISTENING = "0A"
_TRIES = 20

_ANY_4, _ANY_6 = "0" * 8, "0" * 32
_BLOCKERS = {
    # Who listens on all addresses of IPv6 may have IPv4's as well.
    "127.0.0.1": {"0100007F", _ANY_4, _ANY_6, "0000000000000000FFFF00000100007F"},
    "::1": {"00000000000000000000000001000000", _ANY_6},
}
"""The addresses, as the kernel's tables write them, whose listener keeps ours away."""


def listen(port: int) -> tuple[socket.socket, socket.socket]:
    """Listen on 127.0.0.1 and ::1; port 0: the kernel chooses one that is free on both.

    Raises:
        Conflict: somebody has the port on one of them.
    """
    for _ in range(_TRIES):
        first = _bind(*ADDRESSES[0], port)
        try:
            return first, _bind(*ADDRESSES[1], first.getsockname()[1])
        except Conflict:
            first.close()
            if port:
                raise
    raise Conflict("no port is free on both loopback addresses", code="port-taken")


def _bind(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # Connections of a box that ended just now linger and would block its successor.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Conflict(
            f"the box cannot listen on {address} port {port}: {error.strerror}",
            code="port-taken",
            field="port",
            found=holder(address, port) or "no program that this user may see",
            remedy="End that program, or choose another port with --port",
        ) from error
    return listener


def holder(address: str, port: int) -> str:
    """Who keeps us off `port`: name and process id, empty where this user cannot see it."""
    inodes = {f"socket:[{inode}]" for inode in _inodes(_BLOCKERS[address], port)}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in inodes for link in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue
    return ""


def _inodes(blockers: set[str], port: int) -> list[str]:
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            where, _, number = fields[1].partition(":")
            if fields[3] == LISTENING and where in blockers and int(number, 16) == port:
                found.append(fields[9])
    return found
