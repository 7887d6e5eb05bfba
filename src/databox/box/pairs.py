"""Pairs of caller and callee: who may talk to whom is which listeners exist.

For each pair a Unix listener at `run/peers/<caller>/<callee>.sock`, in a folder that the caller's
uid alone can enter and that is mounted in its sandbox. A caller in a sandbox gets a second one, the
TLS twin, at `run/pairs/<caller>/<callee>.tls`, which the switchboard alone can reach.

The box keeps a descriptor of every listener: so callers can wait in its queue while the callee is
asleep or was just killed.
"""

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from databox.box.home import PASSABLE, Home
from databox.wire.control import Listener
from databox.wire.errors import Denied, Unavailable

BACKLOG = 64
PLAIN, TLS = ".sock", ".tls"
TWINS_INSIDE = Path("/pairs")
"""Where the switchboard finds the TLS twins."""


@dataclass(frozen=True, slots=True)
class Door:
    """One listener. The socket stays the property of `Pairs`."""

    message: Listener
    socket: socket.socket


class Pairs:
    """Every pair there is. `switchboard`: its uid as root."""

    def __init__(self, home: Home, switchboard: int | None) -> None:
        self._home = home
        self._switchboard = switchboard
        self._doors: dict[tuple[str, str], tuple[Door, ...]] = {}
        if switchboard is not None:
            os.chown(home.pairs, switchboard, switchboard)

    def has(self, caller: str, callee: str) -> bool:
        """Whether this pair exists."""
        return (caller, callee) in self._doors

    def of(self, name: str) -> tuple[tuple[str, str], ...]:
        """Every pair, caller and callee, in which `name` is one of the two."""
        return tuple(pair for pair in self._doors if name in pair)

    def of_callee(self, callee: str) -> Iterator[Door]:
        """Every listener on which this callee accepts."""
        for (_, name), doors in self._doors.items():
            if name == callee:
                yield from doors

    def ensure(self, caller: str, callee: str, *, uid: int | None, twin: bool) -> tuple[Door, ...]:
        """Make a pair; gives its new listeners, none if it was there. `uid`: the caller's own."""
        if self.has(caller, callee):
            return ()
        path = self.folder(caller, uid) / f"{callee}{PLAIN}"
        doors = [_door(path, uid, Listener(caller=caller, callee=callee, kind="plain"))]
        if twin:
            doors.append(self._twin(caller, callee))
        self._doors[caller, callee] = tuple(doors)
        return self._doors[caller, callee]

    def folder(self, caller: str, uid: int | None) -> Path:
        """The folder of a caller's sockets, which its sandbox mounts."""
        path = self._home.peers / caller
        # The caller enters it by its group, and owns nothing that it could change.
        _make(path, 0o700 if uid is None else 0o750, None if uid is None else os.geteuid(), uid)
        return path

    def drop(self, caller: str, callee: str) -> None:
        """End a pair: no new connection from now on. Open ones are the callee's to close."""
        for door in self._doors.pop((caller, callee), ()):
            door.socket.close()
        (self._home.peers / caller / f"{callee}{PLAIN}").unlink(missing_ok=True)
        (self._home.pairs / caller / f"{callee}{TLS}").unlink(missing_ok=True)

    def forget(self, caller: str) -> None:
        """Remove the folders of a caller that has no pair any more."""
        for folder in (self._home.peers / caller, self._home.pairs / caller):
            shutil.rmtree(folder, ignore_errors=True)

    def connect(self, caller: str, callee: str) -> socket.socket:
        """A connection, as if `caller` had made it.

        Raises:
            Denied: there is no such pair.
            Unavailable: too many wait for the callee already.
        """
        if not self.has(caller, callee):
            raise Denied(f"{caller} has no business with {callee}", code="no-pair", found=callee)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            with _short(self._home.peers / caller / f"{callee}{PLAIN}") as path:
                connection.connect(path)
        except BlockingIOError as error:
            connection.close()
            raise Unavailable(f"{callee} is too busy", code="busy") from error
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """End every pair."""
        for caller, callee in tuple(self._doors):
            self.drop(caller, callee)

    def _twin(self, caller: str, callee: str) -> Door:
        folder = self._home.pairs / caller
        _make(folder, 0o700, self._switchboard, self._switchboard)
        message = Listener(caller=caller, callee=callee, kind="tls")
        return _door(folder / f"{callee}{TLS}", self._switchboard, message)


def _door(path: Path, uid: int | None, message: Listener) -> Door:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with _short(path) as short:
        listener.bind(short)
    # The folder is closed to all others, so nobody connects before the owner is set.
    path.chmod(0o600)
    if uid is not None:
        os.chown(path, uid, uid)
    listener.listen(BACKLOG)
    return Door(message, listener)


def _make(path: Path, mode: int, uid: int | None, gid: int | None) -> None:
    path.mkdir(mode=PASSABLE & mode, exist_ok=True)
    if uid is not None and gid is not None:
        os.chown(path, uid, gid)
    path.chmod(mode)


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for `path` that fits in the 107 bytes of a Unix address, however deep the home is."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
