"""The ledger itself: lines in the authority's database, each chained to the one before."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import apsw
import msgspec

from databox.kit.clock import Clock
from databox.kit.database import prepare, rows, transaction
from databox.ledger import sums
from databox.ledger.signing import Signer, fault
from databox.ledger.subjects import kind, label, subjects
from databox.ledger.summing import Page, Shown, everything
from databox.ledger.sums import Days
from databox.ledger.walk import Broken, Walk
from databox.wire.api import Verdict
from databox.wire.errors import TooLarge
from databox.wire.ledger import START, Checkpoint, Entry, Event, StoreHead, next_head

MAX_LEAF = 256 * 1024
_BATCH = 500

_FORMAT: Final = (
    """
    CREATE TABLE ledger_entry (
        n INTEGER PRIMARY KEY, t INTEGER NOT NULL, kind TEXT NOT NULL,
        leaf BLOB NOT NULL, head BLOB NOT NULL);
    CREATE INDEX ledger_entry_kind ON ledger_entry (kind, n);
    CREATE INDEX ledger_entry_time ON ledger_entry (t);
    CREATE TABLE ledger_subject (
        name TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (name, n)) WITHOUT ROWID;
    CREATE TABLE ledger_head (
        store TEXT PRIMARY KEY, head TEXT NOT NULL, n INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE ledger_checkpoint (
        size INTEGER PRIMARY KEY, head TEXT NOT NULL, time INTEGER NOT NULL,
        key TEXT NOT NULL, signature TEXT NOT NULL);
    CREATE TRIGGER ledger_no_change BEFORE UPDATE ON ledger_entry
        BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER ledger_no_removal BEFORE DELETE ON ledger_entry
        BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
    """,
    """
    CREATE TABLE ledger_source (
        store TEXT NOT NULL, source TEXT NOT NULL, label TEXT NOT NULL,
        PRIMARY KEY (store, source)) WITHOUT ROWID;
    """,
    sums.FORMAT,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One stored line: the entry's exact bytes, and the chain's head after it."""

    n: int
    leaf: bytes
    head: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries are asked for: numbers below `before`, times in [since, until) Unix ms."""

    before: int | None = None
    component: str = ""
    kind: str = ""
    since: int | None = None
    until: int | None = None


class Ledger:
    """Append, read, sign and check.

    Args:
        connection: The authority's database; an append joins a transaction that is open on it.
        signing_key: Raw Ed25519 key, 32 bytes.
        clock: Time of day.

    Raises:
        Unavailable: The file was written by a newer version.
    """

    def __init__(self, connection: apsw.Connection, signing_key: bytes, clock: Clock) -> None:
        self._connection = connection
        self._sums = sums.Sums(connection)
        with transaction(connection):
            prepare(connection, "ledger", _FORMAT)
            if self._sums.missing():
                self._sums.make_again()
        self._signer = Signer(signing_key)
        self._clock = clock
        self._entries = msgspec.json.Decoder(Entry)

    def append(self, by: str, events: Sequence[Event]) -> int:
        """Write all of `events` or none; gives the number of the last line, -1 in an empty ledger.

        On its own it is durable when this returns; inside the caller's transaction it is so when
        that commits.

        Raises:
            TooLarge: an entry is longer than `MAX_LEAF`.
            Unavailable: the disk is full or fails.
        """
        with transaction(self._connection):
            # Read each time: a number kept in memory would survive a rolled-back transaction.
            last, head = self._end()
            for event in events:
                last += 1
                head = self._write(Entry(n=last, t=self._clock.now(), by=by, event=event), head)
            return last

    def append_from_store(self, by: str, events: Sequence[Event]) -> int:
        """As `append`, for a store's summary, which ends each batch with the head of its chain.

        A store that did not hear our answer sends the same batch again, with the same head.
        """
        heads = [event.head for event in events if isinstance(event, StoreHead)]
        with transaction(self._connection):
            if self._newest_head(by) in heads:
                return self.size() - 1
            last = self.append(by, events)
            self._connection.executemany(
                "INSERT OR REPLACE INTO ledger_head VALUES (?, ?, ?)",
                [(by, head, last) for head in heads],
            )
            return last

    def size(self) -> int:
        """How many lines there are."""
        return self._end()[0] + 1

    def checkpoint(self) -> Checkpoint:
        """Sign the state of now, and keep the checkpoint if it is of a new state."""
        with transaction(self._connection):
            last, head = self._end()
            checkpoint = self._signer.checkpoint(last + 1, head, self._clock.now())
            self._connection.execute(
                "INSERT OR IGNORE INTO ledger_checkpoint VALUES (?, ?, ?, ?, ?)",
                msgspec.structs.astuple(checkpoint),
            )
            return checkpoint

    def lines(self, first: int = 0, end: int | None = None) -> Iterator[list[Line]]:
        """Stored lines from `first` up to before `end`, oldest first, some hundreds at a time."""
        while True:
            found = rows(
                self._connection,
                "SELECT n, leaf, head FROM ledger_entry WHERE n >= ? AND (?2 IS NULL OR n < ?2)"
                " ORDER BY n LIMIT ?",
                (first, end, _BATCH),
            )
            if not found:
                return
            yield [Line(*row) for row in found]
            first = found[-1][0] + 1

    def entries(self, wanted: Wanted) -> Iterator[Entry]:
        """The wanted entries, newest first, read as they are taken."""
        before = wanted.before
        while True:
            found = rows(self._connection, *_query(wanted, before))
            for n, leaf in found:
                yield self._entries.decode(leaf)
                before = n
            if len(found) < _BATCH:
                return

    def page_of_days(self, wanted: Days, limit: int, shown: Shown = everything) -> Page:
        """Rows of whole days, with what repeats summed; see `Sums.page`."""
        return self._sums.page(wanted, limit, shown)

    def labels(self, most: int) -> dict[tuple[str, str], str]:
        """What sources were called last, by store and id; `most` of them."""
        found = rows(self._connection, "SELECT * FROM ledger_source LIMIT ?", (most,))
        return {(store, source): called for store, source, called in found}

    def verify(self) -> Verdict:
        """Check the whole chain, and each checkpoint that was kept."""
        check = Check(self)
        for batch in self.lines():
            if not check.take(batch):
                break
        return check.verdict()

    def kept_checkpoints(self) -> dict[int, Checkpoint]:
        """The checkpoints that were kept, by size."""
        names = Checkpoint.__struct_fields__
        found = rows(self._connection, f"SELECT {', '.join(names)} FROM ledger_checkpoint")  # noqa: S608 - fixed words only
        kept = [Checkpoint(**dict(zip(names, row, strict=True))) for row in found]
        return {checkpoint.size: checkpoint for checkpoint in kept}

    @property
    def public_key(self) -> bytes:
        """The raw key that checkpoints are signed by."""
        return self._signer.public

    def _end(self) -> tuple[int, bytes]:
        found = rows(self._connection, "SELECT n, head FROM ledger_entry ORDER BY n DESC LIMIT 1")
        return (found[0][0], found[0][1]) if found else (-1, START)

    def _write(self, entry: Entry, head: bytes) -> bytes:
        leaf = msgspec.json.encode(entry)
        if len(leaf) > MAX_LEAF:
            raise TooLarge("the entry is too long for the ledger", found=f"{len(leaf)} bytes")
        head = next_head(head, leaf)
        self._connection.execute(
            "INSERT INTO ledger_entry VALUES (?, ?, ?, ?, ?)",
            (entry.n, entry.t, kind(entry.event), leaf, head),
        )
        self._connection.executemany(
            "INSERT INTO ledger_subject VALUES (?, ?)",
            [(name, entry.n) for name in subjects(entry.event)],
        )
        if called := label(entry.event):
            self._connection.execute(
                "INSERT OR REPLACE INTO ledger_source VALUES (?, ?, ?)", called
            )
        self._sums.add(entry)
        return head

    def _newest_head(self, store: str) -> str:
        found = rows(self._connection, "SELECT head FROM ledger_head WHERE store = ?", (store,))
        return str(found[0][0]) if found else ""


class Check:
    """A check of the whole ledger that can pause between batches."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._walk = Walk()
        self._kept = ledger.kept_checkpoints()
        self._problem = ""

    def take(self, batch: Sequence[Line]) -> bool:
        """Check the next lines; False once something is wrong."""
        try:
            for line in batch:
                self._walk.step(line.leaf, line.head)
                if checkpoint := self._kept.pop(self._walk.size, None):
                    self._compare(checkpoint)
        except Broken as error:
            self._problem = str(error)
        return not self._problem

    def verdict(self) -> Verdict:
        """What came out, with a fresh checkpoint if all is well."""
        missing = [size for size in self._kept if size > self._walk.size]
        if not self._problem and missing:
            self._problem = (
                f"entries {self._walk.size} to {max(missing) - 1} are missing:"
                f" a checkpoint counts {max(missing)}"
            )
        checkpoint = None if self._problem else self._ledger.checkpoint()
        return Verdict(
            ok=not self._problem,
            size=self._walk.size,
            checkpoint=checkpoint,
            problem=self._problem,
        )

    def _compare(self, kept: Checkpoint) -> None:
        if problem := fault(kept, self._ledger.public_key):
            raise Broken(f"{problem} (of {kept.size} entries)")
        if base64.b64decode(kept.head) != self._walk.head:
            raise Broken(f"the first {kept.size} entries are not those that were signed")


def _query(wanted: Wanted, before: int | None) -> tuple[str, dict[str, object]]:
    """The newest entries that fit, as SQL and its values."""
    source = "ledger_entry"
    terms = ["(:before IS NULL OR n < :before)"]
    if wanted.component:
        source = "ledger_subject JOIN ledger_entry USING (n)"
        terms.append("name = :component")
    if wanted.kind:
        terms.append("kind = :kind")
    if wanted.since is not None:
        terms.append("t >= :since")
    if wanted.until is not None:
        terms.append("t < :until")
    text = f"SELECT n, leaf FROM {source} WHERE {' AND '.join(terms)} ORDER BY n DESC LIMIT :limit"  # noqa: S608 - fixed words only
    return text, {
        "before": before,
        "component": wanted.component,
        "kind": wanted.kind,
        "since": wanted.since,
        "until": wanted.until,
        "limit": _BATCH,
    }
