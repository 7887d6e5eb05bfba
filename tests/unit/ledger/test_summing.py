"""One line a day for many equal accesses."""

from databox.ledger.summing import page, page_by_day
from databox.wire.ledger import Access, Egress, Entry, Event, Lifecycle, StoreHead, TokenMinted

HOUR = 3_600_000


def access(number: int, moment: int, source: str = "load") -> Entry:
    event = Access(
        store="a-store", client="graph", user="", source=source, exact="raw", operation="read",
        count=1, items=10, size=100, earliest=moment - 10, latest=moment,
    )  # fmt: skip
    return Entry(n=number, t=moment, by="a-store", event=event)


def other(number: int, moment: int) -> Entry:
    event = Lifecycle(component="graph", event="crashed")
    return Entry(n=number, t=moment, by="manager", event=event)


def test_accesses_of_one_day_and_kind_become_one_row() -> None:
    found = page_by_day([access(2, 300), access(1, 200), access(0, 100)], 10, 0)
    assert found.next is None
    assert len(found.rows) == 1
    event = found.rows[0].entry.event
    assert isinstance(event, Access)
    assert (event.count, event.items, event.earliest, event.latest) == (3, 30, 90, 300)


def test_tokens_for_one_target_become_one_row() -> None:
    minted = [
        Entry(
            n=number,
            t=number,
            by="arbiter",
            event=TokenMinted(
                grant="g", client="graph", target="a-store", method="GET", path=f"/{number}"
            ),
        )
        for number in (2, 1, 0)
    ]
    assert [(row.entry.n, row.times) for row in page_by_day(minted, 10, 0).rows] == [(2, 3)]


def test_sources_and_days_stay_apart() -> None:
    entries = [access(2, 30 * HOUR), access(1, 23 * HOUR), access(0, 22 * HOUR, "memory")]
    assert len(page_by_day(entries, 10, 0).rows) == 3


def test_a_day_begins_at_the_owners_midnight() -> None:
    entries = [access(1, 24 * HOUR + 1), access(0, 23 * HOUR)]
    assert len(page_by_day(entries, 10, 0).rows) == 2
    assert len(page_by_day(entries, 10, 120).rows) == 1


def test_other_entries_stay_and_sealed_heads_are_left_out() -> None:
    head = Entry(n=1, t=1, by="a-store", event=StoreHead(store="a-store", head="", records=1))
    found = page_by_day([other(2, 2), head, other(0, 0)], 10, 0)
    assert [row.entry.n for row in found.rows] == [2, 0]


def test_the_next_page_begins_where_this_one_ended() -> None:
    entries = [other(5, 5), access(4, 4), other(3, 3), access(2, 2), other(1, 1)]
    found = page_by_day(entries, 3, 0)
    assert [row.entry.n for row in found.rows] == [5, 4, 3]
    assert found.next == 2
    assert [row.entry.n for row in page_by_day(entries[4:], 3, 0).rows] == [1]


def test_a_plain_page_ends_at_its_limit() -> None:
    entries = [other(number, number) for number in (3, 2, 1, 0)]
    assert ([row.entry.n for row in page(entries, 2).rows], page(entries, 2).next) == ([3, 2], 2)
    assert page(entries, 4).next is None


def test_what_is_not_shown_takes_no_place_in_a_page() -> None:
    entries = [access(4, 4), other(3, 3), access(2, 2, "memory"), other(1, 1), other(0, 0)]

    def crashes(event: Event) -> bool:
        return isinstance(event, Lifecycle)

    for found in (page(entries, 2, crashes), page_by_day(entries, 2, 0, crashes)):
        assert [row.entry.n for row in found.rows] == [3, 1]
        assert found.next == 1


def test_page_that_finds_little_ends_after_so_many_entries() -> None:
    entries = [other(number, number) for number in range(6000, 0, -1)]
    found = page(entries, 10, lambda event: False)
    assert (found.rows, found.next) == ([], 1001)


def test_what_went_outside_is_summed_by_day_and_place() -> None:
    entries = [
        Entry(n=n, t=n, by="switchboard", event=Egress(component="hue", host="b.example", **sums))
        for n, sums in (
            (2, {"connections": 0, "sent": 5, "received": 1}),
            (1, {"connections": 1, "sent": 2, "received": 0}),
        )
    ]
    (row,) = page_by_day(entries, 10, 0).rows
    assert row.entry.event == Egress(
        component="hue", host="b.example", connections=1, sent=7, received=1
    )
