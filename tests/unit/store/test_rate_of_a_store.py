"""A store answers no more often than a token's rate, whatever is asked and however it restarts."""

import asyncio
import random
from collections.abc import Callable, Coroutine

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.store.worlds import START, Worlds, worlds

from databox.store import audit
from databox.store.service import Store

MINUTE = 60_000
PATHS = ("ts/latest", "ts/since?startTimestamp=0", "ts/points", "ts/windows?every=PT1M", "kv", "x")
MORE = ("rate <= 2/PT1M", "rate <= 9/PT1M", "rate <= 4/PT1H", f"startTimestamp >= {START}")


def play(story: Callable[[Worlds], Coroutine[None, None, None]]) -> None:
    """Run a story with two stores."""
    with asyncio.Runner() as runner, worlds(runner) as both:
        runner.run(story(both))


def test_who_asks_too_often_is_told_how_long_to_wait() -> None:
    async def story(both: Worlds) -> None:
        world = both.both[0]
        both.clock.time = START + 15_500
        assert (await world.ask("/walk/ts/latest", ("rate <= 1/PT1M",)))[0] == 200
        refused = await world.answer("/walk/ts/latest", ("rate <= 1/PT1M",))
        assert (refused.status, refused.header("retry-after")) == (429, "45")
        both.clock.advance(45_000)
        assert (await world.ask("/walk/ts/latest", ("rate <= 1/PT1M",)))[0] == 200

    play(story)


@pytest.mark.parametrize("path", ["/walk/ts/tail", "/ws", "/sub/walk/ts"])
def test_what_goes_on_and_on_is_refused_where_requests_are_counted(path: str) -> None:
    async def story(both: Worlds) -> None:
        told = await both.both[0].follow(path, ("rate <= 1000/PT1M",))
        assert isinstance(told, tuple)
        assert told[0] == 401

    play(story)


def test_a_refused_request_is_on_the_record() -> None:
    async def story(both: Worlds) -> None:
        world = both.both[0]
        for _ in range(3):
            await world.ask("/walk/ts/latest", ("rate <= 1/PT1M",))
        assert await _refusals(world.store) == ["rate"]

    play(story)


def test_a_count_that_cannot_be_kept_is_no_answer() -> None:
    async def story(both: Worlds) -> None:
        world = both.both[0]
        world.break_writes()
        assert (await world.ask("/walk/ts/latest", ("rate <= 5/PT1M",)))[0] == 503

    play(story)


async def _refusals(store: Store) -> list[str]:
    await store._door.write_down_refusals()
    rows = await store._answers.means.read(lambda reader: list(reader.chain()))
    records = [each for row in rows for _, each in audit.unpack(row.blob)]
    return [each.exact for each in records if each.operation == audit.REFUSE]


STEPS = st.lists(
    st.tuples(st.integers(0, 50_000), st.sampled_from((0, 0, 0, 1, 2))), min_size=1, max_size=14
)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), STEPS, st.integers(0, 2**32))
def test_no_window_has_more_answers_than_the_rate_over_restarts(
    most: int, steps: list[tuple[int, int]], seed: int
) -> None:
    play(lambda both: _asked(both, most, steps, random.Random(seed)))


async def _asked(
    both: Worlds, most: int, steps: list[tuple[int, int]], chance: random.Random
) -> None:
    world = both.both[0]
    answered: dict[int, int] = {}
    for later, ending in steps:
        both.clock.advance(later)
        if ending:
            await world.close() if ending == 1 else await world.kill()
            world.open()
        for _ in range(chance.randint(1, 4)):
            added = chance.sample(MORE, chance.randint(0, 1))
            path = f"/walk/{chance.choice(PATHS)}"
            status, _ = await world.ask(path, (f"rate <= {most}/PT1M", *added))
            minute = both.clock.time // MINUTE
            answered[minute] = answered.get(minute, 0) + (status not in (429, 404, 401))
    assert all(count <= most for count in answered.values())
