"""How often a grant's tokens were used: what a `rate <=` caveat counts. Pure but for being told.

All tokens of one grant count together, or a client would take one more for each request. Windows
begin at multiples of their length since 1970. A count is kept as one number beside the data, so
that a store that was stopped or killed goes on counting where it was; whoever waits for it to be
durable before answering never gives more than was allowed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from databox.kit.guard import Verified
from databox.wire.errors import TooOften

PREFIX = "rate:"
_BITS = 20
"""Of a kept number: the count, at most `MAX_RATE`. The window's number stands above them."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What to keep: a name, and the number under it."""

    name: str
    number: int


class Rates:
    """The counts of all grants. `kept`: names and numbers as `Counted` has them."""

    def __init__(self, kept: Mapping[str, int]) -> None:
        self._kept = {name: number for name, number in kept.items() if name.startswith(PREFIX)}

    def take(self, verified: Verified, now: int) -> list[Counted]:
        """Count one request; gives what must be durable before it is answered.

        Raises:
            TooOften: that would be one more than allowed; nothing was counted.
        """
        rates = verified.caveats.rates
        counts = {
            rate: self._count(_name(verified, rate.window), rate.window, now) for rate in rates
        }
        full = [rate.window for rate, count in counts.items() if count >= rate.most]
        if full:
            raise TooOften("asked more often than the permission allows", wait=_wait(full, now))
        taken = [
            Counted(_name(verified, rate.window), (now // rate.window << _BITS) + count + 1)
            for rate, count in counts.items()
        ]
        self._kept.update((each.name, each.number) for each in taken)
        return taken

    def _count(self, name: str, window: int, now: int) -> int:
        number = self._kept.get(name, 0)
        return number & ((1 << _BITS) - 1) if number >> _BITS == now // window else 0


def _name(verified: Verified, window: int) -> str:
    return f"{PREFIX}{verified.client}:{verified.grant}:{window}"


def _wait(windows: Iterable[int], now: int) -> int:
    """Seconds until all these windows are over."""
    return max(-(-(window - now % window) // 1000) for window in windows)
