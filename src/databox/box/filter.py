"""The system calls that our own parts do without, on top of those that no app has either.

Two filters are laid over each other: the engine's list for apps, and this one. The kernel obeys the
stricter. Neither is ever lifted.
"""

import errno
import struct
from collections.abc import Iterator

from databox.box.birth import Machine

# name: (x86-64, arm64)
_STARTS_PROGRAMS = {
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
}
_MAKES_CONNECTIONS = {"socket": (41, 198), "connect": (42, 203)}
_TAKES_ADDRESSES = {"bind": (49, 200)}
_CLONE = (56, 220)
_CLONE_THREAD = 0x00010000

_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
_LOAD, _EQUAL, _SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _FIRST_ARGUMENT = 0, 16


def program(machine: Machine, *, network: bool) -> bytes:
    """The filter for one of our parts. `network`: it may make sockets and connect them.

    The engine's filter, which is always installed as well, has killed foreign architectures before
    this one's verdict counts.
    """
    return b"".join(struct.pack("=HBBI", *each) for each in _instructions(machine, network))


def refused(machine: Machine, *, network: bool) -> tuple[int, ...]:
    """The numbers of the calls that are refused whatever their arguments."""
    calls = _STARTS_PROGRAMS | _TAKES_ADDRESSES | ({} if network else _MAKES_CONNECTIONS)
    column = _column(machine)
    numbers = (pair[column] for pair in calls.values())
    return tuple(number for number in numbers if number is not None)


def _instructions(machine: Machine, network: bool) -> Iterator[tuple[int, int, int, int]]:
    yield (_LOAD, 0, 0, _NUMBER)
    for number in refused(machine, network=network):
        yield (_EQUAL, 0, 1, number)
        yield (_RETURN, 0, 0, _REFUSE)
    # A new thread is fine, a new process is not: nothing that took over a part leaves a child.
    yield (_EQUAL, 0, 3, _CLONE[_column(machine)])
    yield (_LOAD, 0, 0, _FIRST_ARGUMENT)
    yield (_SET, 1, 0, _CLONE_THREAD)
    yield (_RETURN, 0, 0, _REFUSE)
    yield (_RETURN, 0, 0, _ALLOW)


def _column(machine: Machine) -> int:
    return 0 if machine == "x86_64" else 1
