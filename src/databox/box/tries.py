"""Wrong passphrases cost time, more with each: nobody tries many. Pure."""

from databox.wire.errors import Unauthenticated

FREE = 4
LONGEST_SECONDS = 60.0


class Tries:
    """Counts wrong tries in a row. `now`: seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._wrong = 0
        self._next = 0.0

    def begin(self, now: float) -> None:
        """A try begins; it counts as wrong until it was right.

        Raises:
            Unauthenticated: the wait after the last wrong one is not over.
        """
        if now < self._next:
            raise Unauthenticated(
                "too many wrong tries",
                code="too-many-tries",
                remedy=f"Wait {self._next - now:.0f} seconds",
            )
        self._wrong += 1
        if self._wrong >= FREE:
            # The power is bounded by itself: after a thousand tries it is no number any more.
            self._next = now + min(LONGEST_SECONDS, 2.0 ** min(self._wrong - FREE, 10))

    def right(self) -> None:
        """The try was right: everything is forgiven."""
        self._wrong = 0
        self._next = 0.0
