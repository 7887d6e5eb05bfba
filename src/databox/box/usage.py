"""What processes use, read from /proc."""

import os
from pathlib import Path

MARK = "\N{REPLACEMENT CHARACTER}"
_TICKS = os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    """The fair share of memory, PSS, in bytes; 0 if the process is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def cpu(pid: int) -> float:
    """Seconds of processor so far; 0 if the process is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def tail(path: Path, most: int) -> str:
    """The end of a file as text, at most `most` bytes of it; empty if there is none.

    Whoever wrote it is not trusted: what would steer a terminal, or be six bytes long in JSON, is
    shown as a mark.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - most))
            text = file.read(most).decode(errors="replace")
    except OSError:
        return ""
    return "".join(c if c.isprintable() or c in "\n\t" else MARK for c in text)
