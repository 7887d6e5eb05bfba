"""One line a day for many equal accesses: the pure part."""

from databox.ledger.summing import Sum, day, page, quarters, series, summed, told
from databox.wire.ledger import Access, Egress, Entry, Event, Lifecycle, Refused, TokenMinted

HOUR = 3_600_000


def access(**other: object) -> Access:
    usual: dict[str, object] = {
        "store": "a-store", "client": "graph", "user": "", "source": "load", "exact": "raw",
        "operation": "read", "count": 1, "items": 10, "size": 100,
    }  # fmt: skip
    return Access(**{**usual, **other})  # type: ignore[arg-type]


def other(number: int) -> Entry:
    event = Lifecycle(component="graph", event="crashed")
    return Entry(n=number, t=number, by="manager", event=event)


def test_only_what_repeats_is_in_a_series() -> None:
    assert series(access()) == series(access(count=7, latest=3, label="Load"))
    assert series(access()) != series(access(source="memory"))
    assert series(Lifecycle(component="graph", event="crashed")) == ()


def test_tokens_for_one_target_are_one_series() -> None:
    minted = [
        TokenMinted(grant="g", client="graph", target="a-store", method="GET", path=path)
        for path in ("/a", "/b")
    ]
    assert series(minted[0]) == series(minted[1])


def test_the_newest_entry_tells_the_sums() -> None:
    newest = Entry(n=9, t=9, by="a-store", event=access())
    row = told(newest, Sum(3, (4, 5, 6), 7, 8))
    event = access(count=4, items=5, size=6, earliest=7, latest=8)
    assert (row.times, row.entry.event) == (3, event)


def test_what_went_outside_tells_its_three_sums() -> None:
    event = Egress(component="hue", host="b.example", connections=1, sent=2, received=0)
    assert summed(event) == Sum(1, (1, 2, 0))
    row = told(Entry(n=1, t=1, by="switchboard", event=event), Sum(2, (1, 7, 1)))
    assert row.entry.event == Egress(
        component="hue", host="b.example", connections=1, sent=7, received=1
    )


def test_a_part_that_lies_adds_no_more_than_the_database_holds() -> None:
    event = Refused(client="a", target="b", method="GET", path="/", why="", count=10**30)
    assert summed(event).counts[0] == 2**53
    assert summed(access(earliest=-(10**30))).earliest == -(2**53)


def test_a_day_begins_at_the_owners_midnight() -> None:
    assert (day(23 * HOUR, 0), day(23 * HOUR, 60)) == (0, 1)
    assert quarters(1, 345) == (96 - 23, 192 - 23)


def test_a_plain_page_ends_at_its_limit() -> None:
    entries = [other(number) for number in (3, 2, 1, 0)]
    assert ([row.entry.n for row in page(entries, 2).rows], page(entries, 2).next) == ([3, 2], 2)
    assert page(entries, 4).next is None


def test_what_is_not_shown_takes_no_place_in_a_page() -> None:
    reads = Entry(n=2, t=2, by="a-store", event=access())

    def crashes(event: Event) -> bool:
        return isinstance(event, Lifecycle)

    found = page([other(3), reads, other(1), other(0)], 2, crashes)
    assert ([row.entry.n for row in found.rows], found.next) == ([3, 1], 1)


def test_page_that_finds_little_ends_after_so_many_entries() -> None:
    entries = [other(number) for number in range(6000, 0, -1)]
    found = page(entries, 10, lambda event: False)
    assert (found.rows, found.next) == ([], 1001)
