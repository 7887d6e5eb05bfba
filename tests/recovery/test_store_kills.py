"""A store that is killed again and again, at any moment, while many use it."""

import asyncio
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.recovery.store_load import Promises, StoreProcess, found_on


async def one_life(folder: Path, promises: Promises, chance: random.Random) -> float | None:
    """Start a store, use it, kill it; gives the seconds until its first answer, if there was one.

    Every sixth is killed while it starts.
    """
    began = time.monotonic()
    with StoreProcess(folder) as store:
        if chance.random() < 1 / 6:
            await asyncio.sleep(chance.uniform(0, 0.5))
            return None
        await store.ready()
        answered = time.monotonic() - began
        serving = asyncio.create_task(store.serve(promises))
        await some_acknowledged(promises, chance.randint(1, 400))
        await asyncio.sleep(chance.uniform(0, 0.05))
    await serving
    return answered


async def some_acknowledged(promises: Promises, more: int) -> None:
    """Wait until so many more writes were acknowledged, or 3 s, so that all lives get somewhere."""
    until, enough = time.monotonic() + 3, promises.count + more
    while promises.count < enough and time.monotonic() < until:
        await asyncio.sleep(0.001)


async def lives(number: int, folder: Path, seed: int) -> tuple[Promises, list[float]]:
    """What was promised over that many lives, each checked, and how long their starts took."""
    store = folder / "store"
    store.mkdir()
    promises, chance, waits = Promises(), random.Random(seed), []
    for _ in range(number):
        wait = await one_life(store, promises, chance)
        if wait is not None:
            waits.append(wait)
        found_on(store, folder / "copy").keep(promises)
    with StoreProcess(store) as last:
        await last.ready()
    return promises, waits


@pytest.mark.parametrize(
    "number", [12, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_nothing_acknowledged_is_lost_however_often_it_is_killed(
    tmp_path: Path, number: int, tell: Callable[[str], None]
) -> None:
    promises, waits = asyncio.run(lives(number, tmp_path, seed=number))
    assert promises.count > number
    assert promises.shown
    assert promises.sets
    tell(
        f"store killed {number} times: {promises.count} writes acknowledged, none lost; "
        f"first answer after it is started again: {statistics.median(waits) * 1000:.0f} ms, "
        f"at most {max(waits) * 1000:.0f} ms, interpreter included"
    )
