"""Refusals are written down, and nobody fills the ledger with them."""

from databox.kit.clock import FixedClock
from databox.kit.refusals import MAX_KINDS, WINDOW_MS, Refusals
from databox.wire.ledger import Refused


def make() -> tuple[Refusals, FixedClock, list[Refused]]:
    clock, written = FixedClock(), list[Refused]()
    return Refusals(clock, written.append), clock, written


def test_the_first_is_written_at_once() -> None:
    refusals, _, written = make()
    refusals.note("graph", "os-store", "GET", "/load/ts", "no grant")
    assert written == [
        Refused(client="graph", target="os-store", method="GET", path="/load/ts", why="no grant")
    ]


def test_equal_ones_of_a_minute_are_one_line_more() -> None:
    refusals, clock, written = make()
    for _ in range(100):
        refusals.note("graph", "os-store", "GET", "/load/ts", "no grant")
    clock.advance(WINDOW_MS - 1)
    refusals.flush()
    assert len(written) == 1
    clock.advance(1)
    refusals.flush()
    assert [entry.count for entry in written] == [1, 99]


def test_a_single_one_is_not_followed_by_an_empty_line() -> None:
    refusals, clock, written = make()
    refusals.note("graph", "os-store", "GET", "/load/ts", "no grant")
    clock.advance(WINDOW_MS)
    refusals.flush()
    assert len(written) == 1


def test_what_was_only_counted_is_written_before_the_end() -> None:
    refusals, _, written = make()
    for _ in range(3):
        refusals.note("graph", "os-store", "GET", "/load/ts", "no grant")
    refusals.finish()
    assert sum(entry.count for entry in written) == 3


def test_very_many_different_ones_get_one_line_for_the_rest() -> None:
    refusals, _, written = make()
    for number in range(10_000):
        refusals.note("graph", "os-store", "GET", f"/{number}", "no grant")
    refusals.finish()
    assert len(written) <= MAX_KINDS + 2
    assert sum(entry.count for entry in written) == 10_000


def test_one_callers_many_do_not_hide_anothers() -> None:
    refusals, _, written = make()
    for number in range(100):
        refusals.note("graph", "os-store", "GET", f"/{number}", "no grant")
    refusals.note("hello", "os-store", "GET", "/load", "no grant")
    assert written[-1].client == "hello"
    assert written[-1].path == "/load"
