"""Control groups: a bound on a whole instance, in version 2 of the interface or in version 1.

Which of them this machine lets us use is found by doing it, because mounts, delegation and rights
say too little: a group is made, limited, and a sleeping process moved into it.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from databox.engines.sandbox.limits import MEBIBYTE, PERIOD_US, Level, Levels, quota_us
from databox.wire.runspec import Limits

PREFIX = "databox."
CONTROLLERS = ("memory", "pids", "cpu")
REMOVE_SECONDS = 2.0
PROBE = Limits(memory_mb=64, processes=16, cpu=0.5)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where groups can be made: controller -> folder. In version 2 all folders are one."""

    version: int
    folders: Mapping[str, Path]

    def levels(self) -> Levels:
        """Hard where there is a controller; else what is left as an ordinary process."""
        return Levels(
            memory=Level.HARD if "memory" in self.folders else Level.WATCHED,
            processes=Level.HARD if "pids" in self.folders else Level.PER_PROCESS,
            cpu=Level.HARD if "cpu" in self.folders else Level.WATCHED,
        )

    def group(self, name: str) -> "Group":
        """Make the group of one instance; `name` is unique among those alive."""
        group = Group(self.version, {key: path / name for key, path in self.folders.items()})
        for folder in group.unique():
            folder.mkdir()
        return group

    def remove(self) -> None:
        """Take away our own folders, once all groups in them are gone."""
        for folder in set(self.folders.values()):
            _remove(folder)


@dataclass(frozen=True, slots=True)
class Group:
    """The groups of one instance."""

    version: int
    folders: Mapping[str, Path]

    def unique(self) -> set[Path]:
        """Each folder once."""
        return set(self.folders.values())

    def limit(self, limits: Limits) -> None:
        """Write the bounds; those on memory before anything can be used."""
        for controller, folder in self.folders.items():
            for file, value, needed in settings(self.version, controller, limits):
                _write(folder / file, value, needed=needed)

    def limit_cpu(self, cpu: float) -> None:
        """Bound the processor alone."""
        if folder := self.folders.get("cpu"):
            for file, value, needed in settings(self.version, "cpu", Limits(cpu=cpu)):
                _write(folder / file, value, needed=needed)

    def join(self, pid: int) -> None:
        """Move a process, and with it whatever it starts, into the group."""
        for folder in self.unique():
            _write(folder / "cgroup.procs", str(pid), needed=True)

    def memory(self) -> int | None:
        """Bytes that count against the bound; None without a controller."""
        folder = self.folders.get("memory")
        if folder is None:
            return None
        file = "memory.current" if self.version == 2 else "memory.usage_in_bytes"
        return int((folder / file).read_text())

    def killed_for_memory(self) -> bool:
        """Whether the kernel ended a process of this group because the bound was passed."""
        folder = self.folders.get("memory")
        if folder is None:
            return False
        file = "memory.events" if self.version == 2 else "memory.oom_control"
        fields = dict(line.split() for line in (folder / file).read_text().splitlines())
        return int(fields.get("oom_kill", 0)) > 0

    def remove(self) -> None:
        """Take the groups away; their processes have just died."""
        for folder in self.unique():
            _remove(folder)


def probe() -> Hierarchy:
    """Find where groups can be made, by making one. No folder at all: the ladder's last step."""
    mounted = mounts(Path("/proc/self/mountinfo").read_text())
    own = own_paths(Path("/proc/self/cgroup").read_text())
    name = f"{PREFIX}{os.getpid()}"
    folders = _probe_version_2(mounted, own, name)
    if folders:
        return Hierarchy(2, folders)
    return Hierarchy(1, _probe_version_1(mounted, own, name))


def _probe_version_2(
    mounted: Mapping[str, Path], own: Mapping[str, str], name: str
) -> Mapping[str, Path]:
    if "" not in mounted:
        return {}
    top = mounted[""]
    below = top / own.get("", "/").lstrip("/")
    # Root may use the top of the tree, where nobody's processes are in the way.
    parents = (top, below) if os.geteuid() == 0 else (below,)
    for parent in dict.fromkeys(parents):
        folder = parent / name
        with contextlib.suppress(OSError):
            _sweep(parent)
            offered = (parent / "cgroup.controllers").read_text().split()
            found = {key: folder for key in CONTROLLERS if key in offered}
            if found:
                _delegate(parent, folder, found)
                if _works(2, found):
                    return found
        _remove(folder)
    return {}


