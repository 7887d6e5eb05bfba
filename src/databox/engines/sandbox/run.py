"""One sandbox from the event loop's side: its sockets, its end and why it ended."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import Future

from databox.engines import Exit, ExitReason
from databox.engines.sandbox import processes
from databox.engines.sandbox.cgroups import Group
from databox.engines.sandbox.namespaces import Hopper, Inside
from databox.engines.sandbox.output import Pump, Sink
from databox.engines.sandbox.spawn import PRLIMIT, Held
from databox.wire.errors import Unavailable
from databox.wire.runspec import RunSpec

CONNECT_SECONDS = 5.0
ASK_SECONDS = 0.02


class SandboxRun:
    """A run of the sandbox engine; see `databox.engines.Run`.

    Descriptors of the sandbox are used and closed in the engine's one thread only, so a number can
    never be closed and given to another file between a check and its use.
    """

    def __init__(
        self,
        spec: RunSpec,
        held: Held,
        group: Group,
        inside: Inside,
        ended: Callable[["SandboxRun"], None],
    ) -> None:
        """Watch over `held` from now on; `ended` is called once, last of all."""
        self.spec = spec
        self.pid = held.pid
        self.held = held
        self.group = group
        self.reason: ExitReason | None = None
        self.namespace = processes.namespace(held.pid)
        self._pumps: tuple[Pump, ...] = ()
        self._inside = inside
        self._ended = ended
        self._closed = False
        self._released = False
        self._loop = asyncio.get_running_loop()
        self._exit: asyncio.Future[Exit] = self._loop.create_future()
        self._finishing: asyncio.Task[None] | None = None
        self._loop.add_reader(held.monitor, self._monitor_ended)

    @property
    def exit(self) -> Exit | None:
        """How it ended; None while it runs."""
        return self._exit.result() if self._exit.done() else None

    async def wait(self) -> Exit:
        """Wait until every process of the instance is gone."""
        return await asyncio.shield(self._exit)

    async def listen(self, address: str, port: int) -> socket.socket:
        """Listen inside; see `databox.engines.Run.listen`."""
        return await self._make(lambda hopper: hopper.listen(self.held.network, address, port))

    async def dial(self, port: int) -> socket.socket:
        """Connect to the app's own port; see `databox.engines.Run.dial`."""
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with contextlib.suppress(OSError):
                return await self._dial(family, host, port)
        raise Unavailable(f"{self.spec.name} does not answer on port {port} yet")

    async def _dial(self, family: socket.AddressFamily, host: str, port: int) -> socket.socket:
        made = await self._make(lambda hopper: hopper.make(self.held.network, family))
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._loop.sock_connect(made, (host, port))
            # TCP may pick the very port it dials as its own and so reach itself.
            if made.getsockname() == made.getpeername():
                raise ConnectionRefusedError
        except BaseException:
            made.close()
            raise
        return made

    async def _make(self, make: Callable[[Hopper], socket.socket]) -> socket.socket:
        def checked() -> socket.socket:
            if self._closed:
                raise Unavailable(f"{self.spec.name} has ended")
            return make(self._inside.hopper)

        work = self._inside.submit(checked)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            work.add_done_callback(_close)
            raise

    def follow(self, sinks: tuple[Sink, ...]) -> None:
        """Carry standard output, and standard error if there is a second sink, to `sinks`."""
        pipes = (self.held.stdout, self.held.stderr)
        self._pumps = tuple(Pump(pipe, sink) for pipe, sink in zip(pipes, sinks, strict=False))

    def release(self) -> None:
        """Let the app run."""
        if self._finishing is None:
            self._released = True
            self.held.release()

    def calm(self) -> None:
        """Bring the processor's bound, wide during the start, down to the spec's."""
        if self._finishing is None:
            self.group.limit_cpu(self.spec.limits.cpu)

    async def end(self, reason: ExitReason, grace: float = 0.0) -> Exit:
        """End it for `reason`, with `grace` seconds for the app to do so itself."""
        self.reason = self.reason or reason
        if self._released:
            await self._ask_to_end(grace)
        if self._finishing is None:
            self.held.kill()
        return await self.wait()

    async def _ask_to_end(self, grace: float) -> None:
        left = grace
        # Just after its release bubblewrap may not have started the app yet.
        while left > 0 and self._finishing is None and not self._terminate():
            await self._wait_for(min(left, ASK_SECONDS))
            left -= ASK_SECONDS
        if left > 0:
            await self._wait_for(left)

    async def _wait_for(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.wait()

    def _terminate(self) -> bool:
        """Signal the app itself, since pid 1 of the sandbox would ignore it."""
        found = False
        for pid in processes.children(self.pid):
            with contextlib.suppress(ProcessLookupError):
                descriptor = os.pidfd_open(pid)
                try:
                    # The number is surely the app's only if it is still there now.
                    if pid in processes.children(self.pid):
                        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
                        found = True
                finally:
                    os.close(descriptor)
        return found

    def _monitor_ended(self) -> None:
        self._loop.remove_reader(self.held.monitor)
        self._finishing = self._loop.create_task(self._finish())

    async def _finish(self) -> None:
        code = self.held.reap()
        for pump in self._pumps:
            pump.stop()
        end = self._judge(code)
        await self._inside.do(self._give_back)
        self._exit.set_result(end)
        self._ended(self)

    def _judge(self, code: int) -> Exit:
        if self.reason is not None:
            return Exit(code, self.reason)
        if not self.held.was_built():
            said = self._pumps[-1].tail.decode(errors="replace").strip() if self._pumps else ""
            return Exit(code, ExitReason.BROKEN, said)
        if code == 128 + signal.SIGKILL and self.group.killed_for_memory():
            return Exit(code, ExitReason.MEMORY, f"more than {self.spec.limits.memory_mb} MiB")
        return Exit(code, ExitReason.EXITED)

    def _give_back(self) -> None:
        self._closed = True
        self.held.close()
        self.group.remove()


def _close(work: Future[socket.socket]) -> None:
    """Nobody waits any more for the socket that the engine's thread has just made."""
    if not work.cancelled() and work.exception() is None:
        work.result().close()


def limit_processes(pid: int, count: int, uid: int | None) -> None:
    """Bound the processes of a held sandbox where there is no control group for it.

    Set on the blocked child its count is that of its own user namespace, so of this instance;
    set any earlier it would count every process of the user.

    Raises:
        CalledProcessError: the bound could not be set.
    """
    try:
        resource.prlimit(pid, resource.RLIMIT_NPROC, (count, count))
    except PermissionError:
        # Root without CAP_SYS_RESOURCE may not do it to another uid, but that uid may.
        command = (PRLIMIT, "--pid", str(pid), f"--nproc={count}:{count}")
        subprocess.run(command, env={}, user=uid, group=uid, extra_groups=(), check=True)
