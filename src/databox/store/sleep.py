"""When a store may fall asleep: decided from when it was asked, without touching anything.

A store that sleeps is no process at all, and costs a start at the next request. So one that is
asked again and again in a rhythm stays awake between two requests, as long as that is a short wait.
"""

LONGEST = 3.0
"""The longest wait, as a multiple of the usual one."""
_ROOM = 1.5
"""A rhythm is not a clock: so many times its length must pass before it counts as over."""


class Patience:
    """How long nobody must have asked anything before a store sleeps.

    Args:
        usual: Seconds that are enough for a store that is asked now and then.
        away: Seconds from the last request before it slept to the one that woke it; None if that
            is not known.
    """

    def __init__(self, usual: float, away: float | None = None) -> None:
        self.usual = usual
        self._rhythm = 0.0
        self._last: float | None = None
        if away is not None:
            self._take(away)

    @property
    def seconds(self) -> float:
        """The wait that is right now."""
        return max(self.usual, _ROOM * self._rhythm)

    def asked(self, at: float) -> None:
        """Somebody asked last at `at`, seconds of any steady clock."""
        if self._last is not None and at > self._last:
            self._take(at - self._last)
        self._last = at

    def _take(self, gap: float) -> None:
        # Short gaps say nothing: many requests come in bursts. A long one is not worth waiting for.
        if self.usual / 2 <= gap and _ROOM * gap <= LONGEST * self.usual:
            self._rhythm = max(self._rhythm, gap)
