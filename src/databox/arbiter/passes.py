"""Tokens that our own parts get, written down without filling the ledger.

The gateway gets one for each page that the signed-in person looks at, again every five minutes.
The first of a kind is written at once; equal ones within the hour are counted and written as one
line when it is over. A crash can lose how many there were, never that there were any.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from databox.kit.clock import Clock
from databox.wire.ledger import TokenMinted
from databox.wire.names import PARTS

WINDOW_MS = 3_600_000
MAX_KINDS = 1000
"""Kinds counted at a time; further ones are written one by one."""


@dataclass(slots=True)
class _Window:
    began: int
    more: int = 0


class Passes:
    """Counts and writes.

    Args:
        clock: Time of day.
        write: Writes one entry.
    """

    def __init__(self, clock: Clock, write: Callable[[TokenMinted], object]) -> None:
        self._clock = clock
        self._write = write
        self._open: dict[TokenMinted, _Window] = {}

    def note(self, event: TokenMinted) -> None:
        """A token was minted."""
        window = self._open.get(event) if event.client in PARTS else None
        if window is not None:
            window.more += 1
            return
        if event.client in PARTS and len(self._open) < MAX_KINDS:
            self._open[event] = _Window(self._clock.now())
        self._write(event)

    def flush(self) -> None:
        """Write what was counted in hours that are over. Call it now and then."""
        self._close(self._clock.now() - WINDOW_MS)

    def finish(self) -> None:
        """Write all that was counted, before the process ends."""
        self._close(self._clock.now())

    def _close(self, before: int) -> None:
        for event, window in list(self._open.items()):
            if window.began <= before:
                del self._open[event]
                if window.more:
                    self._write(msgspec.structs.replace(event, count=window.more))
