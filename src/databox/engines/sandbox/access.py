"""Whether an instance's uid can get at what its spec gives it, checked before anything starts.

bubblewrap resolves the paths as the instance's own uid, so a home folder that only root may enter
makes it fail with a message that names neither the folder nor the cure.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from databox.wire.errors import Unavailable
from databox.wire.runspec import RunSpec

PRIVATE = 0o700


def check_reach(spec: RunSpec) -> None:
    """Check every folder on the way to what is mounted.

    Raises:
        Unavailable: one is missing, or closed to the instance's uid.
    """
    for path in _mounted(spec):
        for folder in (*reversed(path.parents), path):
            try:
                status = folder.stat()
            except FileNotFoundError as error:
                raise Unavailable(
                    f"{spec.name} cannot start: a folder is missing", found=str(folder)
                ) from error
            if spec.uid is not None and folder != path and not may_enter(status, spec.uid):
                raise Unavailable(
                    f"{spec.name} cannot start: its uid {spec.uid} cannot pass a folder",
                    code="folder-closed",
                    found=str(folder),
                    remedy=f"Run `chmod o+x {folder}`, or keep the box's home elsewhere",
                )


def may_enter(status: os.stat_result, uid: int) -> bool:
    """Whether `uid`, with the group of the same number alone, may pass through this folder."""
    if status.st_uid == uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == uid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def own_var(spec: RunSpec) -> None:
    """As root, give the instance's uid its own `/var`, closed to all others."""
    if spec.uid is None:
        return
    folder = os.open(spec.var, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(folder).st_uid != spec.uid:
            os.fchown(folder, spec.uid, spec.uid)
            os.fchmod(folder, PRIVATE)
    finally:
        os.close(folder)


def _mounted(spec: RunSpec) -> Iterator[Path]:
    yield spec.code
    yield spec.var
    if spec.peers is not None:
        yield spec.peers
    for source, _ in spec.shared:
        yield source
