"""Kernel settings that forbid what a sandbox is made of, and the command that allows it."""

from collections.abc import Mapping
from pathlib import Path

FORBIDDING = {
    "kernel.unprivileged_userns_clone": "0",
    "user.max_user_namespaces": "0",
    "user.max_pid_namespaces": "0",
    "user.max_net_namespaces": "0",
    "kernel.apparmor_restrict_unprivileged_userns": "1",
}
"""Setting -> the value that forbids sandboxes."""

ALLOWING = {
    "kernel.unprivileged_userns_clone": "1",
    "user.max_user_namespaces": "10000",
    "user.max_pid_namespaces": "10000",
    "user.max_net_namespaces": "10000",
    "kernel.apparmor_restrict_unprivileged_userns": "0",
}


def read() -> dict[str, str]:
    """The settings of this kernel, without those that it does not have."""
    files = {name: Path("/proc/sys", *name.split(".")) for name in FORBIDDING}
    return {name: file.read_text().strip() for name, file in files.items() if file.exists()}


def forbidding(found: Mapping[str, str]) -> tuple[str, str] | None:
    """What explains that no sandbox can be made, and its remedy; None if no setting does."""
    for name, value in FORBIDDING.items():
        if found.get(name) == value:
            return (
                f"the kernel setting {name} is {value}, which forbids sandboxes",
                f"As root: sysctl -w {name}={ALLOWING[name]}",
            )
    return None
