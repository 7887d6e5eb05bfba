"""Processes that a killed box may have left: found by number and start time, and ended.

The kernel ends parts and sandboxes when the box dies. This is for the ones it had not yet told to.
"""

import contextlib
import os
import select
import signal
from pathlib import Path

END_SECONDS = 5.0
MOST_BYTES = 64 * 1024
"""A longer register is written anew with those that still run."""


class Register:
    """A file with a line for each process that was started: its number and its start time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, pid: int) -> None:
        """Write down a process. Not synced: after a power cut there are no processes."""
        born = start_time(pid)
        if born is None:
            return
        with self._path.open("a") as file:
            file.write(f"{pid} {born}\n")
            long = file.tell() > MOST_BYTES
        if long:
            alive = [f"{pid} {born}\n" for pid, born in self._lines() if start_time(pid) == born]
            self._path.write_text("".join(alive))

    def end_all(self) -> int:
        """End every listed process that is still the same one; says how many there were."""
        ended = sum(_end(pid, born) for pid, born in self._lines())
        self._path.unlink(missing_ok=True)
        return ended

    def _lines(self) -> list[tuple[int, str]]:
        try:
            text = self._path.read_text()
        except FileNotFoundError:
            return []
        pairs = (line.split() for line in text.splitlines())
        # The last line may be half written.
        return [(int(pair[0]), pair[1]) for pair in pairs if len(pair) == 2 and pair[0].isdigit()]


def start_time(pid: int) -> str | None:
    """When a process started, in the kernel's ticks since boot: with the number, who it is."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The program's name may hold spaces and brackets.
    return stat.rpartition(")")[2].split()[19]


def _end(pid: int, born: str) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        # Checked with the descriptor open: it stays this process even if the number is used anew.
        if start_time(pid) != born:
            return False
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        select.select([descriptor], [], [], END_SECONDS)
        return True
    finally:
        os.close(descriptor)
