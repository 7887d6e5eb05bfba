"""The running sums that stand beside the chain, and pages of days made from them.

They say nothing that the chain does not: each is written in the transaction of its line, and all
can be made again from the lines.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import apsw
import msgspec

from databox.kit.database import rows
from databox.ledger.summing import (
    DAY,
    QUARTER,
    UNTOLD,
    Page,
    Row,
    Shown,
    Sum,
    day,
    everything,
    page_of,
    quarters,
    series,
    summed,
    told,
)
from databox.wire.ledger import Entry

_MOST_DAYS = 10
"""Days looked at for one page: 6 ms each on one of 35,000 lines."""
_LATEST = 10**9
"""A day after all days."""
_BATCH = 500

# The words stand in the index of a file that exists: other kinds need another format.
_ALONE: Final = f"kind NOT IN {UNTOLD!r}"
FORMAT: Final = f"""
    CREATE TABLE ledger_series (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
    CREATE TABLE ledger_sum (
        quarter INTEGER NOT NULL, series INTEGER NOT NULL, last INTEGER NOT NULL,
        times INTEGER NOT NULL, a INTEGER NOT NULL, b INTEGER NOT NULL, c INTEGER NOT NULL,
        earliest INTEGER, latest INTEGER, PRIMARY KEY (quarter, series)) WITHOUT ROWID;
    CREATE INDEX ledger_entry_alone ON ledger_entry (t) WHERE {_ALONE};
    """
MORE: Final = """
    ALTER TABLE ledger_sum ADD COLUMN first INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE ledger_day (
        day INTEGER NOT NULL, series INTEGER NOT NULL, first INTEGER NOT NULL,
        last INTEGER NOT NULL, times INTEGER NOT NULL, a INTEGER NOT NULL, b INTEGER NOT NULL,
        c INTEGER NOT NULL, earliest INTEGER, latest INTEGER,
        PRIMARY KEY (series, day)) WITHOUT ROWID;
    CREATE TABLE ledger_access (
        series INTEGER PRIMARY KEY, client TEXT NOT NULL, user TEXT NOT NULL, store TEXT NOT NULL,
        source TEXT NOT NULL, exact TEXT NOT NULL, operation TEXT NOT NULL);
    CREATE INDEX ledger_access_client ON ledger_access (client);
    CREATE INDEX ledger_access_source ON ledger_access (store, source);
    """
"""Sums of whole days, in UTC, and what the series of accesses are about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Which days are asked for, in the `zone` of so many minutes east of UTC.

    `before`: the number of the row after which the page begins; `since`, `until`: Unix ms, each
    day that is touched by [since, until) is told whole.
    """

    zone: int
    before: int | None = None
    component: str = ""
    kind: str = ""
    since: int | None = None
    until: int | None = None


class Sums:
    """The sums of one ledger.

    Args:
        connection: The ledger's database, with its tables made.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._entries = msgspec.json.Decoder(Entry)

    def add(self, entry: Entry) -> None:
        """Take a line into the sums; within the transaction that writes it."""
        key = series(entry.event)
        if not key:
            return
        series_id = self._series(key)
        total = summed(entry.event)
        values = (series_id, entry.n, total.times, *total.counts, total.earliest, total.latest)
        self._connection.execute(_ADD_QUARTER, (entry.t // QUARTER, *values))
        self._connection.execute(_ADD_DAY, (entry.t // DAY, *values))

    def _series(self, key: tuple[str, ...]) -> int:
        text = msgspec.json.encode(key).decode()
        found = rows(self._connection, "SELECT id FROM ledger_series WHERE key = ?", (text,))
        if found:
            return int(found[0][0])
        made = rows(
            self._connection, "INSERT INTO ledger_series (key) VALUES (?) RETURNING id", (text,)
        )
        number = int(made[0][0])
        if key[0] == "access":
            values = (number, *key[1:])
            self._connection.execute("INSERT INTO ledger_access VALUES (?,?,?,?,?,?,?)", values)
        return number

    def make_again(self) -> None:
        """Make all sums anew from the lines; within a transaction."""
        for table in ("sum", "day", "series", "access"):
            self._connection.execute(f"DELETE FROM ledger_{table}")  # noqa: S608 - fixed words only
        done = -1
        while found := rows(self._connection, _LINES, (done, _BATCH)):
            for _, leaf in found:
                self.add(self._entries.decode(leaf))
            done = found[-1][0]

    def page(self, wanted: Days, limit: int, shown: Shown = everything) -> Page:
        """Rows of whole days, the newest day first, and in a day by the number of the newest line.

        A series is one row on each day, with the sums of that whole day.
        """
        found = _Found(self, wanted)
        made = page_of(found, limit, shown)
        return made if made.next is not None else Page(made.rows, found.next)

    def newest_moment(self, before: int) -> int | None:
        """The time of the newest line before that moment; both Unix ms."""
        found = rows(self._connection, "SELECT max(t) FROM ledger_entry WHERE t < ?", (before,))
        return found[0][0]  # type: ignore[no-any-return]  # a number, by the query

    def moment_of(self, number: int) -> int | None:
        """The time of a line, Unix ms; None if there is no such line."""
        found = rows(self._connection, "SELECT t FROM ledger_entry WHERE n = ?", (number,))
        return int(found[0][0]) if found else None

    def least_of(self, number: int, zone: int) -> int:
        """The number of the first line of a day that has lines."""
        first, end = quarters(number, zone)
        text = "SELECT min(n) FROM ledger_entry WHERE t >= ? AND t < ?"
        return int(rows(self._connection, text, (first * QUARTER, end * QUARTER))[0][0])

    def rows_of(self, number: int, wanted: Days, before: int | None) -> Iterator[Row]:
        """The rows of one day, below the line `before`; read a batch at a time."""
        first, end = quarters(number, wanted.zone)
        while True:
            values = {
                "first": first, "end": end, "start": first * QUARTER, "stop": end * QUARTER,
                "before": before, "component": wanted.component, "kind": wanted.kind,
                "limit": _BATCH,
            }  # fmt: skip
            found = rows(self._connection, _DAY, values)
            for n, times, a, b, c, earliest, latest, leaf in found:
                yield told(self._entries.decode(leaf), Sum(times, (a, b, c), earliest, latest))
                before = n
            if len(found) < _BATCH:
                return


class _Found:
    """The rows of the days asked for; `next`: where to go on if days were left for later."""

    def __init__(self, sums: Sums, wanted: Days) -> None:
        self._sums = sums
        self._wanted = wanted
        self.next: int | None = None

    def __iter__(self) -> Iterator[Row]:
        sums, wanted, zone = self._sums, self._wanted, self._wanted.zone
        number, before = self._begin()
        oldest = None if wanted.since is None else day(wanted.since, zone)
        for _ in range(_MOST_DAYS):
            if number is None or (oldest is not None and number < oldest):
                return
            yield from sums.rows_of(number, wanted, before)
            done, before = number, None
            number = self._older(number * DAY - zone * 60_000)
        if number is not None and (oldest is None or number >= oldest):
            self.next = sums.least_of(done, zone)

    def _begin(self) -> tuple[int | None, int | None]:
        """The newest day, and below which of its lines to begin."""
        sums, wanted, zone = self._sums, self._wanted, self._wanted.zone
        # With an end: the whole day of the last moment before it.
        last = _LATEST if wanted.until is None else day(wanted.until - 1, zone)
        newest = self._older((last + 1) * DAY - zone * 60_000)
        if wanted.before is None or (moment := sums.moment_of(wanted.before)) is None:
            return newest, wanted.before
        begun = day(moment, zone)
        if newest is not None and newest < begun:
            return newest, None
        return begun, wanted.before

    def _older(self, before: int) -> int | None:
        moment = self._sums.newest_moment(before)
        return None if moment is None else day(moment, self._wanted.zone)


_LINES: Final = "SELECT n, leaf FROM ledger_entry WHERE n > ? ORDER BY n LIMIT ?"


def _add(table: str, unit: str) -> str:
    """The SQL that takes a line into a table of sums."""
    return f"""
    INSERT INTO {table} ({unit}, series, first, last, times, a, b, c, earliest, latest)
    VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT ({unit}, series) DO UPDATE SET
        last = excluded.last, times = times + excluded.times,
        a = min(a + excluded.a, 1 << 53), b = min(b + excluded.b, 1 << 53),
        c = min(c + excluded.c, 1 << 53),
        earliest = coalesce(min(earliest, excluded.earliest), earliest, excluded.earliest),
        latest = coalesce(max(latest, excluded.latest), latest, excluded.latest)
    """  # noqa: S608 - fixed words only


_ADD_QUARTER: Final = _add("ledger_sum", "quarter")
_ADD_DAY: Final = _add("ledger_day", "day")

# An entry is about the same components as all of its series, so the newest stands for it.
_DAY: Final = f"""
    SELECT row.n, times, a, b, c, earliest, latest, leaf FROM (
        SELECT max(last) AS n, sum(times) AS times, sum(a) AS a, sum(b) AS b, sum(c) AS c,
            min(earliest) AS earliest, max(latest) AS latest
        FROM ledger_sum WHERE quarter >= :first AND quarter < :end GROUP BY series
        UNION ALL
        SELECT n, 1, 0, 0, 0, NULL, NULL FROM ledger_entry INDEXED BY ledger_entry_alone
        WHERE t >= :start AND t < :stop AND {_ALONE}
    ) AS row JOIN ledger_entry USING (n)
    WHERE (:before IS NULL OR row.n < :before) AND (:kind = '' OR kind = :kind)
        AND (:component = '' OR EXISTS (
            SELECT 1 FROM ledger_subject WHERE name = :component AND ledger_subject.n = row.n))
    ORDER BY row.n DESC LIMIT :limit
    """  # noqa: S608 - fixed words only