def _delegate(parent: Path, folder: Path, wanted: Iterable[str]) -> None:
    """Hand the controllers down to `folder`.

    Raises:
        OSError: no right to, or other processes are in `parent`.
    """
    enable = " ".join(f"+{controller}" for controller in wanted)
    # Only the true top, which has no type, may hold processes and limited children both.
    if (parent / "cgroup.type").exists():
        leaf = parent / f"{folder.name}.box"
        leaf.mkdir(exist_ok=True)
        _write(leaf / "cgroup.procs", str(os.getpid()))
    _write(parent / "cgroup.subtree_control", enable)
    folder.mkdir()
    _write(folder / "cgroup.subtree_control", enable)


def _probe_version_1(
    mounted: Mapping[str, Path], own: Mapping[str, str], name: str
) -> Mapping[str, Path]:
    found = {}
    for controller in CONTROLLERS:
        if controller not in mounted:
            continue
        below = mounted[controller] / own.get(controller, "/").lstrip("/")
        # In a container the path may name a group above what is mounted.
        folder = (below if below.is_dir() else mounted[controller]) / name
        _sweep(folder.parent)
        with contextlib.suppress(OSError):
            folder.mkdir()
            if _works(1, {controller: folder}):
                found[controller] = folder
                continue
        _remove(folder)
    return found


def _works(version: int, folders: Mapping[str, Path]) -> bool:
    """Whether a process can be bound there."""
    with subprocess.Popen(["/bin/sleep", "60"], env={}, stdin=subprocess.DEVNULL) as process:
        group: Group | None = None
        try:
            group = Hierarchy(version, folders).group("probe")
            group.limit(PROBE)
            group.join(process.pid)
        except OSError:
            return False
        finally:
            process.kill()
            process.wait()
            if group is not None:
                group.remove()
    return True


def settings(version: int, controller: str, limits: Limits) -> tuple[tuple[str, str, bool], ...]:
    """(file, value, whether it must succeed). Swap's bound is absent on machines without swap."""
    memory = str(limits.memory_mb * MEBIBYTE)
    quota = quota_us(limits.cpu)
    table = {
        (2, "memory"): (
            ("memory.max", memory, True),
            ("memory.swap.max", "0", False),
            ("memory.oom.group", "1", False),
        ),
        (2, "pids"): (("pids.max", str(limits.processes), True),),
        (2, "cpu"): (("cpu.max", f"{quota} {PERIOD_US}", True),),
        (1, "memory"): (
            ("memory.limit_in_bytes", memory, True),
            ("memory.memsw.limit_in_bytes", memory, False),
        ),
        (1, "pids"): (("pids.max", str(limits.processes), True),),
        (1, "cpu"): (
            ("cpu.cfs_period_us", str(PERIOD_US), True),
            ("cpu.cfs_quota_us", str(quota), True),
        ),
    }
    return table[version, controller]


def mounts(mountinfo: str) -> dict[str, Path]:
    """Controller -> mount point; the key of version 2 is empty, as in /proc/self/cgroup."""
    found: dict[str, Path] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        point, kind, options = before.split()[4], after.split()[0], after.split()[-1].split(",")
        if kind == "cgroup2":
            found[""] = Path(point)
        elif kind == "cgroup":
            found.update({key: Path(point) for key in CONTROLLERS if key in options})
    return found


def own_paths(text: str) -> dict[str, str]:
    """Controller -> the group that this process is in."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _sweep(parent: Path) -> None:
    """Take away what boxes that were killed left here, and end an instance that outlived one."""
    for folder in parent.glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX).partition(".")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            for group in folder.glob("*/"):
                _end_all(group)
                _remove(group)
            with contextlib.suppress(OSError):
                folder.rmdir()


def _end_all(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for line in (folder / "cgroup.procs").read_text().splitlines():
            # 0 stands for a process of another pid namespace: not one of ours.
            if int(line) > 0:
                os.kill(int(line), signal.SIGKILL)


def _remove(folder: Path) -> None:
    """A group can be removed a moment after its last process was reaped, not at once."""
    deadline = time.monotonic() + REMOVE_SECONDS
    while folder.exists():
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.005)


def _write(file: Path, value: str, *, needed: bool = True) -> None:
    """One write, as the kernel wants it.

    Raises:
        OSError: it was refused and is `needed`.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)
    except OSError:
        if needed:
            raise
