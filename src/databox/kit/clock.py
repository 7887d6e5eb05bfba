"""The time of day as an argument, Unix time in ms, so that any moment can be tried in a test."""

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Whatever can tell the time."""

    def now(self) -> int:
        """The time of day, Unix time in ms."""
        ...


class SystemClock:
    """The machine's own time of day, which may jump when the machine is set right."""

    def now(self) -> int:
        """The time of day, Unix time in ms."""
        return time.time_ns() // 1_000_000


@dataclass(slots=True)
class FixedClock:
    """A clock that moves only when told to, for tests."""

    time: int = 1_500_000_000_000

    def now(self) -> int:
        """The time that was set, Unix time in ms."""
        return self.time

    def advance(self, milliseconds: int) -> None:
        """Let this many milliseconds pass."""
        self.time += milliseconds
