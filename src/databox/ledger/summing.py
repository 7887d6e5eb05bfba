"""Sums up the many short lines of access and tokens into one a day, for people. Pure.

A store reports every ten seconds; an app that looks once a second for a day would fill the
History with 8,640 lines that say the same.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import msgspec

from databox.wire.ledger import Access, Egress, Entry, Event, Refused, StoreHead, TokenMinted

_DAY = 86_400_000
_SCAN = 5000
"""Entries looked at for one page, so that a page costs a bounded time."""


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


def page(entries: Iterable[Entry], limit: int, shown: Shown = everything) -> Page:
    """The first `limit` entries as they are."""
    rows: list[Row] = []
    last = 0
    for entry in _limited(entries):
        if entry is None:
            return Page(rows, last)
        if shown(entry.event):
            if len(rows) == limit:
                return Page(rows, last)
            rows.append(Row(entry))
        last = entry.n
    return Page(rows, None)


def page_by_day(entries: Iterable[Entry], limit: int, zone: int, shown: Shown = everything) -> Page:
    """Entries with what repeats summed by day. `zone`: minutes east of UTC."""
    rows: list[Row] = []
    places: dict[tuple[object, ...], int] = {}
    last = 0
    for entry in _limited(entries):
        if entry is None:
            return Page(rows, last)
        key = _key(entry.event)
        key = key and (day(entry.t, zone), *key)
        if key in places:
            rows[places[key]] = _sum(rows[places[key]], entry.event)
        elif shown(entry.event) and not isinstance(entry.event, StoreHead):
            if len(rows) == limit:
                return Page(rows, last)
            if key:
                places[key] = len(rows)
            rows.append(Row(entry))
        last = entry.n
    return Page(rows, None)


def day(moment: int, zone: int) -> int:
    """The day, counted from 1970, of a moment in Unix ms."""
    return (moment + zone * 60_000) // _DAY


def _limited(entries: Iterable[Entry]) -> Iterator[Entry | None]:
    """The entries, and None in place of the first one too many."""
    for number, entry in enumerate(entries):
        if number == _SCAN:
            yield None
            return
        yield entry


def _key(event: Event) -> tuple[object, ...]:
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


def _sum(row: Row, older: Event) -> Row:
    newer = row.entry.event
    match newer, older:
        case Access(), Access():
            newer = _sum_access(newer, older)
        case Refused(), Refused():
            newer = msgspec.structs.replace(newer, count=newer.count + older.count)
        case Egress(), Egress():
            newer = msgspec.structs.replace(
                newer,
                connections=newer.connections + older.connections,
                sent=newer.sent + older.sent,
                received=newer.received + older.received,
            )
        case _:
            pass
    return replace(row, entry=msgspec.structs.replace(row.entry, event=newer), times=row.times + 1)


def _sum_access(newer: Access, older: Access) -> Access:
    return msgspec.structs.replace(
        newer,
        count=newer.count + older.count,
        items=newer.items + older.items,
        size=newer.size + older.size,
        earliest=_least(newer.earliest, older.earliest),
        latest=_most(newer.latest, older.latest),
        label=newer.label or older.label,
    )


def _least(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else min(a, b)


def _most(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else max(a, b)
