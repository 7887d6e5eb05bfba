"""What can be wrong with the machine around the box: each finding with its remedy."""

import os
import platform
import shutil
import sys
from pathlib import Path

from databox.box import landlock
from databox.box.outer import listen
from databox.cli.home import closed_folder
from databox.engines import Finding
from databox.wire.errors import Conflict

MEBIBYTE = 1024 * 1024
DISK_FAIL = 200 * MEBIBYTE
DISK_WARN = 1024 * MEBIBYTE
MEMORY_WARN = 400 * MEBIBYTE


def examine(home: Path, port: int, box: int | None) -> list[Finding]:
    """All findings about the machine. `box`: the process of the running box, if one runs."""
    findings = [python(), system(), file_walls(), place(home), disk(home), memory()]
    return [*findings, check_port(port, box)]


def python() -> Finding:
    """The one interpreter that is reachable from inside a sandbox; the script refuses old ones."""
    found = f"{sys.executable} {platform.python_version()}"
    return Finding("python", "ok", found)


def system() -> Finding:
    """The kernel and the processor."""
    machine = os.uname()
    found = f"{machine.sysname} {machine.release} on {machine.machine}"
    if machine.machine in {"x86_64", "aarch64"}:
        return Finding("system", "ok", found)
    return Finding("system", "fail", found, "Use a machine with an x86-64 or arm64 processor")


def file_walls() -> Finding:
    """Whether parts have Landlock as a second wall around their files."""
    found = landlock.version()
    if found:
        return Finding("landlock", "ok", f"version {found}")
    return Finding("landlock", "ok", "this kernel has none; mounts alone keep parts from files")


def place(home: Path) -> Finding:
    """Whether sandboxes, which run under users of their own as root, can pass to their folders."""
    closed = closed_folder(home) if os.getuid() == 0 else None
    if closed is None:
        return Finding("home", "ok", str(home))
    remedy = "Set DATABOX_HOME to a folder such as /var/lib/databox"
    return Finding("home", "fail", f"other users cannot pass through {closed}", remedy)


def disk(home: Path) -> Finding:
    """Room for what is stored."""
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    found = f"{free // MEBIBYTE} MiB free at {home}"
    if free < DISK_FAIL:
        return Finding("disk", "fail", found, f"Free {DISK_WARN // MEBIBYTE} MiB there")
    if free < DISK_WARN:
        return Finding("disk", "warn", found, f"Free {DISK_WARN // MEBIBYTE} MiB there")
    return Finding("disk", "ok", found)


def memory(text: str | None = None) -> Finding:
    """Memory that programs can still get. `text`: as in `/proc/meminfo`."""
    lines = (text or Path("/proc/meminfo").read_text()).splitlines()
    sizes = {
        name: int(rest.split()[0]) * 1024 for name, _, rest in (x.partition(":") for x in lines)
    }
    free = sizes["MemAvailable"]
    found = f"{free // MEBIBYTE} MiB available of {sizes['MemTotal'] // MEBIBYTE}"
    if free < MEMORY_WARN:
        return Finding("memory", "warn", found, "End other programs, or stop apps you do not use")
    return Finding("memory", "ok", found)


def check_port(port: int, box: int | None) -> Finding:
    """Whether the box can listen, on both loopback families; names who else does."""
    if box is not None:
        return Finding("port", "ok", f"{port}; the box runs as process {box}")
    try:
        for listener in listen(port):
            listener.close()
    except Conflict as error:
        return Finding("port", "fail", f"{error.message}, {error.found}", str(error.remedy))
    return Finding("port", "ok", f"{port} is free")
