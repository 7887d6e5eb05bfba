"""The zygote as the box sees it: start it, ask it for parts, watch it."""

import array
import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from databox.box.birth import Birth, Born, FromZygote, Hello, Stillborn
from databox.wire.control import MAX_PACKET
from databox.wire.errors import Unavailable

LOAD_SECONDS = 60.0
FORK_SECONDS = 10.0


class Zygote:
    """A running zygote. Forks one part at a time; a second asker waits."""

    def __init__(self, process: subprocess.Popen[bytes], channel: socket.socket) -> None:
        self._process = process
        self._channel = channel
        self._one = asyncio.Lock()
        self.missing: dict[str, str] = {}

    @property
    def pid(self) -> int:
        """The zygote's process id."""
        return self._process.pid

    @classmethod
    async def start(cls, home: Path, modules: Sequence[str], output: int) -> "Zygote":
        """Start a zygote and wait until it has loaded `modules`.

        Raises:
            Unavailable: it ended, or took too long.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = _spawn(theirs.fileno(), home, modules, output)
        ours.setblocking(False)
        zygote = cls(process, ours)
        match await zygote._answer(LOAD_SECONDS):
            case Hello() as hello:
                zygote.missing = hello.missing
            case Stillborn(reason=reason):
                zygote.close()
                raise Unavailable("no part can be started", code="zygote", found=reason)
            case _:
                raise Unavailable("the zygote spoke out of turn")
        return zygote

    async def fork(self, birth: Birth, descriptors: tuple[int, int, int]) -> int:
        """Make a part; `descriptors`: output, control, secrets. Gives its process id.

        The part is this process's child and may still say that it could not confine itself.

        Raises:
            Unavailable: it could not be forked, or the zygote is gone.
        """
        packet = msgspec.json.encode(birth)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        async with self._one:
            try:
                self._channel.sendmsg([packet], rights)
            except OSError as error:
                raise Unavailable("the zygote is gone", found=str(error)) from error
            match await self._answer(FORK_SECONDS):
                case Born(pid=pid):
                    return pid
                case Stillborn() as why:
                    raise Unavailable(
                        f"{birth.part} could not be started",
                        code="confinement",
                        field=why.step,
                        found=why.reason,
                    )
                case _:
                    raise Unavailable("the zygote spoke out of turn")

    def close(self) -> None:
        """End it. The parts it forked run on."""
        self._channel.close()
        self._process.kill()
        self._process.wait()

    async def _answer(self, seconds: float) -> FromZygote:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                packet = await loop.sock_recv(self._channel, MAX_PACKET)
        except (TimeoutError, OSError) as error:
            raise Unavailable("the zygote did not answer") from error
        if not packet:
            raise Unavailable("the zygote ended")
        answer: FromZygote = msgspec.json.decode(packet, type=FromZygote)
        return answer


def _spawn(
    channel: int, home: Path, modules: Sequence[str], output: int
) -> subprocess.Popen[bytes]:
    words = (str(channel), str(home), *modules)
    return subprocess.Popen(
        [sys.executable, "-P", "-s", "-m", "databox.box.zygote", *words],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=[channel],
        # Parts find this in their memory, so it holds nothing but what they need.
        env={"PYTHONPATH": os.pathsep.join(_module_folders(home))},
        cwd="/",
    )


def _module_folders(home: Path) -> list[str]:
    """Where modules are loaded from, which parts will see.

    Not the working directory, which `python -m` puts there, if the home folder lies in it.
    """
    return [path for path in sys.path if path and not home.is_relative_to(Path(path).resolve())]
