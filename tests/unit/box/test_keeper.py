"""The keeper carries out what the life cycle decides, with hands that are only noted down."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from databox.box.keeper import Hands, Keeper
from databox.box.lifecycle import Ended, Event, Policy, State
from databox.wire.errors import Unavailable

POLICY = Policy(first_pause=0.01, longest_pause=0.01, most_falls=3, ready_within=0.05)
FELL = Ended(clean=False, reason="code 1")


class Noted:
    """Hands that note what they were told."""

    def __init__(self, failing: int = 0) -> None:
        self.done: list[str] = []
        self.failing = failing
        self.keeper: Keeper | None = None

    async def spawn(self) -> None:
        self.done.append("spawn")
        if self.failing:
            self.failing -= 1
            raise Unavailable("no sandbox here")

    async def end(self) -> None:
        self.done.append("end")
        assert self.keeper is not None
        self.keeper.tell(Ended(clean=True, reason=""))

    def kill(self) -> None:
        self.done.append("kill")
        assert self.keeper is not None
        self.keeper.tell(Ended(clean=False, reason="killed"))


def tell(
    story: Callable[[Keeper, Noted], Awaitable[None]], *, policy: Policy = POLICY, failing: int = 0
) -> None:
    async def run() -> None:
        hands = Noted(failing)
        keeper = Keeper("hue", policy, Hands(hands.spawn, hands.end, hands.kill), lambda _: None)
        hands.keeper = keeper
        async with asyncio.timeout(5):
            await story(keeper, hands)

    asyncio.run(run())


def test_awake_waits_for_a_start() -> None:
    async def story(keeper: Keeper, hands: Noted) -> None:
        keeper.tell(Event.START)
        asyncio.get_running_loop().call_later(0.01, keeper.tell, Event.READY)
        await keeper.awake(1.0)
        assert hands.done == ["spawn"]

    tell(story)


def test_awake_wakes_a_sleeper() -> None:
    async def story(keeper: Keeper, hands: Noted) -> None:
        keeper.tell(Event.SLEEP)
        asyncio.get_running_loop().call_later(0.01, keeper.tell, Event.READY)
        await keeper.awake(1.0)
        assert keeper.state is State.RUNNING

    tell(story)


def test_awake_gives_up_on_what_keeps_falling_and_says_why() -> None:
    async def story(keeper: Keeper, hands: Noted) -> None:
        keeper.tell(Event.START)
        with pytest.raises(Unavailable) as caught:
            await keeper.awake(5.0)
        assert caught.value.found == "no sandbox here"

    tell(story, failing=99)


def test_awake_does_not_start_what_was_stopped() -> None:
    async def story(keeper: Keeper, hands: Noted) -> None:
        with pytest.raises(Unavailable):
            await keeper.awake(1.0)
        assert hands.done == []

    tell(story)


def test_spawn_that_fails_is_tried_again() -> None:
    async def story(keeper: Keeper, hands: Noted) -> None:
        keeper.tell(Event.START)
        while len(hands.done) < 2:
            await asyncio.sleep(0.005)
        keeper.tell(Event.READY)
        assert keeper.state is State.RUNNING
        assert keeper.life.restarts == 1

    tell(story, failing=1)


def test_start_that_takes_too_long_is_killed() -> None:
    async def story(keeper: Keeper, hands: Noted) -> None:
        keeper.tell(Event.START)
        await keeper.until(State.WAITING)
        assert hands.done == ["spawn", "kill"]
        assert keeper.life.reason == "not ready within 0.05 s"

    tell(story)


def test_stop_during_a_pause_cancels_the_restart() -> None:
    async def story(keeper: Keeper, hands: Noted) -> None:
        keeper.tell(Event.START)
        await asyncio.sleep(0)
        keeper.tell(FELL)
        await keeper.stop()
        await asyncio.sleep(0.03)
        assert hands.done == ["spawn"]

    tell(story)


def test_stop_comes_back_when_it_is_over() -> None:
    async def story(keeper: Keeper, hands: Noted) -> None:
        keeper.tell(Event.START)
        keeper.tell(Event.READY)
        await keeper.stop()
        assert (keeper.state, hands.done) == (State.STOPPED, ["spawn", "end"])

    tell(story)
