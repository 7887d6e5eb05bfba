"""`databox down`: ask the running box to end, and wait until it has."""

import fcntl
import os
import signal
import time
from pathlib import Path

from databox.cli.client import NotRunning
from databox.wire.errors import Unavailable

PATIENCE = 30.0
"""Seconds for all apps and parts to end by themselves."""


def down(home: Path) -> int:
    """Stop the box of this home folder.

    Raises:
        NotRunning: there is none.
        Unavailable: it did not end in time.
    """
    pid = running(home)
    if pid is None:
        raise NotRunning("the box does not run", field="DATABOX_HOME", found=str(home))
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while running(home) == pid:
        if time.monotonic() > deadline:
            raise Unavailable(
                "the box was asked to stop and still runs",
                found=f"process {pid}",
                remedy=f"Look at its logs in {home}/logs; end it by force with: kill -9 {pid}",
            )
        time.sleep(0.05)
    print("The box has stopped.")
    return 0


def running(home: Path) -> int | None:
    """The process of the running box, None if none runs.

    A lock that nobody holds was left by a box that died: the number in it may by now be anybody's.
    """
    try:
        with (home / "run" / "lock").open() as lock:
            if not _held(lock.fileno()):
                return None
            return int(lock.read())
    except (FileNotFoundError, ValueError):
        return None


def _held(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False
