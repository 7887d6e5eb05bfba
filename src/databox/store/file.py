"""The store's one encrypted file, as the writer thread has it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from databox.kit import log as lines
from databox.kit.database import explained, let_go, open_again, prepare, rows
from databox.store import audit
from databox.store.engine import schema
from databox.store.engine.blocks import attempt
from databox.store.engine.ingest import Ingest
from databox.store.migrate import open_current
from databox.store.objects import rows as objects
from databox.store.reader import Reader
from databox.store.writes import (
    DeleteItem,
    DeleteObject,
    DeleteObjects,
    DeletePoints,
    DeleteSource,
    DeleteValue,
    DropRaw,
    NewColumns,
    NewDocuments,
    NewEndings,
    NewItem,
    NewObject,
    NewReading,
    NewState,
    NewValue,
    Outcome,
    PackAudit,
    Result,
    Write,
)

__all__ = [
    "MOST_WRITES",
    "DeleteItem",
    "DeleteObject",
    "DeleteObjects",
    "DeletePoints",
    "DeleteSource",
    "DeleteValue",
    "DropRaw",
    "NewColumns",
    "NewDocuments",
    "NewEndings",
    "NewItem",
    "NewObject",
    "NewReading",
    "NewState",
    "NewValue",
    "Outcome",
    "PackAudit",
    "Reader",
    "Result",
    "StoreFile",
    "Write",
]

T = TypeVar("T")

log = logging.getLogger("databox.store")

MOST_WRITES = 65_536
"""Writes that fit into one group."""
_WAIT_MS, _BUSY_MS = 200, 5000
"""Milliseconds that clearing the log, and everything else, waits for others to let go."""
_REMOVALS = (
    DeletePoints,
    DeleteSource,
    DropRaw,
    DeleteValue,
    DeleteItem,
    DeleteObject,
    DeleteObjects,
)


class StoreFile:
    """Writes groups, each with its row of the access chain, all or nothing.

    Args:
        path: The file, made if it is not there.
        key: Raw key, 32 bytes.

    Raises:
        Unavailable: It cannot be opened, is not encrypted, or is of a newer format.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._key = key
        self._connection = open_current(path, key)
        self._n, self._head, self._total = 0, audit.START, 0
        self._unsure = self._to_clear = False
        try:
            self._load()
        except BaseException:
            let_go(self._connection)
            raise

    def commit(
        self, records: Mapping[bytes, int], writes: Sequence[Write], now: int
    ) -> list[Result]:
        """Write a group at `now`, Unix ms; gives what came of each write. Durable on return.

        `records`: accesses, encoded, each with how often; `writes`: at most `MOST_WRITES`. A write
        that is refused for itself gives its error as its result; the others are written.

        Raises:
            Unavailable: nothing of it is written; the code says why.
        """
        n, total = self._n + 1, self._total + sum(records.values())
        blob = audit.pack(records)
        head = audit.next_head(self._head, now, blob)
        self._make_room()

        def group() -> list[Result]:
            self._points.begin(n)
            results = [self._write(write) for write in writes]
            self._points.finish()
            # Also a group without accesses takes a number: the journal's rows are numbered by it.
            self._connection.execute(
                "INSERT INTO audit VALUES (?, ?, ?, ?, ?)", (n, now, total, blob, head)
            )
            return results

        results = self._attempt(group)
        self._n, self._head, self._total = n, head, total
        self._after(writes)
        return results

    def maintain(self) -> bool:
        """One step of packing what was written, some 20 ms; gives whether there is more to do.

        Raises:
            Unavailable: nothing was changed; the code says why.
        """
        if self._unsure:
            self._reload_points()
        more = False
        if self._points.has_to_seal:
            more = self._attempt(self._points.seal)
        self._clear()
        return more

    def reopen(self) -> None:
        """Open the file anew after the disk has failed, from what it really holds.

        Raises:
            Unavailable: it still fails.
        """
        self._connection.close(True)
        self._connection = open_again(self._path, self._key)
        self._load()

    def reader(self) -> Reader:
        """A second connection to the file."""
        return Reader(open_again(self._path, self._key))

    def close(self) -> None:
        """Close the file; what was acknowledged is in it in any case."""
        with explained(self._path):
            self._connection.close()

    def _load(self) -> None:
        # What is deleted must not be found in the file by whoever gets hold of its key.
        self._connection.pragma("secure_delete", "on")
        prepare(self._connection, "store", schema.STEPS)
        prepare(self._connection, "objects", objects.STEPS)
        end = rows(self._connection, "SELECT n, head, total FROM audit ORDER BY n DESC LIMIT 1")
        self._n, self._head, self._total = end[0] if end else (0, audit.START, 0)
        with explained():
            self._points = Ingest(self._connection)
        self._unsure = False

    def _attempt(self, work: Callable[[], T]) -> T:
        """Do work in a transaction."""

        def begun() -> T:
            if self._unsure:
                self._points.load()
            self._unsure = True
            return work()

        done = attempt(self._connection, self._points.blocks, begun)
        self._unsure = False
        return done

    def _make_room(self) -> None:
        """Before a group: what could not be sealed when it should have been, is now or never."""
        if self._unsure:
            self._reload_points()
        while self._points.hot.is_far_over:
            self.maintain()

    def _after(self, writes: Sequence[Write]) -> None:
        """After a group, which is durable whatever happens here."""
        self._to_clear = self._to_clear or any(isinstance(each, _REMOVALS) for each in writes)
        try:
            if self._points.hot.is_over:
                self.maintain()
            while self._points.hot.is_far_over:
                self.maintain()
            self._clear()
        except Exception as error:  # noqa: BLE001  the group is written, so it must not fail
            lines.failure(log, "packing-failed", error)

    def _clear(self) -> None:
        """Take what was deleted out of the log as well; later, if somebody reads just now."""
        if self._to_clear:
            self._connection.set_busy_timeout(_WAIT_MS)
            try:
                busy, *_ = rows(self._connection, "PRAGMA wal_checkpoint(TRUNCATE)")[0]
            finally:
                self._connection.set_busy_timeout(_BUSY_MS)
            self._to_clear = bool(busy)

    def _reload_points(self) -> None:
        with explained():
            self._points.load()
        self._unsure = False

    def _write(self, write: Write) -> Result:
        match write:
            case NewValue():
                self._connection.execute(
                    "INSERT OR REPLACE INTO value VALUES (?, ?, ?)",
                    (write.key, write.value, write.type),
                )
            case DeleteValue():
                return self._changed("DELETE FROM value WHERE key = ?", (write.key,))
            case NewObject() | DeleteObject() | DeleteObjects():
                return objects.write(self._connection, write)
            case NewItem():
                return self._register(write)
            case DeleteItem():
                return self._changed("DELETE FROM item WHERE href = ?", (write.href,))
            case NewEndings():
                self._connection.executemany(
                    "INSERT OR IGNORE INTO ended VALUES (?)", [(each,) for each in write.ended]
                )
                self._state("epoch", write.epoch)
            case NewState():
                self._state(write.name, write.value)
            case PackAudit():
                return self._pack(write.until)
            case _:
                return self._points.write(write)
        return None

    def _changed(self, text: str, values: tuple[str | bytes, ...]) -> bool:
        self._connection.execute(text, values)
        return self._connection.changes() > 0

    def _register(self, item: NewItem) -> bool:
        changed = self._changed("UPDATE item SET json = ? WHERE href = ?", (item.json, item.href))
        if not changed:
            self._connection.execute(
                "INSERT INTO item (href, json) VALUES (?, ?)", (item.href, item.json)
            )
        return not changed

    def _pack(self, until: int) -> bool:
        found = rows(
            self._connection,
            "SELECT n, t, total, blob, head FROM audit WHERE n <= ? ORDER BY n LIMIT ?",
            (until, audit.ROWS_A_PACK),
        )
        if len(found) < audit.ROWS_A_PACK:
            return False
        pressed = [audit.Row(*row) for row in found]
        last = pressed[-1]
        self._connection.execute(
            "INSERT INTO pack VALUES (?, ?, ?, ?)",
            (last.n, last.total, audit.press(pressed), last.head),
        )
        self._connection.execute("DELETE FROM audit WHERE n <= ?", (last.n,))
        return True

    def _state(self, name: str, value: int) -> None:
        self._connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, value))
