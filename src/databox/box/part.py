"""One of our own processes, as the box holds it: its channel, its pipe, its end."""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from databox.box.birth import Birth, Ceiling, Shared
from databox.box.forks import Zygote
from databox.box.lifecycle import Ended
from databox.box.logs import PartLog
from databox.box.packets import Packets
from databox.engines.sandbox.output import Pump
from databox.kit import log as lines
from databox.wire.control import Broken, Closed, FromBox, FromPart, Stop, Unlisten

log = logging.getLogger(__name__)

CLOSE_SECONDS = 1.0
STOP_SECONDS = 10.0
Secrets = Callable[[], dict[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSpec:
    """What makes a part. `answers`: the names under which others call it."""

    name: str
    module: str
    directory: Path
    answers: tuple[str, ...]
    config: Callable[[], dict[str, str]]
    secrets: Secrets
    network: bool = False
    shared: tuple[Shared, ...] = ()
    ceiling: Ceiling = field(default_factory=Ceiling)


@dataclass(frozen=True, slots=True)
class Place:
    """Where parts run: the folder their roots are built on, their uid, their log."""

    scratch: Path
    uid: int | None
    log: Path


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears of a part: its messages, and its end, once."""

    heard: Callable[["Part", FromPart], None]
    ended: Callable[[Ended], None]


@dataclass(frozen=True, slots=True)
class Ties:
    """What the box holds of a process: its number, its channel, the pipe of what it prints."""

    pid: int
    channel: socket.socket
    output: int
    log: Path


class Part:
    """A running part."""

    def __init__(self, spec: PartSpec, ties: Ties, ears: Ears) -> None:
        self.spec = spec
        self.pid = ties.pid
        self._ears = ears
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._broken = ""
        self._closing: dict[tuple[str, str], asyncio.Future[None]] = {}
        self._output = ties.output
        self._pump = Pump(ties.output, PartLog(ties.log))
        self._packets = Packets(ties.channel, self._received, self.kill)
        self._pidfd = os.pidfd_open(ties.pid)
        self._loop.add_reader(self._pidfd, self._gone)

    def send(self, message: FromBox, attached: socket.socket | None = None) -> None:
        """Tell it something."""
        self._packets.send(msgspec.json.encode(message), attached)

    async def unlisten(self, caller: str, callee: str) -> None:
        """Have it close a caller's connections; one that does not confirm within 1 s is killed."""
        key = (caller, callee)
        closed = self._closing.setdefault(key, self._loop.create_future())
        self.send(Unlisten(caller=caller, callee=callee))
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.shield(closed)
        except TimeoutError:
            lines.event(log, logging.WARNING, "unlisten-ignored", part=self.spec.name)
            self.kill()
            await self._over.wait()
        finally:
            self._closing.pop(key, None)

    async def stop(self) -> None:
        """Ask it to end, and see to it that it does."""
        self.send(Stop())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._over.wait()
        self.kill()
        await self._over.wait()

    def kill(self) -> None:
        """End it now."""
        if not self._over.is_set():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def wait_over(self) -> None:
        """Wait until it has ended."""
        await self._over.wait()

    def _received(self, packet: bytes) -> None:
        try:
            message = msgspec.json.decode(packet, type=FromPart)
        except msgspec.MsgspecError as error:
            lines.event(log, logging.ERROR, "garbled", part=self.spec.name, error=error)
            self.kill()
            return
        match message:
            case Closed(caller=caller, callee=callee):
                closed = self._closing.get((caller, callee))
                if closed is not None and not closed.done():
                    closed.set_result(None)
            case Broken(step=step, reason=reason):
                self._broken = f"{step}: {reason}"
            case _:
                self._ears.heard(self, message)

    def _gone(self) -> None:
        self._loop.remove_reader(self._pidfd)
        end = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)
        os.close(self._pidfd)
        self._packets.drain()
        self._packets.close()
        self._pump.stop()
        os.close(self._output)
        self._over.set()
        for closed in self._closing.values():
            if not closed.done():
                closed.set_result(None)
        self._ears.ended(_judge(end, self._broken))


async def give_birth(spec: PartSpec, place: Place, zygote: Zygote, ears: Ears) -> Part:
    """Fork a part and begin to watch it.

    Raises:
        Unavailable: it could not be forked; nobody hears of its end then.
    """
    birth = _birth(spec, place)
    with contextlib.ExitStack() as given, contextlib.ExitStack() as kept:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given.enter_context(theirs)
        kept.enter_context(ours)
        output, output_end = os.pipe2(os.O_CLOEXEC)
        given.callback(os.close, output_end)
        kept.callback(os.close, output)
        os.set_blocking(output, False)
        secrets = _sealed(spec.secrets())
        given.callback(os.close, secrets)
        pid = await zygote.fork(birth, (output_end, theirs.fileno(), secrets))
        kept.pop_all()
    return Part(spec, Ties(pid, ours, output, place.log), ears)


def _birth(spec: PartSpec, place: Place) -> Birth:
    return Birth(
        part=spec.name,
        module=spec.module,
        config=spec.config(),
        directory=str(spec.directory),
        scratch=str(place.scratch),
        uid=place.uid,
        network=spec.network,
        shared=spec.shared,
        ceiling=spec.ceiling,
    )


def _sealed(secrets: dict[str, bytes]) -> int:
    """A memory file that nobody can change; it never has a name."""
    descriptor = os.memfd_create("secrets", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(descriptor, msgspec.msgpack.encode(secrets))
    seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def _judge(end: os.waitid_result | None, broken: str) -> Ended:
    assert end is not None, "waited for with its descriptor readable"
    if end.si_code == os.CLD_EXITED:
        reason = broken or f"ended with code {end.si_status}"
        return Ended(clean=end.si_status == 0, reason=reason)
    return Ended(clean=False, reason=broken or f"killed by signal {end.si_status}")
