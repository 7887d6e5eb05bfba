"""The box's process: takes the home and the port, and runs the box until it is told to stop."""

import asyncio
import io
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from databox.box import kernel, outer
from databox.box.home import Home, lock, open_home
from databox.box.leftovers import Register
from databox.box.logs import PartLog
from databox.box.runtime import Runtime, find
from databox.box.supervisor import Box
from databox.engines.sandbox.engine import SandboxEngine
from databox.engines.sandbox.namespaces import become_parent_namespace
from databox.kit import log as lines

Announce = Callable[[str, str], None]
"""Called once the box listens: its address, and the one-time code if it has no owner yet."""


def main(home: Path, port: int, announce: Announce, release: Path | None = None) -> int:
    """Run the box in the foreground until SIGINT, SIGTERM or SIGHUP.

    `port` 0: the kernel chooses. `release`: holds `drivers/` and `apps/`, found if not given.

    Returns:
        The exit code.

    Raises:
        DataboxError: it cannot start; nothing of it is left behind.
    """
    os.umask(0o077)
    held = lock(home)
    try:
        return _with_home(open_home(home), port, announce, find(release))
    finally:
        os.close(held)


def _with_home(home: Home, port: int, announce: Announce, runtime: Runtime) -> int:
    lines.configure("box", _LogStream(PartLog(home.logs / "box.log")))
    register = Register(home.run / "processes")
    register.end_all()
    doors = outer.listen(port)
    if os.geteuid() != 0:
        # Before the first thread; it gives the rights over every later sandbox.
        become_parent_namespace()
    # Parts are handed to this process by a double fork, and die with it.
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    # The box key is in this memory: no other process of this user may look at it.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    with doors[0], doors[1]:
        asyncio.run(_run(home, register, doors, announce, runtime))
    return 0


async def _run(
    home: Home,
    register: Register,
    doors: tuple[socket.socket, socket.socket],
    announce: Announce,
    runtime: Runtime,
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    box = Box(home, register, doors, await SandboxEngine.open(), runtime)
    try:
        await _unless(stop, _begin(box, announce))
        await stop.wait()
    finally:
        await box.close()


async def _begin(box: Box, announce: Announce) -> None:
    code = await box.start()
    announce(box.address, code)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do `work` to its end, or leave it where it is once we are asked to stop."""
    doing = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((doing, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if doing.done():
        doing.result()
    else:
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)


class _LogStream(io.StringIO):
    """The box's own log, as the logging library wants it."""

    def __init__(self, file: PartLog) -> None:
        super().__init__()
        self._file = file

    def write(self, text: str) -> int:
        """Append."""
        self._file.write(text.encode())
        return len(text)
