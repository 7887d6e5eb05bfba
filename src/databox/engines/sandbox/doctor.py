"""What this machine can and cannot do for the sandbox engine, found by trying."""

import asyncio
import os
import re
import subprocess
from pathlib import Path

from databox.engines import Finding
from databox.engines.sandbox import seccomp, settings
from databox.engines.sandbox.limits import Level, Levels
from databox.engines.sandbox.spawn import PRLIMIT, SETPRIV

TRIAL_SECONDS = 10.0
NOBODY = 65534
OLDEST_KERNEL = (5, 6)
TRIAL = (
    *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
    *("--unshare-cgroup", "--disable-userns", "--cap-drop", "ALL", "--ro-bind", "/", "/"),
    # Else bubblewrap leaves its pid 1 to whoever adopts orphans, which is the box.
    "--as-pid-1",
    *("--", "/bin/true"),
)


async def examine(program: str, levels: Levels | None) -> list[Finding]:
    """All findings of this engine. `levels`: None while no engine is open."""
    findings = [
        _program("bubblewrap", program),
        _program("util-linux", PRLIMIT, SETPRIV),
        _machine(),
        _kernel(),
    ]
    if findings[0].level == "ok":
        findings.append(await asyncio.to_thread(_trial, program))
    if levels is not None:
        findings.append(bounds(levels))
    return findings


def bounds(levels: Levels) -> Finding:
    """How hard limits are, in words."""
    words = (
        f"memory {levels.memory}, processes {levels.processes}, processor {levels.cpu}, "
        f"disk {levels.disk}"
    )
    if levels.weakest() is Level.HARD:
        return Finding("limits", "ok", words)
    return Finding(
        "limits",
        "warn",
        words,
        "For hard limits start the box as root, or in a unit with Delegate=yes",
    )


def _program(package: str, *paths: str) -> Finding:
    for path in paths:
        if not os.access(path, os.X_OK):
            remedy = f"As root: apt-get install {package}"
            return Finding(package, "fail", f"{path} is not there", remedy)
    return Finding(package, "ok", ", ".join(paths))


def _machine() -> Finding:
    machine = os.uname().machine
    if machine in seccomp.ARCHITECTURE:
        return Finding("system-call-filter", "ok", machine)
    remedy = "Use a machine with an x86-64 or arm64 processor"
    return Finding("system-call-filter", "fail", f"no filter for {machine}", remedy)


def _kernel() -> Finding:
    """What the engine needs beyond namespaces: lists of children, and openat2 (Linux 5.6)."""
    thread = f"/proc/self/task/{os.getpid()}/children"
    release = os.uname().release
    version = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
    if version >= OLDEST_KERNEL and Path(thread).exists():
        return Finding("kernel", "ok", release)
    return Finding("kernel", "fail", release, "Use Linux 5.6 or later, with CONFIG_PROC_CHILDREN")


def _trial(program: str) -> Finding:
    """Make a sandbox around `true`, as root under the rights that an instance will have."""
    nobody = NOBODY if os.geteuid() == 0 else None
    try:
        done = subprocess.run(
            (program, *TRIAL),
            env={},
            cwd="/",
            capture_output=True,
            timeout=TRIAL_SECONDS,
            check=False,
            user=nobody,
            group=nobody,
            extra_groups=None if nobody is None else (),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("user-namespaces", "fail", str(error), "See the system's log")
    if done.returncode == 0:
        return Finding("user-namespaces", "ok", "a sandbox was made and ended")
    said = done.stderr.decode(errors="replace").strip()[:300]
    general = "Allow user namespaces on this kernel, or use the docker engine"
    found, remedy = settings.forbidding(settings.read()) or (said, general)
    return Finding("user-namespaces", "fail", found, remedy)
