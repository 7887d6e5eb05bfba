"""The processes of an instance, seen from the host through /proc.

All are in one pid namespace, whose pid 1 the engine holds, so membership is one inode to compare.
"""

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
KIBIBYTE = 1024


def namespace(pid: int) -> int | None:
    """The inode of a process's pid namespace; None once it is gone or not ours to see."""
    with contextlib.suppress(OSError):
        return (PROC / str(pid) / "ns" / "pid").stat().st_ino
    return None


def by_namespace() -> dict[int, list[int]]:
    """Every process that we may look at, by pid namespace; one pass for all instances."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for name in os.listdir(PROC):  # noqa: PTH208 - a Path for each process doubles the time
        if name.isdigit() and (inode := namespace(int(name))) is not None:
            found[inode].append(int(name))
    return found


def children(pid: int) -> tuple[int, ...]:
    """Direct children of a process."""
    with contextlib.suppress(OSError):
        text = (PROC / str(pid) / "task" / str(pid) / "children").read_text()
        return tuple(int(word) for word in text.split())
    return ()


def share_of_memory(pids: Iterable[int]) -> int:
    """Bytes of memory, shared pages counted in parts (PSS)."""
    return sum(_pss(pid) for pid in pids)


def cpu_seconds(pids: Iterable[int]) -> float:
    """Seconds of processor, with those of children that have ended and were waited for."""
    return sum(_ticks(pid) for pid in pids) / TICKS


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * KIBIBYTE
    return 0


def _ticks(pid: int) -> int:
    with contextlib.suppress(OSError):
        text = (PROC / str(pid) / "stat").read_text()
        # The second field is the program's own name and may hold blanks and brackets.
        return sum(int(word) for word in text.rpartition(")")[2].split()[11:15])
    return 0
