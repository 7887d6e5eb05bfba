"""Events leave in the order of their numbers, and a number tells what was missed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.kit.guard import Verified
from databox.store import feed
from databox.store.feed import Batch, Event, Feed, Point, Written
from databox.wire.caveats import Caveats

ME = Verified("app", "g1", "", "", Caveats())


@dataclass
class Receiver:
    """One who hears of everything."""

    verified: Verified = ME
    fields: None = None
    heard: list[Event] = field(default_factory=list)

    def wants(self, tags: str, t: int) -> bool:
        return t >= 0

    def expect(self, tags: str, points: Iterable[Point]) -> None:
        """Nothing to do."""

    def deliver(self, events: Sequence[Event]) -> None:
        self.heard += events


def batch(*times: int) -> Batch:
    return Batch("", len(times), len(times), min(times), max(times), lambda: _points(times))


def _points(times: Sequence[int]) -> list[Point]:
    return [(t, b"1") for t in times]


def missed(kept: Feed, after: int, source: str = "load") -> list[int] | None:
    found = kept.missed(source, after, kept.number)
    if found is None:
        return None
    return [event.number for each in found for event in each.events(Receiver(), after)]


@given(st.permutations(range(6)), st.sets(st.integers(0, 5)))
def test_events_leave_in_order_however_writes_are_settled(
    order: list[int], failing: set[int]
) -> None:
    kept, receiver = Feed(), Receiver()
    writes: list[Written] = [kept.submit("load", batch(n, n + 10), [receiver]) for n in range(6)]
    for place in order:
        kept.settle(writes[place], None if place in failing else 1)
    told = [(event.number, event.at) for event in receiver.heard]
    assert told == [
        (2 * n + part + 1, n + 10 * part) for n in range(6) if n not in failing for part in range(2)
    ]


@given(st.integers(0, 12))
def test_what_was_missed_is_what_comes_after(after: int) -> None:
    kept = Feed()
    kept.follow("load")
    for n in range(6):
        kept.settle(kept.submit("load", batch(n, n), []), 1)
        kept.settle(kept.submit("other", batch(n), []), 1)
    assert missed(kept, after) == list(range(after + 1, 13))


def test_what_nobody_follows_is_not_kept() -> None:
    kept = Feed()
    kept.settle(kept.submit("load", batch(1), []), 1)
    assert kept.number == 0
    assert missed(kept, 0) is None


def test_what_was_before_anybody_followed_is_not_known() -> None:
    kept = Feed()
    kept.follow("other")
    kept.settle(kept.submit("other", batch(1), []), 1)
    kept.follow("load")
    assert missed(kept, 0) is None
    assert missed(kept, 1) == []


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "KEPT_EVENTS", 4)
    kept = Feed()
    kept.follow("load")
    for n in range(10):
        kept.settle(kept.submit("load", batch(n), []), 1)
    assert missed(kept, 5) is None
    assert missed(kept, 6) == [7, 8, 9, 10]


def test_bytes_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "KEPT_BYTES", 100)
    kept = Feed()
    kept.follow("load")
    for _ in range(3):
        written = kept.submit("load", Batch("", 1, 60, 1, 1, lambda: [(1, b"x" * 60)]), [])
        kept.settle(written, 1)
    assert missed(kept, 1) is None
    assert missed(kept, 2) == [3]


def test_as_many_sources_are_kept_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST_FOLLOWED", 2)
    kept = Feed()
    for source in ("one", "two", "three"):
        kept.follow(source)
        kept.settle(kept.submit(source, batch(1), []), 1)
    assert missed(kept, 0, "one") is None
    assert missed(kept, 2, "three") == [3]


def test_who_wants_none_of_it_hears_nothing() -> None:
    kept, receiver = Feed(), Receiver()
    kept.settle(kept.submit("load", batch(-2, -1), [receiver]), 1)
    kept.settle(kept.submit("load", batch(-1, 5), [receiver]), 1)
    assert [event.at for event in receiver.heard] == [5]


def test_deleted_points_are_forgotten() -> None:
    kept = Feed()
    kept.follow("load")
    kept.settle(kept.submit("load", batch(1), []), 1)
    kept.forget("load")
    assert missed(kept, 0) is None
    kept.settle(kept.submit("load", batch(2), []), 1)
    assert missed(kept, 1) == [2]
