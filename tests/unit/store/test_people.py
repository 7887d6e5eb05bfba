"""Tokens of people at a store: the owner sees all, a member what the token names."""

import asyncio

import pytest
from tests.unit.store.worlds import World, Worlds, worlds

OWNER = ("user = Ada", "role = owner")
MEMBER = ("user = Bob", "role = member")


@pytest.mark.parametrize(
    ("caveats", "status"),
    [
        (OWNER, 200),
        (MEMBER, 401),
        ((*MEMBER, 'datasources = ["walk"]'), 200),
        ((*MEMBER, 'datasources = ["other"]'), 401),
        ((*MEMBER, "role = owner"), 401),
        ((*MEMBER, 'datasources = ["walk"]', "user = Ada"), 401),
        ((*OWNER, "role = member"), 401),
    ],
)
def test_a_member_sees_only_the_sources_that_the_token_names(
    caveats: tuple[str, ...], status: int
) -> None:
    async def story(both: Worlds) -> int:
        world: World = both.both[0]
        await world.write("walk", [(both.clock.time, 1)], {})
        return (await world.ask("/walk/ts/latest", caveats, grant="user"))[0]

    with asyncio.Runner() as runner, worlds(runner) as both:
        assert runner.run(story(both)) == status
