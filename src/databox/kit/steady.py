"""A time of day that never goes back, also over restarts.

Whoever can set the machine's clock could otherwise make an expired token good again.
"""

from collections.abc import Callable

from databox.kit.clock import Clock

STEP = 60_000
"""How far time may run ahead of the stored mark before it is stored again, in ms."""


class SteadyClock:
    """Never tells a time below the highest it has told, or below the stored mark.

    Args:
        clock: The machine's time of day.
        mark: The stored high-water mark, Unix ms; 0 if there is none.
        save: Stores a new mark, about once a minute; None where another part of the box does.
    """

    __slots__ = ("_clock", "_highest", "_save", "_saved")

    def __init__(self, clock: Clock, mark: int, save: Callable[[int], None] | None = None) -> None:
        self._clock = clock
        self._highest = mark
        self._saved = mark
        self._save = save

    def now(self) -> int:
        """Unix time in ms."""
        now = self._clock.now()
        if now <= self._highest:
            return self._highest
        self._highest = now
        if self._save and now - self._saved >= STEP:
            self._saved = now
            self._save(now)
        return now

    def raise_to(self, mark: int) -> None:
        """Take over a later time that another part of the box has seen."""
        self._highest = max(self._highest, mark)
