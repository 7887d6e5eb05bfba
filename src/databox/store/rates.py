"""How often a grant's tokens were used: what a `rate <=` caveat counts.

All tokens of one grant count together, or a client would take one more for each request. Windows
begin at multiples of their length since 1970. A count is kept as one number beside the data, so
that a store that was stopped or killed goes on counting where it was; whoever waits for it to be
durable before answering never gives more than was allowed.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from databox.kit.clock import Clock
from databox.kit.guard import Verified
from databox.wire.caveats import Rate
from databox.wire.errors import TooOften

_BITS = 20
_MOST = (1 << _BITS) - 1
"""The low bits of a kept number are the count, at most `MAX_RATE`; above stands the window's."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What to keep: a name, and the number under it."""

    name: str
    number: int


class Rates:
    """The counts of all grants.

    Args:
        load: Gives the number that is kept under a name, 0 if there is none.
        clock: A time that never goes back.
    """

    def __init__(self, load: Callable[[str], Awaitable[int]], clock: Clock) -> None:
        self._load = load
        self._clock = clock
        self._numbers: dict[str, int] = {}

    async def take(self, verified: Verified) -> list[Counted]:
        """Count one request; gives what must be durable before it is answered.

        Raises:
            TooOften: that would be one more than allowed; nothing was counted.
        """
        rates = verified.caveats.rates
        for rate in rates:
            name = _name(verified, rate)
            if name not in self._numbers:
                # Whoever came meanwhile has counted on from the same number.
                self._numbers.setdefault(name, await self._load(name))
        now = self._clock.now()
        full = [rate for rate in rates if self._count(verified, rate, now) >= rate.most]
        if full:
            raise TooOften("asked more often than the permission allows", wait=_wait(full, now))
        taken = [_next(verified, rate, self._count(verified, rate, now), now) for rate in rates]
        self._numbers.update((each.name, each.number) for each in taken)
        return taken

    def _count(self, verified: Verified, rate: Rate, now: int) -> int:
        number = self._numbers[_name(verified, rate)]
        return number & _MOST if number >> _BITS == now // rate.window else 0


def _next(verified: Verified, rate: Rate, count: int, now: int) -> Counted:
    return Counted(_name(verified, rate), (now // rate.window << _BITS) + count + 1)


def _name(verified: Verified, rate: Rate) -> str:
    return f"rate:{verified.client}:{verified.grant}:{rate.window}"


def _wait(rates: Iterable[Rate], now: int) -> int:
    """Seconds until the windows of all these are over."""
    return max(-(-(rate.window - now % rate.window) // 1000) for rate in rates)
