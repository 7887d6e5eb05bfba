"""The ledger itself: lines in the authority's database, with a Merkle tree over them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import apsw
import msgspec

from databox.kit.clock import Clock
from databox.kit.database import prepare, rows, transaction
from databox.ledger import known, nodes, sums
from databox.ledger.before import Before
from databox.ledger.known import HOUR, Known, KnownHeads
from databox.ledger.nodes import Nodes
from databox.ledger.reads import Asked, Reads, reads
from databox.ledger.signing import Signer
from databox.ledger.subjects import kind, label, subjects
from databox.ledger.summing import Page, Shown, everything
from databox.ledger.sums import Days
from databox.wire.errors import NotFound, TooLarge
from databox.wire.ledger import (
    Accepted,
    Checkpoint,
    Discrepancy,
    Entry,
    Event,
    Installed,
    StoreHead,
    Uninstalled,
    leaf_hash,
)
from databox.wire.names import STORE_SUFFIX

BY = "ledger"
"""Who wrote what the ledger writes by itself."""
MAX_LEAF = 256 * 1024
_BATCH = 1000

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
    f"""
    ALTER TABLE ledger_entry RENAME COLUMN head TO hash;
    ALTER TABLE ledger_checkpoint RENAME TO ledger_checkpoint_before;
    CREATE TABLE ledger_checkpoint (
        size INTEGER PRIMARY KEY, root TEXT NOT NULL, time INTEGER NOT NULL,
        key TEXT NOT NULL, signature TEXT NOT NULL);
    {nodes.FORMAT}
    {known.FORMAT}
    {sums.MORE}
    """,
)
_TREE: Final = 4
"""The format from which on there is a tree, and sums of whole days."""


@dataclass(frozen=True, slots=True)
class Line:
    """One stored line: the entry's exact bytes, and their hash."""

    n: int
    leaf: bytes
    hash: bytes


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
        self._signer = Signer(signing_key)
        self._clock = clock
        self._entries = msgspec.json.Decoder(Entry)
        self._sums = sums.Sums(connection)
        self._nodes = Nodes(connection)
        self._known = KnownHeads(connection)
        with transaction(connection):
            found = prepare(connection, "ledger", _FORMAT)
            if found < _TREE:
                self._sums.make_again()
                self._plant()

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
            n = self.size()
            for event in events:
                self._write(Entry(n=n, t=self._clock.now(), by=by, event=event))
                n += 1
            return n - 1

    def append_from_store(self, by: str, events: Sequence[Event]) -> int:
        """As `append`, for what a store tells: a summary that ends with its head, or its head.

        A store that did not hear our answer sends the same summary again, with the same head. Of
        heads only the newest is kept, and becomes a line later; see `known`.
        """
        heads = [event for event in events if isinstance(event, StoreHead)]
        told = [event for event in events if not isinstance(event, StoreHead)]
        with transaction(self._connection):
            before = self._known.of(by)
            if told and before and any(before.told == each.head for each in heads):
                return self.size() - 1
            self._take_discrepancies(by, told)
            others = [event for event in told if not isinstance(event, Discrepancy)]
            self.append(by, others)
            for head in heads:
                self._learn(head, before, told=bool(told))
            self._write_heads(until=self._clock.now() - HOUR)
            return self.size() - 1

    def known_head(self, store: str) -> Known | None:
        """The newest head that a store told, None before it told any."""
        return self._known.of(store)

    def alarms(self) -> list[Entry]:
        """What does not fit what is known, and was not accepted yet."""
        return [self._entries.decode(self.leaf(n)) for n in self._known.alarms()]

    def note(self, event: Discrepancy) -> None:
        """Write that something does not fit, unless that very thing is known already."""
        with transaction(self._connection):
            self._take_discrepancies(BY, [event])

    def accept(self, store: str, user: str) -> None:
        """The owner lets a store go on with what it has.

        Raises:
            NotFound: nothing is wrong with it.
        """
        with transaction(self._connection):
            found = self._known.alarm(store)
            if found is None:
                raise NotFound("there is nothing to accept", field="store", found=store[:40])
            self.append(BY, [Accepted(store=store, user=user)])
            self._known.accept(found, self._clock.now())

    def size(self) -> int:
        """How many lines there are."""
        found = rows(self._connection, "SELECT n FROM ledger_entry ORDER BY n DESC LIMIT 1")
        return int(found[0][0]) + 1 if found else 0

    def root(self, size: int) -> bytes:
        """The root of the tree over the first `size` lines."""
        return self._nodes.root(size)

    def leaf(self, n: int) -> bytes:
        """The exact bytes of one line, which is there."""
        found = rows(self._connection, "SELECT leaf FROM ledger_entry WHERE n = ?", (n,))
        return bytes(found[0][0])

    def inclusion(self, n: int, size: int) -> list[bytes]:
        """What shows that line `n` is among the first `size`, of which there are enough."""
        return self._nodes.inclusion(n, size)

    def consistency(self, old: int, size: int) -> list[bytes]:
        """What shows that the first `size` lines begin with the same `old` ones."""
        return self._nodes.consistency(old, size)

    def checkpoint(self) -> Checkpoint:
        """Sign the state of now, and keep the checkpoint if it is of a new state.

        What stores told of their chains becomes lines first, so that the checkpoint covers it.
        """
        with transaction(self._connection):
            self._write_heads()
            size = self.size()
            checkpoint = self._signer.checkpoint(size, self.root(size), self._clock.now())
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
                "SELECT n, leaf, hash FROM ledger_entry WHERE n >= ? AND (?2 IS NULL OR n < ?2)"
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

    def reads(self, asked: Asked) -> list[Reads]:
        """Who read what, summed up; one more than `MOST` if there are more."""
        return reads(self._connection, asked)

    def labels(self, most: int) -> dict[tuple[str, str], str]:
        """What sources were called last, by store and id; `most` of them."""
        found = rows(self._connection, "SELECT * FROM ledger_source LIMIT ?", (most,))
        return {(store, source): called for store, source, called in found}

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

    def _write(self, entry: Entry) -> None:
        leaf = msgspec.json.encode(entry)
        if len(leaf) > MAX_LEAF:
            raise TooLarge("the entry is too long for the ledger", found=f"{len(leaf)} bytes")
        self._connection.execute(
            "INSERT INTO ledger_entry VALUES (?, ?, ?, ?, ?)",
            (entry.n, entry.t, kind(entry.event), leaf, leaf_hash(leaf)),
        )
        self._nodes.grow(entry.n + 1)
        self._connection.executemany(
            "INSERT INTO ledger_subject VALUES (?, ?)",
            [(name, entry.n) for name in subjects(entry.event)],
        )
        if called := label(entry.event):
            self._connection.execute(
                "INSERT OR REPLACE INTO ledger_source VALUES (?, ?, ?)", called
            )
        self._sums.add(entry)
        match entry.event:
            case Uninstalled(component=name, kept=False):
                self._known.delete(name + STORE_SUFFIX)
            case Installed(component=name):
                self._known.make(name + STORE_SUFFIX)
            case _:
                pass

    def _write_heads(self, until: int | None = None) -> None:
        for head in self._known.unwritten(until):
            self.append(BY, [head])
            self._known.wrote(head)

    def _learn(self, head: StoreHead, before: Known | None, *, told: bool) -> None:
        """Take a store's head, unless it tells of fewer records than before."""
        fewer = before is not None and head.records < before.records
        other = before is not None and head.records == before.records and head.head != before.head
        if before is not None and (fewer or other):
            why = "fewer" if fewer else "other"
            self._take_discrepancies(BY, [_differs(why, head, before)])
        else:
            self._known.learn(head, self._clock.now(), told=told)

    def _take_discrepancies(self, by: str, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Discrepancy):
                known = self._known.alarm(event.store)
                if known and (known.head, known.records) == (event.found_head, event.found):
                    continue
                self._known.raise_alarm(event, self.append(by, [event]))

    def _plant(self) -> None:
        """Make the tree of a ledger that was a chain until now; write what is wrong with it."""
        before = Before(self._connection, self._signer.public)
        problem = before.problem()
        with before.open_to_change():
            self._nodes.plant()
        if problem:
            size = self.size()
            what = Discrepancy(store=BY, why="broken", known=size, found=size, detail=problem)
            self._take_discrepancies(BY, [what])


def _differs(why: str, head: StoreHead, before: Known) -> Discrepancy:
    return Discrepancy(
        store=head.store,
        why=why,
        known=before.records,
        found=head.records,
        known_head=before.head,
        found_head=head.head,
    )


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
