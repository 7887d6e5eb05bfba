"""What a running box has in the kernel, so that a test can say what is left when it has ended."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
_GROUPS = Path("/sys/fs/cgroup")
_LISTENING = "0A"


@dataclass(frozen=True)
class Footprint:
    """Taken while the box runs. `processes`: number and start time, which together name one."""

    home: Path
    port: int
    processes: frozenset[tuple[int, str]]
    namespaces: frozenset[str]
    groups: frozenset[Path]

    @classmethod
    def of(cls, pid: int, home: Path, port: int) -> "Footprint":
        """Of the box whose first process is `pid`."""
        pids = _family(pid)
        return cls(
            home=home,
            port=port,
            processes=frozenset((each, _born(each)) for each in pids),
            namespaces=frozenset().union(*map(_namespaces, pids)) - _namespaces(os.getpid()),
            groups=frozenset().union(*map(_groups, pids)) - _groups(os.getpid()),
        )

    def left(self) -> list[str]:
        """Whatever of it is still there, in words."""
        return [
            *(f"process {pid}" for pid, born in self.processes if _born(pid) == born),
            *(f"namespace {name} of process {pid}" for pid, name in self._still_inside()),
            *(f"control group {group}" for group in self.groups if group.exists()),
            *(f"mount {line}" for line in _lines("/proc/self/mounts") if str(self.home) in line),
            *(f"mount {name}" for name in _named_namespaces() if "databox" in name),
            *(f"socket {path}" for path in self.home.rglob("*") if path.is_socket()),
            *(f"socket {line}" for line in _lines("/proc/net/unix") if str(self.home) in line),
            *(f"listener {line}" for line in _listeners(self.port)),
        ]

    def _still_inside(self) -> list[tuple[int, str]]:
        """Processes in its namespaces. Later ones are not meant: the kernel uses numbers anew."""
        newest = max(int(born) for _, born in self.processes if born)
        return [
            (pid, name)
            for pid in map(int, _pids())
            if int(_born(pid) or newest + 1) <= newest
            for name in self.namespaces & _namespaces(pid)
        ]


def _pids() -> list[str]:
    return [path.name for path in Path("/proc").glob("[0-9]*")]


def _family(pid: int) -> set[int]:
    """A process and everything below it."""
    parents: dict[int, int] = {}
    for each in map(int, _pids()):
        with contextlib.suppress(OSError):
            parents[each] = int(_stat(each)[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _stat(pid: int) -> list[str]:
    """The fields after the name, which may hold spaces and brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _born(pid: int) -> str:
    """When a process started, in ticks since boot; empty when there is none."""
    try:
        return _stat(pid)[19]
    except OSError:
        return ""


def _namespaces(pid: int) -> frozenset[str]:
    found = set()
    for name in _NAMESPACES:
        with contextlib.suppress(OSError):
            found.add(str(Path(f"/proc/{pid}/ns/{name}").readlink()))
    return frozenset(found)


def _groups(pid: int) -> frozenset[Path]:
    """The folders of its control groups, in every hierarchy; that of all processes aside."""
    found = set()
    for line in _lines(f"/proc/{pid}/cgroup"):
        _, controllers, path = line.split(":", 2)
        if path != "/":
            folder = controllers.removeprefix("name=") or "unified"
            found |= {_GROUPS / folder / path[1:], _GROUPS / path[1:]}
    return frozenset(group for group in found if group.exists())


def _named_namespaces() -> list[str]:
    """Network namespaces kept alive by a mount."""
    folder = Path("/run/netns")
    return [str(path) for path in folder.iterdir()] if folder.exists() else []


def _listeners(port: int) -> list[str]:
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _lines(table)[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.append(fields[1])
    return found


def _lines(path: str) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(path).read_text().splitlines()
    return []
