"""Refusals, written down without letting whoever is refused fill the ledger.

The first is written at once. Equal ones within the minute are counted and written as one line when
the minute is over. A caller with very many different ones gets a single line for the rest.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from databox.kit.clock import Clock
from databox.wire.ledger import Refused

WINDOW_MS = 60_000
MAX_KINDS = 30
"""Different refusals of one caller in a minute that get lines of their own."""
_MAX_TEXT = 200
_REST = "(many others)"

_Key = tuple[str, str, str, str, str]


@dataclass(slots=True)
class _Window:
    began: int
    more: int = 0


class Refusals:
    """Counts and writes.

    Args:
        clock: Time of day.
        write: Writes one entry.
    """

    def __init__(self, clock: Clock, write: Callable[[Refused], object]) -> None:
        self._clock = clock
        self._write = write
        self._open: dict[_Key, _Window] = {}

    def note(self, client: str, target: str, method: str, path: str, why: str) -> None:
        """Somebody asked and was told no."""
        now = self._clock.now()
        self._close(now - WINDOW_MS)
        key = (client[:_MAX_TEXT], target[:_MAX_TEXT], method[:10], path[:_MAX_TEXT], why)
        if key not in self._open and self._kinds()[client[:_MAX_TEXT]] >= MAX_KINDS:
            key = (client[:_MAX_TEXT], _REST, "", _REST, _REST)
        window = self._open.get(key)
        if window:
            window.more += 1
            return
        self._open[key] = _Window(now)
        self._write(_entry(key, 1))

    def flush(self) -> None:
        """Write what was counted in minutes that are over. Call it now and then."""
        self._close(self._clock.now() - WINDOW_MS)

    def finish(self) -> None:
        """Write all that was counted, before the process ends."""
        self._close(self._clock.now())

    def _close(self, before: int) -> None:
        for key, window in list(self._open.items()):
            if window.began <= before:
                del self._open[key]
                if window.more:
                    self._write(_entry(key, window.more))

    def _kinds(self) -> Counter[str]:
        return Counter(key[0] for key in self._open)


def _entry(key: _Key, count: int) -> Refused:
    client, target, method, path, why = key
    return Refused(client=client, target=target, method=method, path=path, why=why, count=count)
