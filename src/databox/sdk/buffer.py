"""Readings that wait for their store: bounded, in order, kept until the store said yes."""

import threading
from collections import deque
from typing import NamedTuple


class Waiting(NamedTuple):
    """One reading to write. `record`: as the store takes it, `{"data": …, "timestamp": ms}`.

    `path`: where, below the source.
    """

    source: str
    record: bytes
    path: str = "ts"


class Buffer:
    """A queue between the functions that take readings and the thread that writes them.

    When it is full the oldest go, because the newest tell most; how many is counted.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: deque[Waiting] = deque()
        self._changed = threading.Condition()
        self.dropped = 0
        """How many readings were given up since the start."""

    def put(self, reading: Waiting) -> None:
        """Add one at the end."""
        with self._changed:
            if len(self._waiting) >= self._size:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(reading)
            self._changed.notify_all()

    def first(self, timeout: float) -> Waiting | None:
        """The oldest one, which stays until `done`; None if none came in `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, timeout)
            return self._waiting[0] if self._waiting else None

    def done(self, reading: Waiting) -> None:
        """Forget one: the store has it, or will never take it."""
        with self._changed:
            # It is gone already if it was given up while it was on its way.
            if self._waiting and self._waiting[0] is reading:
                self._waiting.popleft()
            self._changed.notify_all()

    def empty(self, timeout: float) -> bool:
        """Wait until nothing waits any more, at most so many seconds; whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, timeout)
