"""Rates: no more requests in a window than allowed, whatever tokens they come with."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from databox.kit.clock import FixedClock
from databox.kit.guard import Verified
from databox.store.rates import Rates
from databox.wire.caveats import compile_caveats
from databox.wire.errors import TooOften

NOW = 1_700_000_000_000
MINUTE, HOUR = 60_000, 3_600_000


def holder(*caveats: str, client: str = "graph", grant: str = "g1") -> Verified:
    """Who asks with a token of these caveats."""
    return Verified(client, grant, "", "", compile_caveats(caveats))


class Desk:
    """Rates with what they keep, on a clock of their own."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}
        self.clock = FixedClock(NOW)
        self.restart()

    def restart(self) -> None:
        """Begin anew with what was kept."""
        self._rates = Rates(self._load, self.clock)

    def take(self, *caveats: str, client: str = "graph", grant: str = "g1") -> list[int]:
        """Count one request, and keep it; gives the counts."""
        taken = asyncio.run(self._rates.take(holder(*caveats, client=client, grant=grant)))
        self.kept.update((each.name, each.number) for each in taken)
        return [each.number & 0xFFFFF for each in taken]

    def passes(self, *caveats: str, client: str = "graph", grant: str = "g1") -> bool:
        """Whether one more request is allowed."""
        try:
            self.take(*caveats, client=client, grant=grant)
        except TooOften:
            return False
        return True

    async def _load(self, name: str) -> int:
        return self.kept.get(name, 0)


def test_the_last_of_a_window_passes_and_one_more_does_not() -> None:
    desk = Desk()
    assert [desk.passes("rate <= 3/PT1M") for _ in range(5)] == [True] * 3 + [False] * 2


def test_who_asked_too_often_is_told_when_the_window_is_over() -> None:
    desk = Desk()
    desk.clock.time = NOW // HOUR * HOUR + 90_500
    desk.take("rate <= 1/PT1M", "rate <= 1/PT1H")
    with pytest.raises(TooOften) as caught:
        desk.take("rate <= 1/PT1M", "rate <= 1/PT1H")
    assert caught.value.wait == 3510
    desk.clock.advance(caught.value.wait * 1000)
    assert desk.passes("rate <= 1/PT1M", "rate <= 1/PT1H")


def test_tokens_of_one_grant_count_together_and_grants_apart() -> None:
    desk = Desk()
    assert desk.passes("rate <= 2/PT1M", "time < 5")
    assert desk.passes("rate <= 2/PT1M")
    assert not desk.passes("rate <= 2/PT1M", "time < 7")
    assert desk.passes("rate <= 2/PT1M", grant="g2")
    assert desk.passes("rate <= 2/PT1M", client="other")


def test_a_refused_request_is_not_counted() -> None:
    desk = Desk()
    desk.take("rate <= 5/PT1M", "rate <= 1/PT1H")
    assert not desk.passes("rate <= 5/PT1M", "rate <= 1/PT1H")
    assert desk.take("rate <= 5/PT1M") == [2]


def test_two_who_come_first_at_once_are_both_counted() -> None:
    async def both() -> list[bool]:
        rates = Rates(_slowly, FixedClock(NOW))
        taken = (rates.take(holder("rate <= 1/PT1M")) for _ in range(2))
        found = await asyncio.gather(*taken, return_exceptions=True)
        return [isinstance(each, TooOften) for each in found]

    assert sorted(asyncio.run(both())) == [False, True]


async def _slowly(_: str) -> int:
    await asyncio.sleep(0)
    return 0


STEPS = st.lists(
    st.tuples(
        st.integers(0, 40_000),
        st.sampled_from([(), ("rate <= 2/PT1M",), ("rate <= 9/PT1M",), ("rate <= 4/PT1H",)]),
        st.booleans(),
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.sampled_from([("PT1M", MINUTE), ("PT1H", HOUR)]), STEPS)
def test_no_window_has_more_however_tokens_and_restarts_follow(
    most: int, window: tuple[str, int], steps: list[tuple[int, tuple[str, ...], bool]]
) -> None:
    name, length = window
    desk = Desk()
    seen: Counter[int] = Counter()
    for later, narrowed, restarts in steps:
        desk.clock.advance(later)
        if restarts:
            desk.restart()
        seen[desk.clock.time // length] += desk.passes(f"rate <= {most}/{name}", *narrowed)
    assert all(count <= most for count in seen.values())
