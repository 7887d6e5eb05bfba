"""Retention: what a rule says before it runs, what it drops, and what stays."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.store.worlds import DRIVER, START, World, _request, _whole

from databox.kit.clock import FixedClock
from databox.store.retention import DAY, HOUR, dropped_before

MINUTE = 60_000
DAYS = 10


class Box:
    """A store with ten days of readings, a reading a quarter of an hour."""

    def __init__(self, world: World, clock: FixedClock) -> None:
        self.world, self.clock = world, clock

    async def fill(self) -> None:
        times = range(START - DAYS * DAY, START, 15 * MINUTE)
        await self.world.write("temp", [(t, (t // MINUTE) % 7 + 0.5) for t in times], {})

    async def owner(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        request = _request("gateway", method, path, ("role = owner", "user = ada"), "user")
        request.body = b"" if body is None else json.dumps(body).encode()
        status, answer = await _whole(await self.world._answer(request))
        return status, json.loads(answer)

    async def driver(self, path: str) -> object:
        status, answer = await _whole(await self.world._answer(_request(DRIVER, "GET", path, ())))
        assert status == 200, answer
        return json.loads(answer)


Story = Callable[[Box], Awaitable[None]]


@pytest.fixture
def tell(tmp_path: Path) -> Callable[[Story], None]:
    def tell(story: Story) -> None:
        async def run() -> None:
            clock = FixedClock(START)
            world = World(tmp_path, clock)
            box = Box(world, clock)
            await box.fill()
            await story(box)
            await world.close()

        asyncio.run(run())

    return tell


def test_a_rule_says_before_it_runs_what_it_will_drop(tell: Callable[[Story], None]) -> None:
    async def story(box: Box) -> None:
        status, told = await box.owner("GET", "/temp/retention?days=3")
        assert (status, told) == (
            200,
            {
                "source": "temp",
                "days": 3,
                "points": DAYS * 96,
                "drops": (DAYS - 3) * 96,
                "before": START - 3 * DAY,
            },
        )
        assert await box.driver("/temp/ts/length") == {"length": DAYS * 96}

    tell(story)


def test_a_rule_drops_points_and_leaves_what_they_came_to(tell: Callable[[Story], None]) -> None:
    async def story(box: Box) -> None:
        hours = f"/temp/ts/windows?from={START - DAYS * DAY}&to={START - 1}&every=PT1H"
        before = await box.driver(hours)
        status, told = await box.owner("POST", "/temp/retention", {"days": 3})
        assert (status, told["drops"]) == (200, (DAYS - 3) * 96)
        assert await box.driver("/temp/ts/length") == {"length": 3 * 96}
        assert await box.driver(hours) == before
        status, rules = await box.owner("GET", "/retention")
        assert rules == {"sources": [{"source": "temp", "days": 3, "points": 3 * 96}]}

    tell(story)


def test_a_rule_goes_on_dropping_as_time_passes(tell: Callable[[Story], None]) -> None:
    async def story(box: Box) -> None:
        await box.owner("POST", "/temp/retention", {"days": 3})
        box.clock.advance(DAY)
        await box.world.turn()
        assert await box.driver("/temp/ts/length") == {"length": 2 * 96}
        await box.owner("POST", "/temp/retention", {"days": None})
        box.clock.advance(DAY)
        await box.world.turn()
        assert await box.driver("/temp/ts/length") == {"length": 2 * 96}

    tell(story)


@pytest.mark.parametrize("caveats", [(), ("role = owner",), ("role = owner", "user = ada")])
def test_no_component_sets_a_rule(tell: Callable[[Story], None], caveats: tuple[str, ...]) -> None:
    async def story(box: Box) -> None:
        request = _request(DRIVER, "POST", "/temp/retention", caveats)
        request.body = b'{"days": 3}'
        assert (await _whole(await box.world._answer(request)))[0] in (401, 403)
        assert await box.driver("/temp/ts/length") == {"length": DAYS * 96}

    tell(story)


@pytest.mark.parametrize("body", [{}, {"days": 0}, {"days": -1}, {"days": "3"}, {"days": 1e9}, []])
def test_what_is_no_rule_is_refused(tell: Callable[[Story], None], body: object) -> None:
    async def story(box: Box) -> None:
        status, told = await box.owner("POST", "/temp/retention", body)
        assert (status, told["error"]["field"]) == (400, "days")
        assert await box.driver("/temp/ts/length") == {"length": DAYS * 96}

    tell(story)


def test_whole_hours_are_dropped() -> None:
    now = START + 5 * HOUR + 1
    assert dropped_before(now, 2) == START + 5 * HOUR - 2 * DAY
