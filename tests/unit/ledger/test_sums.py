"""The sums of days: what the chain says, counted once, whatever the day and the zone."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw
from hypothesis import given, settings
from hypothesis import strategies as st

from databox.kit.database import open_database
from databox.ledger.chain import Ledger, Wanted
from databox.ledger.summing import Row, Shown, day, everything
from databox.ledger.sums import Days
from databox.wire.ledger import (
    Access,
    Egress,
    Entry,
    Event,
    Lifecycle,
    Refused,
    StoreHead,
    TokenMinted,
)

KEY = bytes(range(32))
MINUTE, HOUR = 60_000, 3_600_000


@dataclass
class Moments:
    """A clock that is set by hand, backwards too."""

    moment: int = 0

    def now(self) -> int:
        return self.moment


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Ledger, Moments, apsw.Connection]]:
    connection = open_database(folder / "authority.db", KEY)
    clock = Moments()
    try:
        yield Ledger(connection, KEY, clock), clock, connection
    finally:
        connection.close()


def write(ledger: Ledger, clock: Moments, lines: Sequence[tuple[int, Event]]) -> None:
    for moment, event in lines:
        clock.moment = moment
        ledger.append("anyone", [event])


def pages(ledger: Ledger, wanted: Days, limit: int, shown: Shown = everything) -> list[Row]:
    found: list[Row] = []
    before = None
    while True:
        asked = Days(zone=wanted.zone, before=before, component=wanted.component)
        page = ledger.page_of_days(asked, limit, shown)
        found += page.rows
        if page.next is None:
            return found
        before = page.next


def access(source: str = "load", client: str = "graph", items: int = 10) -> Access:
    return Access(
        store="a-store", client=client, user="", source=source, exact="raw", operation="read",
        count=1, items=items, size=100,
    )  # fmt: skip


def crash(component: str = "graph") -> Lifecycle:
    return Lifecycle(component=component, event="crashed")


counts = st.integers(0, 10**6)
moments = st.integers(0, 4 * 24 * HOUR)
words = st.sampled_from(["a", "b"])
accesses = st.builds(
    Access, store=st.just("a-store"), client=words, user=st.just(""), source=words,
    exact=words, operation=st.sampled_from(["read", "write"]), count=counts, items=counts,
    size=counts, earliest=st.none() | moments, latest=st.none() | moments,
)  # fmt: skip
events = st.one_of(
    accesses,
    st.builds(
        Egress, component=words, host=words, connections=counts, sent=counts, received=counts
    ),
    st.builds(
        Refused, client=words, target=words, method=words, path=words, why=words, count=counts
    ),
    st.builds(TokenMinted, grant=words, client=words, target=words, method=words, path=words),
    st.builds(StoreHead, store=words, head=words, records=counts),
    st.builds(Lifecycle, component=words, event=words),
)
zones = st.integers(-14 * 4, 14 * 4).map(lambda quarters: quarters * 15)


def recount(entries: Sequence[Entry], zone: int) -> list[tuple[object, ...]]:
    """Every line looked at, day by day; nothing is shared with the code under test but `day`."""
    groups: dict[tuple[object, ...], list[Entry]] = {}
    for entry in entries:
        if isinstance(entry.event, StoreHead):
            continue
        groups.setdefault((day(entry.t, zone), *_same(entry)), []).append(entry)
    facts = [(key[0], max(e.n for e in group), _facts(group)) for key, group in groups.items()]
    return sorted(facts, key=lambda fact: (fact[0], fact[1]), reverse=True)


def _same(entry: Entry) -> tuple[object, ...]:
    match entry.event:
        case Access() as e:
            return ("a", e.client, e.user, e.store, e.source, e.exact, e.operation)
        case Egress() as e:
            return ("e", e.component, e.host)
        case Refused() as e:
            return ("r", e.client, e.target, e.method, e.path, e.why)
        case TokenMinted() as e:
            return ("t", e.client, e.target)
        case _:
            return (entry.n,)


ADDED = ("count", "items", "size", "connections", "sent", "received")


def _facts(group: Sequence[Entry]) -> tuple[object, ...]:
    newest = max(group, key=lambda entry: entry.n).event
    sums = [
        sum(getattr(e.event, field) for e in group) for field in ADDED if hasattr(newest, field)
    ]
    starts = [t for e in group if (t := getattr(e.event, "earliest", None)) is not None]
    ends = [t for e in group if (t := getattr(e.event, "latest", None)) is not None]
    return (len(group), sums, min(starts, default=None), max(ends, default=None))


def _told(row: Row) -> tuple[object, ...]:
    event = row.entry.event
    sums = [getattr(event, field) for field in ADDED if hasattr(event, field)]
    return (row.times, sums, getattr(event, "earliest", None), getattr(event, "latest", None))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(moments, events), max_size=40), zones, st.integers(1, 10))
def test_sums_of_days_are_a_plain_recount_of_all_lines(
    lines: list[tuple[int, Event]], zone: int, limit: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as (ledger, clock, _):
        write(ledger, clock, lines)
        found = pages(ledger, Days(zone=zone), limit)
        entries = list(ledger.entries(Wanted()))
    rows = [(day(row.entry.t, zone), row.entry.n, _told(row)) for row in found]
    assert rows == recount(entries, zone)


def test_sums_hold_however_many_lines_a_day_has(tmp_path: Path) -> None:
    with opened(tmp_path) as (ledger, _, _connection):
        ledger.append("a-store", [access() for _ in range(12_000)])
        (row,) = ledger.page_of_days(Days(zone=0), 10).rows
    assert (row.times, row.entry.event) == (12_000, access_of(12_000))


def access_of(times: int) -> Access:
    return Access(
        store="a-store", client="graph", user="", source="load", exact="raw", operation="read",
        count=times, items=10 * times, size=100 * times,
    )  # fmt: skip


def test_a_line_that_is_undone_is_in_no_sum(tmp_path: Path) -> None:
    with opened(tmp_path) as (ledger, _, connection):
        ledger.append("a-store", [access()])
        try:
            with connection:
                ledger.append("a-store", [access()])
                raise RuntimeError
        except RuntimeError:
            pass
        assert [row.times for row in pages(ledger, Days(zone=0), 10)] == [1]


def test_a_day_that_is_touched_is_told_whole(tmp_path: Path) -> None:
    with opened(tmp_path) as (ledger, clock, _):
        write(ledger, clock, [(number * HOUR, access()) for number in range(72)])
        wanted = Days(zone=0, since=30 * HOUR, until=40 * HOUR)
        (row,) = ledger.page_of_days(wanted, 10).rows
    assert (row.times, day(row.entry.t, 0)) == (24, 1)


def test_only_the_rows_of_the_component_asked_for_are_told(tmp_path: Path) -> None:
    with opened(tmp_path) as (ledger, clock, _):
        lines: list[tuple[int, Event]] = [(1, access()), (2, access(client="other"))]
        lines += [(3, crash("other")), (4, access())]
        write(ledger, clock, lines)
        found = ledger.page_of_days(Days(zone=0, component="other"), 10).rows
        kinds = ledger.page_of_days(Days(zone=0, kind="lifecycle"), 10).rows
    assert [row.entry.n for row in found] == [2, 1]
    assert [row.entry.n for row in kinds] == [2]


def test_many_days_without_a_row_are_left_for_the_next_page(tmp_path: Path) -> None:
    with opened(tmp_path) as (ledger, clock, _):
        lines: list[tuple[int, Event]] = [(number * 24 * HOUR, crash()) for number in range(100)]
        write(ledger, clock, [(0, access()), *lines])

        def accesses_alone(event: Event) -> bool:
            return isinstance(event, Access)

        first = ledger.page_of_days(Days(zone=0), 10, accesses_alone)
        (row,) = pages(ledger, Days(zone=0), 10, accesses_alone)
    assert (first.rows, first.next is None, row.entry.n) == ([], False, 0)
