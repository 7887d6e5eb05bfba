"""Counts what no kernel limit bounds as a whole, and ends the instance that takes too much.

The disk is watched on every machine; memory and the number of files in `/tmp` where there is no
control group.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from databox.engines import ExitReason
from databox.engines.sandbox import disk, processes
from databox.engines.sandbox.arguments import TMP_BYTES
from databox.engines.sandbox.limits import (
    MEBIBYTE,
    OVERRUN,
    TMP_FILES,
    Level,
    Levels,
    file_bound,
)
from databox.engines.sandbox.run import SandboxRun

EVERY_SECONDS = 5.0
SHARE = 20
"""A round that took long is followed by a rest this many times longer, to cost at most 5 %."""

_log = logging.getLogger(__name__)


class Watch:
    """Looks at every run once in a while, in a thread of its own."""

    def __init__(self, runs: set[SandboxRun], levels: Levels) -> None:
        """Watch whatever is in `runs`, from `begin` on."""
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="sandbox-watch")
        self._runs = runs
        self._memory = levels.memory is not Level.HARD
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start, unless it has."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self.thread.shutdown()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = time.monotonic()
            try:
                for run, reason in await loop.run_in_executor(self.thread, self._round):
                    _log.warning("instance-over-limit name=%s limit=%s", run.spec.name, reason)
                    await run.end(reason)
            except Exception:  # noqa: BLE001 - logged, and tried again
                # One instance that cannot be looked at must not leave all others unwatched.
                _log.exception("watch-failed")
            await asyncio.sleep(max(EVERY_SECONDS, SHARE * (time.monotonic() - began)))

    def _round(self) -> list[tuple[SandboxRun, ExitReason]]:
        members = processes.by_namespace() if self._memory else {}
        found = []
        for run in tuple(self._runs):
            # A run may end, and its files go, while we look.
            with contextlib.suppress(OSError):
                if run.exit is None and (reason := self._over(run, members)):
                    found.append((run, reason))
        return found

    def _over(self, run: SandboxRun, members: Mapping[int, list[int]]) -> ExitReason | None:
        limits = run.spec.limits
        size = int(limits.disk_mb * MEBIBYTE * OVERRUN)
        if not disk.usage(run.spec.var, size=size, files=file_bound(limits)).complete:
            return ExitReason.DISK
        if self._memory:
            pss = processes.share_of_memory(members.get(run.namespace or 0, ()))
            if pss > limits.memory_mb * MEBIBYTE * OVERRUN:
                return ExitReason.MEMORY
            if _files_in_tmp(run.pid) > TMP_FILES:
                return ExitReason.MEMORY
        return None


def _files_in_tmp(pid: int) -> int:
    """Files in an instance's `/tmp`: empty ones take kernel memory that the size does not count."""
    tmp = os.statvfs(f"/proc/{pid}/root/tmp")
    # Until bubblewrap has changed its root, this is the host's own /tmp.
    return tmp.f_files - tmp.f_ffree if tmp.f_blocks * tmp.f_frsize == TMP_BYTES else 0
