"""Rates: no more requests in a window than allowed, whatever tokens they come with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.kit.guard import Verified
from databox.store.rates import Rates
from databox.wire.caveats import compile_caveats
from databox.wire.errors import TooOften

NOW = 1_700_000_000_000
MINUTE, HOUR = 60_000, 3_600_000


def holder(*caveats: str, client: str = "graph", grant: str = "g1") -> Verified:
    """Who asks with a token of these caveats."""
    return Verified(client, grant, "", "", compile_caveats(caveats))


def passes(rates: Rates, verified: Verified, now: int) -> bool:
    """Whether one more request is allowed."""
    try:
        rates.take(verified, now)
    except TooOften:
        return False
    return True


def test_the_last_of_a_window_passes_and_one_more_does_not() -> None:
    rates, often = Rates({}), holder("rate <= 3/PT1M")
    assert [passes(rates, often, NOW) for _ in range(5)] == [True] * 3 + [False] * 2


def test_who_asked_too_often_is_told_when_the_window_is_over() -> None:
    rates, often = Rates({}), holder("rate <= 1/PT1M", "rate <= 1/PT1H")
    start = NOW // HOUR * HOUR + 90_500
    rates.take(often, start)
    with pytest.raises(TooOften) as caught:
        rates.take(often, start)
    assert caught.value.wait == 3510
    assert passes(rates, often, start + caught.value.wait * 1000)


def test_tokens_of_one_grant_count_together_and_grants_apart() -> None:
    rates = Rates({})
    assert passes(rates, holder("rate <= 2/PT1M", "time < 5"), NOW)
    assert passes(rates, holder("rate <= 2/PT1M"), NOW)
    assert not passes(rates, holder("rate <= 2/PT1M", "time < 7"), NOW)
    assert passes(rates, holder("rate <= 2/PT1M", grant="g2"), NOW)
    assert passes(rates, holder("rate <= 2/PT1M", client="other"), NOW)


def test_a_refused_request_is_not_counted() -> None:
    rates = Rates({})
    rates.take(holder("rate <= 5/PT1M", "rate <= 1/PT1H"), NOW)
    with pytest.raises(TooOften):
        rates.take(holder("rate <= 5/PT1M", "rate <= 1/PT1H"), NOW)
    (taken,) = rates.take(holder("rate <= 5/PT1M"), NOW)
    assert taken.number & 0xFFFFF == 2


STEPS = st.lists(
    st.tuples(
        st.integers(0, 40_000),
        st.sampled_from([(), ("rate <= 2/PT1M",), ("rate <= 9/PT1M",), ("rate <= 4/PT1H",)]),
        st.booleans(),
    ),
    max_size=40,
)


@given(st.integers(1, 6), st.sampled_from([("PT1M", MINUTE), ("PT1H", HOUR)]), STEPS)
def test_no_window_has_more_however_tokens_and_restarts_follow(
    most: int, window: tuple[str, int], steps: list[tuple[int, tuple[str, ...], bool]]
) -> None:
    name, length = window
    kept: dict[str, int] = {}
    rates, now = Rates(kept), NOW
    seen: dict[int, int] = {}
    for later, narrowed, restarts in steps:
        now += later
        if restarts:
            rates = Rates(kept)
        try:
            taken = rates.take(holder(f"rate <= {most}/{name}", *narrowed), now)
        except TooOften:
            continue
        kept.update((each.name, each.number) for each in taken)
        seen[now // length] = seen.get(now // length, 0) + 1
    assert all(count <= most for count in seen.values())
