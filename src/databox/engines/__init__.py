"""Run a component apart from all others: one page of contract, several engines.

Spoken to by `box` alone. An engine knows what a process, a file and a socket are; it must never
know what an app, a grant or a token is, and never looks into the bytes that pass.
"""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from databox.wire.runspec import RunSpec


class ExitReason(StrEnum):
    """Why a run ended. `BROKEN`: its sandbox could not be built, so none of its code ran."""

    EXITED = "exited"
    STOPPED = "stopped"
    MEMORY = "memory"
    DISK = "disk"
    TIMEOUT = "timeout"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Exit:
    """How a run ended. `code`: 0 to 255, 128 + n for signal n. `detail`: for people."""

    code: int
    reason: ExitReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a run uses now: bytes, bytes, seconds so far, processes, bytes of `/var`.

    `memory` is what the limit counts where the limit is hard; `pss` is the fair share of pages.
    """

    memory: int
    pss: int
    cpu: float
    processes: int
    disk: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of an honest diagnosis. `remedy` is empty when there is nothing to do."""

    name: str
    level: Literal["ok", "warn", "fail"]
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a throw-away run gave: its end and the first part of what it wrote.

    `truncated`: it wrote more than the bound, and the rest was dropped.
    """

    exit: Exit
    stdout: bytes
    stderr: bytes
    truncated: bool


class Run(Protocol):
    """One instance, from before its first instruction to its last."""

    @property
    def spec(self) -> RunSpec:
        """What was asked for."""

    @property
    def pid(self) -> int:
        """A process of the host that lives as long as the instance."""

    @property
    def exit(self) -> Exit | None:
        """How it ended; None while it runs."""

    async def wait(self) -> Exit:
        """Wait until every process of the instance is gone."""

    async def listen(self, address: str, port: int) -> socket.socket:
        """Listen *inside* the instance's network at `address`, for the names it may reach.

        The socket belongs to the caller. One left open keeps the network namespace alive.

        Raises:
            Conflict: the address is taken, by the app or by an earlier call.
            Unavailable: the run has ended.
        """

    async def dial(self, port: int) -> socket.socket:
        """Connect to the app's own `port`, on 127.0.0.1, then on ::1.

        Raises:
            Unavailable: nothing answers there yet, or the run has ended.
        """


Prepare = Callable[[Run], Awaitable[None]]
"""Called while the instance is held before its first instruction: make its listeners here."""


class Engine(Protocol):
    """What every engine does. `tests/isolation` runs the same tests against each."""

    name: str

    async def start(self, spec: RunSpec, prepare: Prepare | None = None) -> Run:
        """Start an instance. It runs when this returns; it may not have begun to serve.

        A sandbox that cannot be built is an error here, or `BROKEN` when that shows later.

        Raises:
            Unavailable: this machine cannot run it now; the remedy says what is missing.
            BadRequest: the spec names something that cannot be, such as a NUL in an argument.
        """

    async def stop(self, run: Run, grace: float) -> Exit:
        """Ask the app to end (SIGTERM), wait `grace` seconds, then end all of it."""

    def events(self) -> AsyncIterator[Run]:
        """Each started run, once, when it has ended, whatever ended it. For one reader."""

    async def stats(self, run: Run) -> Stats:
        """What the run uses now; zeros once it has ended."""

    async def run_once(
        self, spec: RunSpec, stdin: bytes, within: float, prepare: Prepare | None = None
    ) -> Outcome:
        """Run to the end in a throw-away instance; at most `within` seconds. Never an event.

        Raises:
            Unavailable, BadRequest: as `start`.
        """

    async def doctor(self) -> list[Finding]:
        """Say what this machine can and cannot do, by trying. Works before anything runs."""

    async def close(self) -> None:
        """End every run at once and give back all that the engine holds."""
