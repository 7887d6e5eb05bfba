"""What Linux says about this computer, from the text of three files in `/proc`."""

from typing import NamedTuple

MEBIBYTE = 1024  # /proc/meminfo counts in kibibytes


class Ticks(NamedTuple):
    """Processor time since the computer started, in ticks: doing something, and all."""

    busy: int
    all: int


class Memory(NamedTuple):
    """Memory in mebibytes. `free`: what programs could still get without swapping."""

    used: int
    free: int


def ticks(stat: str) -> Ticks:
    """Read `/proc/stat`: its first line sums up all processors.

    Its columns are user, nice, system, idle, waiting for disks, then interrupts and time taken by
    other virtual machines. Guest time, after these, is counted within user time already.
    """
    columns = [int(word) for word in stat.partition("\n")[0].split()[1:9]]
    return Ticks(busy=sum(columns) - columns[3] - columns[4], all=sum(columns))


def load(before: Ticks, after: Ticks) -> float | None:
    """The share of processor time used between two looks, in percent; None if none passed."""
    passed = after.all - before.all
    if passed <= 0:
        return None
    # A processor that was switched off can make the count of busy ticks go back.
    return round(min(100.0, max(0.0, 100 * (after.busy - before.busy) / passed)), 1)


def load_average(loadavg: str) -> float:
    """Read `/proc/loadavg`: programs that wanted to run, averaged over a minute."""
    return float(loadavg.split(maxsplit=1)[0])


def memory(meminfo: str) -> Memory:
    """Read `/proc/meminfo`."""
    lines = (line.split() for line in meminfo.splitlines())
    sizes = {words[0]: int(words[1]) for words in lines if len(words) > 1}
    free = sizes["MemAvailable:"]
    return Memory(used=(sizes["MemTotal:"] - free) // MEBIBYTE, free=free // MEBIBYTE)
