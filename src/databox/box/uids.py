"""One kernel uid for each part, store and instance, so that they cannot touch one another.

A uid once given to a name stays with it and is never given to another, because files of that
number may still lie somewhere. Only as root; an ordinary user has one uid for all, and the walls
are namespaces alone.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from databox.box.home import write_private
from databox.wire.errors import Unavailable

HIGH_BASE, LOW_BASE = 1_880_000_000, 50_000
"""Far above what people and systemd give out; the low one where only 65536 uids exist."""
MOST = 10_000


class Uids:
    """Remembers who has which number, in a file that is written before a number is used."""

    def __init__(self, path: Path, base: int | None) -> None:
        """`base`: the first number, None to give out none."""
        self._path = path
        self._base = base
        self._given: dict[str, int] = {}
        if path.exists():
            self._given = msgspec.json.decode(path.read_bytes(), type=dict[str, int])

    @classmethod
    def of_this_machine(cls, path: Path) -> "Uids":
        """Choose the base by what this process may become."""
        if os.geteuid() != 0:
            return cls(path, None)
        mapped = parse_map(Path("/proc/self/uid_map").read_text())
        return cls(path, base_in(mapped))

    def of(self, name: str) -> int | None:
        """The uid of `name`, a new one if it has none.

        Raises:
            Unavailable: all have been given out.
        """
        if self._base is None:
            return None
        if name not in self._given:
            number = max(self._given.values(), default=-1) + 1
            if number >= MOST:
                raise Unavailable("every uid of the box has been given out", code="uids")
            self._given[name] = number
            write_private(self._path, msgspec.json.encode(self._given))
        return self._base + self._given[name]


def parse_map(text: str) -> list[range]:
    """The uids that exist in this user namespace."""
    lines = (line.split() for line in text.splitlines())
    return [range(int(first), int(first) + int(count)) for first, _, count in lines]


def base_in(mapped: Iterable[range]) -> int:
    """The first uid to give out."""
    high = range(HIGH_BASE, HIGH_BASE + MOST)
    if any(high[0] in part and high[-1] in part for part in mapped):
        return HIGH_BASE
    return LOW_BASE
