"""Limits hold, each at the level that doctor reports, while a neighbour keeps answering."""

import asyncio
import json
import time
from collections.abc import Awaitable
from typing import Any

import pytest

from databox.engines import Engine, Exit, ExitReason, Run
from databox.wire.runspec import Limits, RunSpec

PYTHON = ("/usr/bin/python3", "-S", "-E")
MIB = 1024 * 1024
PATIENCE = 2.0
"""Seconds for a neighbour's answer at the worst moment of an attack; its median is under 1 ms."""


async def level(engine: Engine, limit: str) -> str:
    """How hard a limit is here, in doctor's own words."""
    words = next(finding.found for finding in await engine.doctor() if finding.name == "limits")
    return next(part.partition(" ")[2] for part in words.split(", ") if part.startswith(limit))


class Neighbour:
    """A server in the next sandbox, asked without pause while an attack runs."""

    def __init__(self, stage: Any, answer: Any) -> None:
        self._spec: RunSpec = stage.spec("python3", "-m", "http.server", "8080")
        self._answer = answer
        self.worst = 0.0
        self.answers = 0

    async def beside(self, engine: Engine, attack: Awaitable[Any]) -> Any:
        run = await engine.start(self._spec)
        await self._answer(run, 8080)
        attacking = asyncio.ensure_future(attack)
        while not attacking.done():
            await self._ask(run)
            await asyncio.sleep(0.02)
        return await attacking

    async def _ask(self, run: Run) -> None:
        began = time.monotonic()
        assert (await self._answer(run, 8080)).startswith(b"HTTP/1.0 200")
        self.worst = max(self.worst, time.monotonic() - began)
        self.answers += 1


@pytest.fixture
def neighbour(stage: Any, answer: Any) -> Neighbour:
    return Neighbour(stage, answer)


def spec(stage: Any, script: str, argument: object, **limits: Any) -> RunSpec:
    made: RunSpec = stage.spec(*PYTHON, script, json.dumps(argument), limits=Limits(**limits))
    return made


async def to_the_end(engine: Engine, wanted: RunSpec, seconds: float = 30) -> tuple[Exit, float]:
    began = time.monotonic()
    run = await engine.start(wanted)
    async with asyncio.timeout(seconds):
        return await run.wait(), time.monotonic() - began


def test_memory_ends_at_the_bound(stage: Any, neighbour: Neighbour) -> None:
    wanted = spec(stage, "eat_memory.py", [1, 2000], memory_mb=64)

    async def story(engine: Engine) -> tuple[str, Exit]:
        end, _ = await neighbour.beside(engine, to_the_end(engine, wanted))
        return await level(engine, "memory"), end

    how, end = stage.tell(story)
    if how == "hard":
        assert end == Exit(137, ExitReason.MEMORY, "more than 64 MiB")
    else:
        assert end == Exit(3, ExitReason.EXITED)
    assert neighbour.worst < PATIENCE


def test_memory_of_all_processes_together_is_bounded(stage: Any, neighbour: Neighbour) -> None:
    wanted = spec(stage, "eat_memory.py", [4, 50], memory_mb=64)

    async def story(engine: Engine) -> tuple[Exit, float] | None:
        if await level(engine, "memory") == "hard":
            return None
        end: tuple[Exit, float] = await neighbour.beside(engine, to_the_end(engine, wanted))
        return end

    result = stage.tell(story)
    if result is None:
        pytest.skip("one bound for the whole instance: the test above shows it")
    end, took = result
    assert end.reason is ExitReason.MEMORY
    assert took < 12


def test_files_in_tmp_are_bounded_where_memory_is_only_watched(stage: Any) -> None:
    wanted = spec(stage, "fill_folder.py", ["/tmp", 0, 20_000])

    async def story(engine: Engine) -> Exit | None:
        if await level(engine, "memory") == "hard":
            return None
        return (await to_the_end(engine, wanted))[0]

    end = stage.tell(story)
    if end is None:
        pytest.skip("one bound for the whole instance counts them as memory")
    assert end.reason is ExitReason.MEMORY


def test_processes_end_at_the_bound(stage: Any, neighbour: Neighbour) -> None:
    wanted = spec(stage, "fork_bomb.py", None, processes=40)

    async def story(engine: Engine) -> dict[str, Any]:
        outcome = await neighbour.beside(engine, engine.run_once(wanted, b"", 30))
        return dict(json.loads(outcome.stdout))

    results = stage.tell(story)
    assert results["bomb"] == "EAGAIN"
    assert 20 <= results["started"] <= 40
    assert neighbour.worst < PATIENCE


def test_a_neighbour_may_start_processes_while_one_is_at_its_bound(stage: Any) -> None:
    bomb = spec(stage, "fork_bomb.py", None, processes=40)
    other = spec(stage, "fork_bomb.py", None, processes=30)

    async def story(engine: Engine) -> tuple[bytes, bytes]:
        both = (engine.run_once(wanted, b"", 30) for wanted in (bomb, other))
        first, second = await asyncio.gather(*both)
        return first.stdout, second.stdout

    first, second = (json.loads(text)["started"] for text in stage.tell(story))
    assert first > 30
    assert 20 <= second <= 30


def test_one_that_spins_leaves_the_neighbour_its_time(stage: Any, neighbour: Neighbour) -> None:
    wanted = spec(stage, "spin.py", 3, cpu=0.5)

    async def story(engine: Engine) -> Exit:
        end: Exit = (await neighbour.beside(engine, to_the_end(engine, wanted)))[0]
        return end

    assert stage.tell(story).code == 0
    assert neighbour.answers > 20
    assert neighbour.worst < PATIENCE


def test_memory_behind_tmp_is_bounded(stage: Any, neighbour: Neighbour) -> None:
    wanted = spec(stage, "fill.py", [200 * MIB, ["/tmp"]], memory_mb=256)

    async def story(engine: Engine) -> dict[str, Any]:
        outcome = await neighbour.beside(engine, engine.run_once(wanted, b"", 30))
        return dict(json.loads(outcome.stdout))

    assert stage.tell(story)["/tmp"] == "ENOSPC"
    assert neighbour.worst < PATIENCE


def test_one_file_cannot_pass_the_disk_share(stage: Any) -> None:
    wanted = spec(stage, "fill.py", [20 * MIB, ["/var"]], disk_mb=8)

    async def story(engine: Engine) -> dict[str, Any]:
        outcome = await engine.run_once(wanted, b"", 30)
        return dict(json.loads(outcome.stdout))

    assert stage.tell(story)["/var"] == "EFBIG"


@pytest.mark.parametrize(
    ("size", "count"), [pytest.param(MIB, 12, id="bytes"), pytest.param(0, 3000, id="files")]
)
def test_one_that_fills_var_is_stopped(
    size: int, count: int, stage: Any, neighbour: Neighbour
) -> None:
    wanted = spec(stage, "fill_folder.py", ["/var", size, count], disk_mb=8)

    async def story(engine: Engine) -> tuple[Exit, float]:
        end: tuple[Exit, float] = await neighbour.beside(engine, to_the_end(engine, wanted))
        return end

    end, took = stage.tell(story)
    assert end.reason is ExitReason.DISK
    assert took < 12
    assert neighbour.worst < PATIENCE


def test_a_run_within_its_share_is_left_alone(stage: Any) -> None:
    wanted = spec(stage, "fill_folder.py", ["/var", MIB, 7], disk_mb=8)

    async def story(engine: Engine) -> Exit | None:
        run = await engine.start(wanted)
        await asyncio.sleep(8)
        return run.exit

    assert stage.tell(story) is None
