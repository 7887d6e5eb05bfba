"""What bounds an instance, and how hard: decided here, done elsewhere.

A control group bounds the whole instance ("hard"). Without one, a resource limit bounds each
process ("per process") and a watcher counts the sum and stops the instance ("watched").
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from databox.wire.runspec import Limits

MEBIBYTE = 1024 * 1024
OPEN_FILES = 1024
PERIOD_US = 100_000
OVERRUN = 1.2
"""A watched limit stops the instance at 120 %: pages and blocks are counted a little late."""
BYTES_PER_FILE = 4096
"""A watched disk limit allows one file for each 4 KiB: an inode costs even when it is empty."""
TMP_FILES = 16_384


class Level(StrEnum):
    """How hard a limit is, in the words that the owner sees."""

    HARD = "hard"
    PER_PROCESS = "per process"
    WATCHED = "watched"


@dataclass(frozen=True, slots=True)
class Levels:
    """How hard each limit is on this machine."""

    memory: Level
    processes: Level
    cpu: Level
    disk: Level = Level.WATCHED

    def weakest(self) -> Level:
        """One word for all of it but the disk, which is watched everywhere."""
        order = list(Level)
        return max((self.memory, self.processes, self.cpu), key=order.index)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Resource limits a process: bytes of data (None: bounded by a control group) and of a file."""

    data: int | None
    file: int

    def options(self) -> tuple[str, ...]:
        """For `prlimit`. RLIMIT_DATA and never RLIMIT_AS, which silently kills node."""
        fixed = ("--core=0", "--memlock=0", f"--nofile={OPEN_FILES}", f"--fsize={self.file}")
        return fixed if self.data is None else (*fixed, f"--data={self.data}")


def ceiling(limits: Limits, levels: Levels) -> Ceiling:
    """The limits of each process that stand beside, or in for, the control group's."""
    hard = levels.memory is Level.HARD
    return Ceiling(
        data=None if hard else limits.memory_mb * MEBIBYTE,
        file=limits.disk_mb * MEBIBYTE,
    )


def quota_us(cpu: float) -> int:
    """Microseconds of a core in each period. The kernel takes no less than 1000."""
    return max(1000, math.ceil(cpu * PERIOD_US))


def file_bound(limits: Limits) -> int:
    """How many files `/var` may hold."""
    return limits.disk_mb * MEBIBYTE // BYTES_PER_FILE
