"""What the machine says of processes: their processor time, memory, files and cores."""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path


def cores() -> tuple[int, int]:
    """The core for what is measured and the one for the load; the same if there is one alone."""
    mine = sorted(os.sched_getaffinity(0))
    return mine[0], mine[-1]


def tree(root: int) -> list[int]:
    """A process and all below it."""
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            waiting.extend(int(child) for child in children.read_text().split())
    return found


class Meter:
    """Processor time of some processes together. `pids`: which they are now, asked each time."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids
        self._known: dict[int, float] = {}

    def seconds(self) -> float:
        """User and system time so far, all threads; of who has ended, what was last seen."""
        for pid in self._pids():
            with suppress(OSError):
                self._known[pid] = cpu_seconds(pid)
        return sum(self._known.values())


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, all threads, to the nanosecond.

    Raises:
        OSError: there is no such process.
    """
    # The kernel makes a process's clock id of its number: CPUCLOCK_SCHED in linux/posix-timers.h.
    return time.clock_gettime((~pid << 3) | 2)


def pss(pid: int) -> float:
    """The process's fair share of its pages, MB of 2^20 bytes; as root only for other users'."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def open_files(pid: int) -> int:
    """How many descriptors a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def disk_bytes(folder: Path) -> int:
    """What the files below a folder take on the disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
