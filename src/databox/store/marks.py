"""How far somebody has heard, as the `id` of an event tells it, and reads it again. Pure.

An id holds a number, which says exactly what was missed while this run of the store lasts, and a
time, which says what is newer in any other. The number is veiled: how far two of them lie apart
would tell how much was written in between, also to other sources or of hidden times.
"""

import re
from dataclasses import dataclass
from hashlib import blake2s

from databox.wire.errors import BadRequest

_MARK = re.compile(r"([0-9a-f]{8})\.([0-9a-f]{16})\.(-?[0-9]{1,16})", re.ASCII)
_WINDOW = re.compile(r"w(-?[0-9]{1,16})", re.ASCII)
_NO_RUN, _NO_NUMBER = "0" * 8, "0" * 16
_ROUNDS = 4
"""Of a Feistel network, so that nobody who sees numbers can tell them from random ones."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place among all events. `number`: None if it is of another run; `t`: Unix ms."""

    number: int | None
    t: int


class Marks:
    """The ids of one run. `key`: 32 random bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._run = blake2s(b"run", key=key, digest_size=4).hexdigest()

    def of(self, number: int, t: int) -> str:
        """The id of an event with this number, when the newest time told of is `t`."""
        high, low = divmod(number, 1 << 32)
        for turn in range(_ROUNDS):
            high, low = low, high ^ self._mix(turn, low)
        return f"{self._run}.{high:08x}{low:08x}.{t}"

    def read(self, text: str) -> Mark:
        """What an id tells.

        Raises:
            BadRequest: it is none.
        """
        found = _MARK.fullmatch(text)
        if not found:
            raise _no_id(text)
        if found[1] != self._run:
            return Mark(None, int(found[3]))
        high, low = int(found[2][:8], 16), int(found[2][8:], 16)
        for turn in reversed(range(_ROUNDS)):
            high, low = low ^ self._mix(turn, high), high
        return Mark(high << 32 | low, int(found[3]))

    def _mix(self, turn: int, half: int) -> int:
        text = turn.to_bytes(1, "big") + half.to_bytes(4, "big")
        return int.from_bytes(blake2s(text, key=self._key, digest_size=4).digest(), "big")


def by_time(t: int) -> str:
    """The id of a point that was found in the file: who comes back is told what is newer."""
    return f"{_NO_RUN}.{_NO_NUMBER}.{t}"


def of_window(end: int) -> str:
    """The id of a window that ends at `end`, Unix ms."""
    return f"w{end}"


def window_end(text: str) -> int:
    """The end of the window that an id tells of.

    Raises:
        BadRequest: it is none of a window.
    """
    found = _WINDOW.fullmatch(text)
    if not found:
        raise _no_id(text)
    return int(found[1])


def _no_id(text: str) -> BadRequest:
    return BadRequest(
        "this is not the id of an event",
        code="parameter",
        field="after",
        found=text[:40],
        remedy="Give the id of the last event that came, or none",
    )
