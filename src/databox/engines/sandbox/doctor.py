"""What this machine can and cannot do for the sandbox engine, found by trying."""

import asyncio
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from databox.engines import Finding
from databox.engines.sandbox import seccomp
from databox.engines.sandbox.limits import Level, Levels
from databox.engines.sandbox.spawn import PRLIMIT

TRIAL_SECONDS = 10.0
NOBODY = 65534
TRIAL = (
    *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
    *("--unshare-cgroup", "--disable-userns", "--cap-drop", "ALL", "--ro-bind", "/", "/"),
    # Else bubblewrap leaves its pid 1 to whoever adopts orphans, which is the box.
    "--as-pid-1",
    *("--", "/bin/true"),
)

SETTINGS = {
    "kernel.unprivileged_userns_clone": "0",
    "user.max_user_namespaces": "0",
    "user.max_net_namespaces": "0",
    "kernel.apparmor_restrict_unprivileged_userns": "1",
}
"""Kernel settings that forbid what a sandbox is made of, and the value that does so."""

REMEDIES = {
    "kernel.unprivileged_userns_clone": "sysctl -w kernel.unprivileged_userns_clone=1",
    "user.max_user_namespaces": "sysctl -w user.max_user_namespaces=10000",
    "user.max_net_namespaces": "sysctl -w user.max_net_namespaces=10000",
    "kernel.apparmor_restrict_unprivileged_userns": (
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    ),
}


async def examine(program: str, levels: Levels | None) -> list[Finding]:
    """All findings of this engine. `levels`: None while no engine is open."""
    findings = [_program("bubblewrap", program), _program("util-linux", PRLIMIT), _machine()]
    if findings[0].level == "ok":
        findings.append(await asyncio.to_thread(_trial, program))
    if levels is not None:
        findings.append(bounds(levels))
    return findings


def forbidding(settings: Mapping[str, str]) -> Finding | None:
    """The kernel setting that explains a failed trial, if one does."""
    for name, value in SETTINGS.items():
        if settings.get(name) == value:
            return Finding(
                "user-namespaces",
                "fail",
                f"the kernel setting {name} is {value}, which forbids sandboxes",
                f"As root: {REMEDIES[name]}",
            )
    return None


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


def _program(package: str, path: str) -> Finding:
    if os.access(path, os.X_OK):
        return Finding(package, "ok", path)
    remedy = f"As root: apt-get install {package}"
    return Finding(package, "fail", f"{path} is not there", remedy)


def _machine() -> Finding:
    machine = os.uname().machine
    if machine in seccomp.ARCHITECTURE:
        return Finding("system-call-filter", "ok", machine)
    remedy = "Use a machine with an x86-64 or arm64 processor"
    return Finding("system-call-filter", "fail", f"no filter for {machine}", remedy)


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
    return forbidding(_settings()) or Finding("user-namespaces", "fail", said, general)


def _settings() -> dict[str, str]:
    files = {name: Path("/proc/sys", *name.split(".")) for name in SETTINGS}
    return {name: file.read_text().strip() for name, file in files.items() if file.exists()}
