"""When a store may fall asleep."""

from hypothesis import given
from hypothesis import strategies as st

from databox.store.sleep import LONGEST, Patience

USUAL = 60.0


def after(*requests: float, away: float | None = None) -> float:
    patience = Patience(USUAL, away)
    for at in requests:
        patience.asked(at)
    return patience.seconds


def test_a_store_that_is_asked_now_and_then_waits_the_usual_time() -> None:
    assert after() == after(0, 1, 2) == after(0, 3600) == USUAL


def test_a_source_that_writes_once_a_minute_keeps_its_store_awake() -> None:
    assert after(0, 60, 120) > 61


def test_a_store_that_was_woken_soon_after_it_slept_waits_longer() -> None:
    assert after(away=61) > 62


def test_a_rhythm_of_many_minutes_is_not_waited_for() -> None:
    assert after(0, 300, 600, away=300) == USUAL


@given(st.lists(st.floats(0, 1e6)), st.none() | st.floats(-1e6, 1e6))
def test_no_rhythm_makes_a_store_wait_for_ever(gaps: list[float], away: float | None) -> None:
    at, requests = 0.0, []
    for gap in gaps:
        at += gap
        requests.append(at)
    assert USUAL <= after(*requests, away=away) <= LONGEST * USUAL
