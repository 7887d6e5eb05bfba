"""The door of the sandbox engine: start, stop, events, stats, doctor."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from threading import Thread

from databox.engines import Exit, ExitReason, Finding, Outcome, Prepare, Run, Stats
from databox.engines.sandbox import cgroups, disk, doctor, processes, spawn
from databox.engines.sandbox.access import check_reach, own_var
from databox.engines.sandbox.cgroups import Group
from databox.engines.sandbox.limits import MEBIBYTE, Level, ceiling, file_bound
from databox.engines.sandbox.namespaces import Inside
from databox.engines.sandbox.output import Capture, Log, Sink
from databox.engines.sandbox.run import SandboxRun, limit_processes
from databox.engines.sandbox.spawn import Held
from databox.engines.sandbox.watch import Watch
from databox.wire.runspec import RunSpec

BUBBLEWRAP = "/usr/bin/bwrap"
STDOUT_BYTES = 1024 * 1024
STDERR_BYTES = 64 * 1024
NICE = 10
START_SECONDS = 5.0
START_CPU = 2.0
"""Cores while an instance starts: half a core from the first instruction would double the wait."""

Ended = Callable[[SandboxRun], None]
Building = Future[tuple[Held, Group]]


class SandboxEngine:
    """Runs each instance in bubblewrap; see `databox.engines.Engine`. Make it with `open`."""

    name = "sandbox"

    def __init__(
        self,
        program: str,
        hierarchy: cgroups.Hierarchy,
        inside: Inside,
    ) -> None:
        """Take what `open` found."""
        self.levels = hierarchy.levels()
        self._program = program
        self._hierarchy = hierarchy
        self._inside = inside
        self._numbers = itertools.count()
        self._runs: set[SandboxRun] = set()
        self._building: set[Building] = set()
        self._ended: asyncio.Queue[SandboxRun] = asyncio.Queue()
        self._watch = Watch(self._runs, self.levels)

    @classmethod
    async def open(cls, program: str = BUBBLEWRAP) -> "SandboxEngine":
        """Find out what this machine allows, and begin.

        As an ordinary user the process has called `become_parent_namespace` before.

        Raises:
            Unavailable: network namespaces are forbidden; the remedy says more.
        """
        inside = await Inside.open()
        return cls(program, await inside.do(cgroups.probe), inside)

    async def start(self, spec: RunSpec, prepare: Prepare | None = None) -> Run:
        """Start an instance; see `Engine.start`. Output goes to `spec.log`, if there is one."""
        sink: Sink = Log(spec.log) if spec.log else Capture(0)
        return await self._launch(spec, prepare, (sink,), ended=self._ended.put_nowait)

    async def stop(self, run: Run, grace: float) -> Exit:
        """End it in good order; see `Engine.stop`."""
        assert isinstance(run, SandboxRun)
        return await run.end(ExitReason.STOPPED, grace)

    async def events(self) -> AsyncIterator[Run]:
        """Each started run when it has ended; see `Engine.events`."""
        while True:
            yield await self._ended.get()

    async def stats(self, run: Run) -> Stats:
        """What it uses now; see `Engine.stats`."""
        assert isinstance(run, SandboxRun)
        return await asyncio.get_running_loop().run_in_executor(self._watch.thread, _stats, run)

    async def run_once(
        self, spec: RunSpec, stdin: bytes, within: float, prepare: Prepare | None = None
    ) -> Outcome:
        """Run to the end; see `Engine.run_once`."""
        stdout, stderr = Capture(STDOUT_BYTES), Capture(STDERR_BYTES)
        run = await self._launch(spec, prepare, (stdout, stderr), stdin=stdin)
        try:
            async with asyncio.timeout(within):
                await run.wait()
        except TimeoutError:
            await run.end(ExitReason.TIMEOUT)
        except BaseException:
            await run.end(ExitReason.STOPPED)
            raise
        truncated = stdout.truncated or stderr.truncated
        return Outcome(await run.wait(), bytes(stdout.content), bytes(stderr.content), truncated)

    async def doctor(self) -> list[Finding]:
        """Say what works here; see `Engine.doctor`."""
        return await doctor.examine(self._program, self.levels)

    async def close(self) -> None:
        """End every run and give back all; see `Engine.close`."""
        await self._watch.close()
        await asyncio.gather(
            *(asyncio.wrap_future(work) for work in tuple(self._building)), return_exceptions=True
        )
        await asyncio.gather(*(run.end(ExitReason.STOPPED) for run in tuple(self._runs)))
        await self._inside.do(self._hierarchy.remove)
        await self._inside.close()

    async def _launch(
        self,
        spec: RunSpec,
        prepare: Prepare | None,
        sinks: tuple[Sink, ...],
        *,
        stdin: bytes = b"",
        ended: Ended | None = None,
    ) -> SandboxRun:
        held, group = await self._hold(spec, stdin, separate=len(sinks) > 1)
        forget = self._forget if ended is None else lambda run: self._report(run, ended)
        run = SandboxRun(spec, held, group, self._inside, forget)
        run.follow(sinks)
        self._runs.add(run)
        try:
            if prepare is not None:
                await prepare(run)
        except BaseException:
            await asyncio.shield(run.end(ExitReason.STOPPED))
            raise
        run.release()
        self._watch.begin()
        asyncio.get_running_loop().call_later(START_SECONDS, run.calm)
        return run

    async def _hold(self, spec: RunSpec, stdin: bytes, *, separate: bool) -> tuple[Held, Group]:
        """Build the sandbox in a thread of its own; lose nothing if the caller goes away."""
        work: Building = Future()
        work.set_running_or_notify_cancel()
        self._building.add(work)
        work.add_done_callback(self._building.discard)
        Thread(
            target=_keep,
            args=(work, lambda: self._build(spec, stdin, separate=separate)),
            name=f"sandbox-{spec.name}",
            daemon=True,
        ).start()
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            work.add_done_callback(_drop)
            raise

    def _build(self, spec: RunSpec, stdin: bytes, *, separate: bool) -> tuple[Held, Group]:
        check_reach(spec)
        own_var(spec)
        bounds = ceiling(spec.limits, self.levels)
        with contextlib.ExitStack() as undo:
            group = self._hierarchy.group(f"{spec.name}.{next(self._numbers)}")
            undo.callback(group.remove)
            held = spawn.hold(spec, self._program, bounds, stdin=stdin, separate=separate)
            undo.callback(held.close)
            # One that died while bubblewrap built it runs nothing, and its end will tell.
            with contextlib.suppress(ProcessLookupError):
                self._bound(held, group, spec)
            undo.pop_all()
        return held, group

    def _bound(self, held: Held, group: Group, spec: RunSpec) -> None:
        group.limit(spec.limits)
        group.limit_cpu(max(START_CPU, spec.limits.cpu))
        group.join(held.process.pid)
        group.join(held.pid)
        if self.levels.processes is not Level.HARD:
            limit_processes(held.pid, spec.limits.processes, spec.uid)
        if self.levels.cpu is not Level.HARD:
            os.setpriority(os.PRIO_PROCESS, held.pid, NICE)

    def _report(self, run: SandboxRun, ended: Ended) -> None:
        self._forget(run)
        ended(run)

    def _forget(self, run: SandboxRun) -> None:
        self._runs.discard(run)


def _keep(work: Building, build: Callable[[], tuple[Held, Group]]) -> None:
    """The life of a sandbox's own thread: start it, and stay, because it dies with the thread."""
    try:
        held, group = build()
    except BaseException as error:  # noqa: BLE001 - it is raised again where the result is awaited
        work.set_exception(error)
        return
    work.set_result((held, group))
    held.process.wait()


def _drop(work: Building) -> None:
    """The caller was cancelled while its sandbox was being built."""
    if work.exception() is None:
        held, group = work.result()
        held.close()
        group.remove()


def _stats(run: SandboxRun) -> Stats:
    """Counted in the watcher's thread: a walk through `/var` may take a while."""
    if run.exit is not None:
        return Stats(0, 0, 0.0, 0, 0)
    pids = processes.by_namespace().get(run.namespace or 0, [])
    pss = processes.share_of_memory(pids)
    with contextlib.suppress(OSError):
        memory = run.group.memory()
    limit = run.spec.limits.disk_mb * MEBIBYTE
    return Stats(
        memory=pss if memory is None else memory,
        pss=pss,
        cpu=processes.cpu_seconds(pids),
        processes=max(0, len(pids) - 1),
        disk=disk.usage(run.spec.var, size=2 * limit, files=file_bound(run.spec.limits)).size,
    )
