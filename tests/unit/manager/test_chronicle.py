"""What fell stands in the ledger, once a minute at most, also where the ledger itself fell."""

import asyncio

import pytest

from databox.kit.clock import FixedClock
from databox.manager import chronicle
from databox.manager.chronicle import QUIET, Chronicle
from databox.wire.control import InstanceState
from databox.wire.errors import Unavailable
from databox.wire.ledger import Event, Lifecycle


class Ledger:
    """`away`: so many calls fail."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.events: list[Event] = []

    async def record(self, event: Event) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable("the ledger fell")
        self.events.append(event)


def heard(*states: tuple[str, str], ledger: Ledger, clock: FixedClock | None = None) -> list[Event]:
    async def story() -> None:
        told = Chronicle(ledger.record, clock or FixedClock())
        for name, state in states:
            told.heard(InstanceState(name=name, state=state, reason="it ended with 1"))
        writing = asyncio.create_task(told.run())
        await asyncio.sleep(0.05)
        writing.cancel()

    asyncio.run(story())
    return ledger.events


def crash(name: str) -> Lifecycle:
    return Lifecycle(component=name, event="crashed", reason="it ended with 1")


def test_a_fall_is_written() -> None:
    states = [("hello", "starting"), ("hello", "running"), ("hello", "restarting")]
    assert heard(*states, ledger=Ledger()) == [crash("hello")]


def test_one_that_stays_off_is_written() -> None:
    found = heard(("hello", "restarting"), ("hello", "failed"), ledger=Ledger())
    assert [event.event for event in found if isinstance(event, Lifecycle)] == [
        "crashed",
        "crashed too often and stays off",
    ]


def test_what_ends_in_good_order_is_not_written() -> None:
    states = [("hello", each) for each in ("stopping", "stopped", "asleep", "starting", "running")]
    assert heard(*states, ledger=Ledger()) == []


def test_one_that_falls_for_ever_is_written_once_a_minute() -> None:
    falls = [("gateway", "restarting")] * 100 + [("manager", "restarting")]
    assert heard(*falls, ledger=Ledger()) == [crash("gateway"), crash("manager")]


def test_after_a_quiet_minute_the_next_fall_is_written() -> None:
    async def story() -> list[Event]:
        clock, ledger = FixedClock(), Ledger()
        told = Chronicle(ledger.record, clock)
        writing = asyncio.create_task(told.run())
        for _ in range(2):
            told.heard(InstanceState(name="hello", state="restarting", reason="it ended with 1"))
            clock.advance(QUIET)
        await asyncio.sleep(0.01)
        writing.cancel()
        return ledger.events

    assert asyncio.run(story()) == [crash("hello"), crash("hello")]


def test_a_ledger_that_fell_is_told_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chronicle, "AGAIN", 0.001)
    assert heard(("authority", "restarting"), ledger=Ledger(away=5)) == [crash("authority")]
