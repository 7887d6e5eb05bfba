"""Sums up the many short lines of access into one a day, for people. Pure.

A store reports every ten seconds; an app that looks once a second for a day would fill the
History with 8,640 lines that say the same.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from databox.wire.ledger import Access, Entry, StoreHead

_DAY = 86_400_000
_SCAN = 5000
"""Entries looked at for one page, so that a page costs a bounded time."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows newest first; `next`: where the following page begins, None at the end."""

    rows: list[Entry]
    next: int | None


def page(entries: Iterable[Entry], limit: int) -> Page:
    """The first `limit` entries as they are."""
    rows: list[Entry] = []
    for entry in entries:
        if len(rows) == limit:
            return Page(rows, rows[-1].n)
        rows.append(entry)
    return Page(rows, None)


def page_by_day(entries: Iterable[Entry], limit: int, zone: int) -> Page:
    """Entries with the lines of access summed by day. `zone`: minutes east of UTC."""
    rows: list[Entry] = []
    places: dict[tuple[object, ...], int] = {}
    last = 0
    for entry in _limited(entries):
        if entry is None:
            return Page(rows, last)
        key = _key(entry, zone)
        if key in places:
            rows[places[key]] = _sum(rows[places[key]], entry)
        elif not isinstance(entry.event, StoreHead):
            if len(rows) == limit:
                return Page(rows, last)
            if key is not None:
                places[key] = len(rows)
            rows.append(entry)
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


def _key(entry: Entry, zone: int) -> tuple[object, ...] | None:
    event = entry.event
    if not isinstance(event, Access):
        return None
    who = (event.client, event.user)
    return (day(entry.t, zone), *who, event.store, event.source, event.exact, event.operation)


def _sum(row: Entry, more: Entry) -> Entry:
    newer, older = row.event, more.event
    assert isinstance(newer, Access)
    assert isinstance(older, Access)
    event = msgspec.structs.replace(
        newer,
        count=newer.count + older.count,
        items=newer.items + older.items,
        size=newer.size + older.size,
        earliest=_least(newer.earliest, older.earliest),
        latest=_most(newer.latest, older.latest),
        label=newer.label or older.label,
    )
    return msgspec.structs.replace(row, event=event)


def _least(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else min(a, b)


def _most(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else max(a, b)
