"""Who read what, when, how exact and how much, from the running sums: a year in milliseconds."""

from dataclasses import dataclass
from typing import Final

import apsw

from databox.kit.database import rows
from databox.ledger.summing import DAY, QUARTER
from databox.wire.ledger import Access

MOST = 500
_A_DAY = DAY // QUARTER
_END = 10**9
"""A quarter of an hour after all others, the first of its day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whose reads of what: a component, a store, one of its sources; "" stands for any.

    `since`, `until`: Unix ms; what is told is of whole quarters of an hour.
    """

    component: str = ""
    store: str = ""
    source: str = ""
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Reads:
    """All reads of one kind summed up. `first`, `last`: when they were written down, Unix ms."""

    event: Access
    first: int
    last: int


def reads(connection: apsw.Connection, asked: Asked) -> list[Reads]:
    """The wanted sums, the latest first; one more than `MOST` if there are more."""
    start, end = period(asked)
    # Whole days in between; where there is none, one stretch of quarters.
    first_day, end_day = -(-start // _A_DAY), end // _A_DAY
    middle, late = first_day * _A_DAY, end_day * _A_DAY
    if first_day > end_day:
        middle = late = end
    values = {
        "component": asked.component, "store": asked.store, "source": asked.source,
        "start": start, "middle": middle, "late": late, "end": end,
        "first_day": first_day, "end_day": end_day, "most": MOST + 1,
    }  # fmt: skip
    return [_reads(row) for row in rows(connection, _READS, values)]


def period(asked: Asked) -> tuple[int, int]:
    """The quarters of an hour that are told, counted from 1970, and the first after them."""
    start = 0 if asked.since is None else asked.since // QUARTER
    end = _END * _A_DAY if asked.until is None else -(-asked.until // QUARTER)
    return start, max(start, end)


def _reads(row: tuple[object, ...]) -> Reads:
    client, user, store, source, exact, operation, label, *rest = row
    count, items, size, earliest, latest, first, last = rest
    event = Access(
        store=str(store), client=str(client), user=str(user), source=str(source),
        exact=str(exact), operation=str(operation), count=_int(count), items=_int(items),
        size=_int(size), earliest=None if earliest is None else _int(earliest),
        latest=None if latest is None else _int(latest), label=str(label or ""),
    )  # fmt: skip
    return Reads(event, _int(first), _int(last))


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


_FIELDS: Final = "series, first, last, a, b, c, earliest, latest"

_READS: Final = f"""
    WITH wanted AS MATERIALIZED (
        SELECT * FROM ledger_access WHERE operation IN ('read', 'subscribe')
        AND (:component = '' OR client = :component) AND (:store = '' OR store = :store)
        AND (:source = '' OR source = :source)
    ), parts AS (
        SELECT {_FIELDS} FROM wanted CROSS JOIN ledger_day USING (series)
            WHERE day >= :first_day AND day < :end_day
        UNION ALL SELECT {_FIELDS} FROM ledger_sum JOIN wanted USING (series)
            WHERE quarter >= :start AND quarter < :middle
        UNION ALL SELECT {_FIELDS} FROM ledger_sum JOIN wanted USING (series)
            WHERE quarter >= :late AND quarter < :end
    ), sums AS (
        SELECT series, min(first) AS first, max(last) AS last, sum(a) AS a, sum(b) AS b,
            sum(c) AS c, min(earliest) AS earliest, max(latest) AS latest
        FROM parts GROUP BY series ORDER BY last DESC LIMIT :most
    )
    SELECT client, user, wanted.store, wanted.source, exact, operation, label, a, b, c,
        earliest, latest, one.t, other.t
    FROM sums JOIN wanted USING (series)
        JOIN ledger_entry AS one ON one.n = sums.first
        JOIN ledger_entry AS other ON other.n = sums.last
        LEFT JOIN ledger_source
            ON ledger_source.store = wanted.store AND ledger_source.source = wanted.source
    ORDER BY sums.last DESC
    """  # noqa: S608 - fixed words only
