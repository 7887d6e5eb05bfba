"""Asks servers in a closed loop, by the C program beside this file, else in Python.

Each connection asks, reads the whole answer, and asks again: no pipelining. The generator runs on a
core of its own, and in C it takes about a quarter of the time that the fastest server takes.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("load.c")
FALLBACK = Path(__file__).with_name("slow_load.py")


class LoadError(Exception):
    """A server hung up or did not answer; the text is the generator's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a window. `received`: bytes; `p50`...: milliseconds from request to answer."""

    count: int
    failed: int
    seconds: float
    received: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Request:
    """Where to ask, and the head for each place, without length; connections take turns with them.

    `addresses`: paths of Unix sockets, or host:port.
    """

    addresses: tuple[str, ...]
    heads: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask: a request, and a file of bodies that it is made with in turn."""

    request: Request
    bodies: Path


class Generator:
    """The program that asks. `language`: what it is written in."""

    def __init__(self, folder: Path, core: int) -> None:
        self._folder = folder
        self._core = core
        self._stamp = 0
        compiler = shutil.which("cc") or shutil.which("gcc")
        program = folder / "load"
        done = compiler and subprocess.run(
            (compiler, "-O2", "-o", str(program), str(SOURCE)), capture_output=True, check=False
        )
        self.language = "C" if done and done.returncode == 0 else "Python"
        python = (sys.executable, str(FALLBACK))
        self._command = (str(program),) if self.language == "C" else python

    async def run(self, plan: Plan, *, connections: int, seconds: float, first: int = 0) -> Outcome:
        """Ask for so many seconds, or with 0 send each body once.

        `first`: what takes the place of the first thirteen `@` of a body; one more each time.

        Raises:
            LoadError: an answer did not come.
        """
        heads = write_records(self._folder / "heads", *plan.request.heads)
        numbers = (str(connections), str(seconds), str(first))
        process = await asyncio.create_subprocess_exec(
            *("taskset", "--cpu-list", str(self._core), *self._command),
            *(",".join(plan.request.addresses), str(heads), str(plan.bodies), *numbers),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        output, said = await process.communicate()
        if process.returncode:
            raise LoadError(said.decode(errors="replace").strip())
        outcome = Outcome(**json.loads(output))
        if outcome.failed:
            raise LoadError(f"{outcome.failed} refused: {said.decode(errors='replace').strip()}")
        return outcome


def write_records(path: Path, *records: bytes) -> Path:
    """Write a file for the load programs: each record after its length in 4 bytes."""
    with path.open("wb") as file:
        for record in records:
            file.write(len(record).to_bytes(4, "little"))
            file.write(record)
    return path
