"""The store's one encrypted file, behind an interface that a faster format can take over.

`StoreFile` belongs to the writer thread; `Reader` is a second connection for another thread.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw

from databox.kit.database import explained, open_again, open_database, prepare, rows, transaction
from databox.store import audit
from databox.store.readings import Reading

_FORMAT: Final = (
    """
    CREATE TABLE source (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE reading (
        source INTEGER NOT NULL, t INTEGER NOT NULL, seq INTEGER NOT NULL, data BLOB NOT NULL,
        PRIMARY KEY (source, t, seq)) WITHOUT ROWID;
    CREATE TABLE value (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE item (
        n INTEGER PRIMARY KEY, href TEXT NOT NULL UNIQUE, json BLOB NOT NULL);
    CREATE TABLE audit (
        n INTEGER PRIMARY KEY, t INTEGER NOT NULL, total INTEGER NOT NULL,
        blob BLOB NOT NULL, head BLOB NOT NULL);
    CREATE TABLE ended (grant TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    """,
    """
    CREATE TABLE pack (
        last INTEGER PRIMARY KEY, total INTEGER NOT NULL, rows BLOB NOT NULL, head BLOB NOT NULL);
    """,
)

BATCH_BYTES = 512 * 1024
"""A reading may be a document of a megabyte: a thousand of those are more than a store may take."""
MOST_WRITES = 65_536
"""Writes that fit into one group: a reading's number is made of its group's and its place."""


@dataclass(frozen=True, slots=True)
class NewReading:
    """Write a reading; gives it back with its number."""

    source: str
    t: int
    data: bytes


@dataclass(frozen=True, slots=True)
class NewValue:
    """Write a value under a key."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class NewItem:
    """Register a data source, in place of the item with the same address; gives whether it is new.

    `json`: the Hypercat item.
    """

    href: str
    json: bytes


@dataclass(frozen=True, slots=True)
class NewEndings:
    """Grants that ended."""

    epoch: int
    ended: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewState:
    """A number of the store's own, by name."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class PackAudit:
    """Press old rows of the access chain together; gives whether there may be more to press.

    `until`: the last row that may be pressed, because the ledger knows of it.
    """

    until: int


Write = PackAudit | NewReading | NewValue | NewItem | NewEndings | NewState
Outcome = Reading | bool | None


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a stretch holds. `last_seq`: readings that come later have greater numbers."""

    count: int
    size: int
    earliest: int | None
    latest: int | None
    last_seq: int


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
        self._connection = open_database(path, key)
        self._n, self._head, self._total = 0, audit.START, 0
        self._sources: dict[str, int] = {}
        self._load()

    def commit(
        self, records: Mapping[bytes, int], writes: Sequence[Write], now: int
    ) -> list[Outcome]:
        """Write a group at `now`, Unix ms; gives what came of each write. Durable on return.

        `records`: accesses, encoded, each with how often; `writes`: at most `MOST_WRITES`.

        Raises:
            Unavailable: nothing of it is written; the code says why.
        """
        n, total = self._n + 1, self._total + sum(records.values())
        blob = audit.pack(records)
        head = audit.next_head(self._head, now, blob)
        outcomes: list[Outcome] = []
        new_sources: dict[str, int] = {}
        with transaction(self._connection):
            for place, write in enumerate(writes):
                outcomes.append(self._write(write, n * MOST_WRITES + place, new_sources))
            # Also a group without accesses takes a number: those of its readings are made of it.
            self._connection.execute(
                "INSERT INTO audit VALUES (?, ?, ?, ?, ?)", (n, now, total, blob, head)
            )
        self._n, self._head, self._total = n, head, total
        self._sources.update(new_sources)
        return outcomes

    def reopen(self) -> None:
        """Open the file anew after the disk has failed, from what it really holds.

        Raises:
            Unavailable: it still fails.
        """
        self._connection.close(True)
        self._connection = open_again(self._path, self._key)
        self._load()

    def reader(self) -> "Reader":
        """A second connection to the file."""
        return Reader(open_again(self._path, self._key))

    def close(self) -> None:
        """Close the file; what was acknowledged is in it in any case."""
        with explained(self._path):
            self._connection.close()

    def _load(self) -> None:
        prepare(self._connection, "store", _FORMAT)
        end = rows(self._connection, "SELECT n, head, total FROM audit ORDER BY n DESC LIMIT 1")
        self._n, self._head, self._total = end[0] if end else (0, audit.START, 0)
        self._sources = dict(rows(self._connection, "SELECT name, id FROM source"))

    def _write(self, write: Write, seq: int, new_sources: dict[str, int]) -> Outcome:
        match write:
            case NewReading():
                self._connection.execute(
                    "INSERT INTO reading VALUES (?, ?, ?, ?)",
                    (self._source(write.source, new_sources), write.t, seq, write.data),
                )
                return Reading(write.t, seq, write.data)
            case NewValue():
                self._connection.execute(
                    "INSERT OR REPLACE INTO value VALUES (?, ?)", (write.key, write.value)
                )
            case NewItem():
                return self._register(write)
            case NewEndings():
                self._connection.executemany(
                    "INSERT OR IGNORE INTO ended VALUES (?)", [(each,) for each in write.ended]
                )
                self._state("epoch", write.epoch)
            case NewState():
                self._state(write.name, write.value)
            case PackAudit():
                return self._pack(write.until)
        return None

    def _source(self, name: str, new_sources: dict[str, int]) -> int:
        number = self._sources.get(name) or new_sources.get(name)
        if number is None:
            found = rows(
                self._connection, "INSERT INTO source (name) VALUES (?) RETURNING id", (name,)
            )
            number = new_sources[name] = int(found[0][0])
        return number

    def _register(self, item: NewItem) -> bool:
        changed = rows(
            self._connection,
            "UPDATE item SET json = ? WHERE href = ? RETURNING n",
            (item.json, item.href),
        )
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


class Reader:
    """Reads what is committed; one thread at a time."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def newest(self, source: str, last: int) -> Reading | None:
        """The newest reading up to `last`, Unix ms."""
        found = self._rows(
            "SELECT t, seq, data FROM reading WHERE source = (SELECT id FROM source WHERE name = ?)"
            " AND t <= ? ORDER BY t DESC, seq DESC LIMIT 1",
            (source, last),
        )
        return Reading(*found[0]) if found else None

    def extent(self, source: str, first: int, last: int) -> Extent:
        """How many readings there are from `first` to `last`, Unix ms."""
        found = self._rows(
            "SELECT count(*), coalesce(sum(length(data)), 0), min(t), max(t),"
            " coalesce(max(seq), 0) FROM reading"
            " WHERE source = (SELECT id FROM source WHERE name = ?) AND t BETWEEN ? AND ?",
            (source, first, last),
        )
        return Extent(*found[0])

    def readings(
        self, source: str, first: int, last: int, *, last_seq: int = 2**63 - 1, batch: int = 1000
    ) -> Iterator[list[Reading]]:
        """The readings of a stretch in order of time, in batches, up to the number `last_seq`.

        A batch is over after `batch` readings, or the one with which it passes `BATCH_BYTES`.
        """
        # Each batch is a query of its own: an open one would keep the log from being emptied.
        t, seq = first, -1
        while True:
            found = self._batch(
                "SELECT t, seq, data FROM reading"
                " WHERE source = (SELECT id FROM source WHERE name = ?)"
                " AND (t, seq) > (?, ?) AND t <= ? AND seq <= ? ORDER BY t, seq LIMIT ?",
                (source, t, seq, last, last_seq, batch),
            )
            if not found:
                return
            yield found
            t, seq = found[-1].t, found[-1].seq

    def value(self, key: str) -> bytes | None:
        """The value under a key."""
        found = self._rows("SELECT value FROM value WHERE key = ?", (key,))
        return bytes(found[0][0]) if found else None

    def items(self) -> list[bytes]:
        """The catalogue's items in the order of their first registration, as JSON."""
        return [row[0] for row in self._rows("SELECT json FROM item ORDER BY n")]

    def endings(self) -> tuple[int, list[str]]:
        """The last known epoch and every grant that ended."""
        return self.state("epoch"), [row[0] for row in self._rows("SELECT grant FROM ended")]

    def state(self, name: str) -> int:
        """A number of the store's own, 0 if it was never set."""
        found = self._rows("SELECT value FROM state WHERE name = ?", (name,))
        return int(found[0][0]) if found else 0

    def accesses(self, after: int, last: int | None, most: int) -> list[audit.Row]:
        """Rows of the chain after number `after`, up to `last`, that record any access."""
        found = self._rows(
            "SELECT n, t, total, blob, head FROM audit"
            " WHERE n > ? AND (?2 IS NULL OR n <= ?2) AND length(blob) > 2 ORDER BY n LIMIT ?",
            (after, last, most),
        )
        return [audit.Row(*row) for row in found]

    def chain(self) -> Iterator[audit.Row]:
        """The whole chain of accesses, oldest first."""
        after = 0
        while packed := self._rows(
            "SELECT last, rows, head FROM pack WHERE last > ? ORDER BY last LIMIT 1", (after,)
        ):
            after, pressed, head = packed[0]
            yield from audit.unpress(pressed, head)
        while found := self._rows(
            "SELECT n, t, total, blob, head FROM audit WHERE n > ? ORDER BY n LIMIT 500", (after,)
        ):
            yield from (audit.Row(*row) for row in found)
            after = found[-1][0]

    def close(self) -> None:
        """Close this connection."""
        with explained():
            self._connection.close()

    def _batch(self, text: str, values: Sequence[Any]) -> list[Reading]:
        found: list[Reading] = []
        size = 0
        with explained(), closing(self._connection.cursor()) as cursor:
            for row in cursor.execute(text, values):
                found.append(Reading(*row))
                size += len(found[-1].data)
                if size > BATCH_BYTES:
                    break
        return found

    def _rows(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return rows(self._connection, text, values)
