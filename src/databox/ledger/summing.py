"""Sums up the many short lines of access and tokens into one a day, for people. Pure.

A store reports every ten seconds; an app that looks once a second for a day would fill the
History with 8,640 lines that say the same. So the ledger keeps running sums beside its lines, one
for each quarter of an hour and thing that repeats: every time zone's day is a whole number of
quarters, and a day's sum is exact however many lines it has.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from databox.wire.ledger import Access, Egress, Entry, Event, Refused, TokenMinted

DAY = 86_400_000
QUARTER = 900_000
QUARTER_MINUTES = 15
UNTOLD = ("access", "egress", "refused", "token", "store-head")
"""Kinds that are no rows of their own in a page by days; but for the last, sums tell them."""

_SCAN = 5000
"""Entries looked at for one page, so that a page costs a bounded time."""
_MOST = 2**53
"""What one line may add: a part that lies cannot make a sum that the database cannot hold."""

Shown = Callable[[Event], bool]
"""Whether an entry is to be among the rows."""


def everything(event: Event) -> bool:
    """Show every entry."""
    return True


@dataclass(frozen=True, slots=True)
class Row:
    """An entry, or the newest of `times` that say the same; sums stand in the entry's event."""

    entry: Entry
    times: int = 1


@dataclass(frozen=True, slots=True)
class Page:
    """Rows newest first; `next`: where the following page begins, None at the end."""

    rows: list[Row]
    next: int | None


@dataclass(frozen=True, slots=True)
class Sum:
    """What lines of one series add up to: `times` of them, and what each kind counts.

    `counts`: of an access its count, items and size; of outside connections their number, what
    was sent and received; of refusals and tokens their count. `earliest`, `latest`: of the data,
    Unix ms.
    """

    times: int
    counts: tuple[int, int, int]
    earliest: int | None = None
    latest: int | None = None


def page(entries: Iterable[Entry], limit: int, shown: Shown = everything) -> Page:
    """The first `limit` entries as they are."""
    return page_of((Row(entry) for entry in entries), limit, shown)


def page_of(found: Iterable[Row], limit: int, shown: Shown) -> Page:
    """The first `limit` of the rows that are shown; a page ends early when few are."""
    rows: list[Row] = []
    last = 0
    for row in _limited(found):
        if row is None:
            return Page(rows, last)
        if shown(row.entry.event):
            if len(rows) == limit:
                return Page(rows, last)
            rows.append(row)
        last = row.entry.n
    return Page(rows, None)


def day(moment: int, zone: int) -> int:
    """The day, counted from 1970, of a moment in Unix ms. `zone`: minutes east of UTC."""
    return (moment + zone * 60_000) // DAY


def quarters(number: int, zone: int) -> tuple[int, int]:
    """The first quarter of an hour of a day, counted from 1970 UTC, and the first after it.

    `zone`: minutes east of UTC, a multiple of `QUARTER_MINUTES`.
    """
    first = (number * DAY - zone * 60_000) // QUARTER
    return first, first + DAY // QUARTER


def series(event: Event) -> tuple[str, ...]:
    """What two entries of a day must share to be one row; nothing for those that stay alone."""
    match event:
        case Access():
            who = (event.client, event.user, event.store)
            return ("access", *who, event.source, event.exact, event.operation)
        case TokenMinted():
            return ("token", event.client, event.target)
        case Refused():
            return ("refused", event.client, event.target, event.method, event.path, event.why)
        case Egress():
            return ("egress", event.component, event.host)
        case _:
            return ()


def summed(event: Event) -> Sum:
    """What one entry adds to the sum of its series."""
    match event:
        case Access():
            counts = _counts(event.count, event.items, event.size)
            return Sum(1, counts, _bounded(event.earliest), _bounded(event.latest))
        case Egress():
            return Sum(1, _counts(event.connections, event.sent, event.received))
        case Refused() | TokenMinted():
            return Sum(1, _counts(event.count, 0, 0))
        case _:
            return Sum(1, (0, 0, 0))


def told(newest: Entry, total: Sum) -> Row:
    """The row of a series on one day: its newest entry, with the day's sums."""
    first, second, third = total.counts
    match newest.event:
        case Access():
            found = {"count": first, "items": second, "size": third,
                     "earliest": total.earliest, "latest": total.latest}  # fmt: skip
        case Egress():
            found = {"connections": first, "sent": second, "received": third}
        case Refused() | TokenMinted():
            found = {"count": first}
        case _:
            found = {}
    event = msgspec.structs.replace(newest.event, **found)
    return Row(msgspec.structs.replace(newest, event=event), total.times)


def _limited(found: Iterable[Row]) -> Iterator[Row | None]:
    """The rows, and None in place of the first one too many."""
    for number, row in enumerate(found):
        if number == _SCAN:
            yield None
            return
        yield row


def _counts(first: int, second: int, third: int) -> tuple[int, int, int]:
    return min(first, _MOST), min(second, _MOST), min(third, _MOST)


def _bounded(moment: int | None) -> int | None:
    return None if moment is None else max(-_MOST, min(moment, _MOST))
