"""Has a zygote at hand: starts it, watches it, and starts a new one when it was killed."""

import asyncio
import logging
import os
from collections.abc import Sequence

from databox.box.forks import Zygote
from databox.box.home import Home
from databox.box.leftovers import Register
from databox.box.logs import PartLog
from databox.engines.sandbox.output import Pump
from databox.kit import log as lines
from databox.wire.errors import DataboxError

log = logging.getLogger(__name__)

ZYGOTE = "zygote"
AGAIN_SECONDS = 1.0


class Nursery:
    """Where parts come from. They outlive the zygote that they were forked from."""

    def __init__(self, home: Home, register: Register, modules: Sequence[str]) -> None:
        self._home = home
        self._register = register
        self._modules = modules
        self._zygote: Zygote | None = None
        self._one = asyncio.Lock()
        self._again: asyncio.Task[None] | None = None
        self._pidfd = -1
        self._output = -1
        self._pump: Pump | None = None

    async def zygote(self) -> Zygote:
        """The zygote, started if there is none.

        Raises:
            Unavailable: it does not come up.
        """
        async with self._one:
            if self._zygote is None:
                self._zygote = await self._start()
            return self._zygote

    @property
    def pid(self) -> int:
        """The zygote's process id, 0 while there is none."""
        return self._zygote.pid if self._zygote else 0

    def close(self) -> None:
        """End it."""
        if self._again is not None:
            self._again.cancel()
        if self._zygote is not None:
            self._forget()

    async def _start(self) -> Zygote:
        output, output_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(output, False)
        pump = Pump(output, PartLog(self._home.logs / f"{ZYGOTE}.log"))
        try:
            zygote = await Zygote.start(self._home.root, self._modules, output_end)
        except BaseException:
            pump.stop()
            os.close(output)
            raise
        finally:
            os.close(output_end)
        for name, why in zygote.missing.items():
            lines.event(log, logging.ERROR, "module-missing", module=name, why=why)
        self._register.add(zygote.pid)
        self._output, self._pump = output, pump
        self._pidfd = os.pidfd_open(zygote.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._died)
        return zygote

    def _died(self) -> None:
        lines.event(log, logging.ERROR, "zygote-died")
        self._forget()
        self._again = asyncio.get_running_loop().create_task(self._come_back())

    async def _come_back(self) -> None:
        while True:
            try:
                await self.zygote()
            except (DataboxError, OSError) as error:
                lines.failure(log, "zygote-does-not-start", error)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return

    def _forget(self) -> None:
        zygote, self._zygote = self._zygote, None
        assert zygote is not None
        assert self._pump is not None
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        zygote.close()
        self._pump.stop()
        os.close(self._output)
