"""What the ledger knows of each store's own chain of access records.

Stores tell their head every ten seconds in which anything happened. It is kept here at once, so
that a store which was put back is found when it starts; a line of the ledger is made of it when a
checkpoint is signed, so that whatever leaves the box covers it, and otherwise once an hour. A line
for each would be most of the ledger.
"""

from dataclasses import dataclass
from typing import Final

import apsw

from databox.kit.database import rows
from databox.wire.ledger import Discrepancy, StoreHead

HOUR = 3_600_000

FORMAT: Final = """
    CREATE TABLE ledger_known (
        store TEXT PRIMARY KEY, head TEXT NOT NULL, records INTEGER NOT NULL,
        told TEXT NOT NULL, written TEXT NOT NULL, t INTEGER NOT NULL, deleted INTEGER NOT NULL
        ) WITHOUT ROWID;
    INSERT INTO ledger_known SELECT store, ledger_head.head,
        coalesce(json_extract(CAST(leaf AS TEXT), '$.event.records'), 0),
        ledger_head.head, ledger_head.head, t, 0 FROM ledger_head JOIN ledger_entry USING (n);
    DROP TABLE ledger_head;
    CREATE TABLE ledger_alarm (
        store TEXT PRIMARY KEY, n INTEGER NOT NULL, head TEXT NOT NULL, records INTEGER NOT NULL
        ) WITHOUT ROWID;
    """
"""`told`: the head of the last summary; `written`: the last head that has a line; `t`: since when
one waits for a line; `deleted`: last words may still come, but the next one begins anew."""


@dataclass(frozen=True, slots=True)
class Known:
    """The head of a store's chain and how many records it covers."""

    head: str
    records: int
    told: str


class KnownHeads:
    """The heads of all stores.

    Args:
        connection: The ledger's database, with its tables made.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def of(self, store: str) -> Known | None:
        """What is known of a store, None before it told anything."""
        found = rows(
            self._connection,
            "SELECT head, records, told FROM ledger_known WHERE store = ? AND NOT deleted",
            (store,),
        )
        return Known(*found[0]) if found else None

    def learn(self, event: StoreHead, now: int, *, told: bool) -> None:
        """A store's newest head; `told`: it ends a summary."""
        self._connection.execute(
            "INSERT INTO ledger_known VALUES (?1, ?2, ?3, iif(?4, ?2, ''), '', ?5, 0)"
            " ON CONFLICT (store) DO UPDATE SET head = ?2, records = ?3,"
            " told = iif(?4, ?2, told), t = iif(head = written, ?5, t)",
            (event.store, event.head, event.records, told, now),
        )

    def unwritten(self, until: int | None = None) -> list[StoreHead]:
        """Heads that have no line yet; with `until`, only those that wait since before it."""
        found = rows(
            self._connection,
            "SELECT store, head, records FROM ledger_known"
            " WHERE head <> written AND (?1 IS NULL OR t < ?1) ORDER BY store",
            (until,),
        )
        return [
            StoreHead(store=store, head=head, records=records) for store, head, records in found
        ]

    def wrote(self, event: StoreHead) -> None:
        """The head has a line now."""
        self._connection.execute(
            "UPDATE ledger_known SET written = ? WHERE store = ?", (event.head, event.store)
        )

    def delete(self, store: str) -> None:
        """The owner has the store deleted; one that told nothing yet may still do so at its end."""
        self._connection.execute(
            "INSERT INTO ledger_known VALUES (?, '', 0, '', '', 0, 1)"
            " ON CONFLICT (store) DO UPDATE SET deleted = 1",
            (store,),
        )
        self._connection.execute("DELETE FROM ledger_alarm WHERE store = ?", (store,))

    def make(self, store: str) -> None:
        """A store is made: if one of that name was deleted, it begins anew."""
        self._connection.execute(
            "DELETE FROM ledger_known WHERE store = ? AND deleted = 1", (store,)
        )

    def raise_alarm(self, event: Discrepancy, n: int) -> None:
        """A store does not fit what is known; line `n` says so."""
        self._connection.execute(
            "INSERT OR REPLACE INTO ledger_alarm VALUES (?, ?, ?, ?)",
            (event.store, n, event.found_head, event.found),
        )

    def alarms(self) -> list[int]:
        """The lines of what the owner has not accepted yet."""
        return [row[0] for row in rows(self._connection, "SELECT n FROM ledger_alarm ORDER BY n")]

    def alarm(self, store: str) -> StoreHead | None:
        """What an alarmed store has instead of what was known, None without an alarm."""
        found = rows(
            self._connection, "SELECT head, records FROM ledger_alarm WHERE store = ?", (store,)
        )
        return StoreHead(store=store, head=found[0][0], records=found[0][1]) if found else None

    def accept(self, found: StoreHead, now: int) -> None:
        """What the store has is what is known from now on."""
        self._connection.execute("DELETE FROM ledger_alarm WHERE store = ?", (found.store,))
        if found.head:
            self.learn(found, now, told=True)
        else:
            self._connection.execute("DELETE FROM ledger_known WHERE store = ?", (found.store,))
