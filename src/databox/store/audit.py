"""The store's own record of accesses, and how it is chained and summed up. Pure.

All accesses of one group commit are one row: `[[count, [client, user, …]], …]`, equal ones counted.
`head[n] = SHA-256(head[n-1] || t as 8 bytes || row)`, beginning with 32 zero bytes. The head leaves
the store with each report, so a row that is changed, dropped or cut off shows.

Rows that the ledger has heard of are pressed together: a driver that writes four times a second
would else make more records of access than data.
"""

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from databox.wire.ledger import Access, Event, Refused

START = bytes(32)
ROWS_A_PACK = 500

READ, WRITE, SUBSCRIBE, DELETE, REFUSE = "read", "write", "subscribe", "delete", "refuse"
KEEP = "keep"


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One access. `earliest`, `latest`: of the data touched, Unix ms; `size`: bytes.

    For refusals, `source` is what was asked, `exact` why it was refused, `items` how often.
    """

    client: str
    user: str
    grant: str
    operation: str
    source: str
    exact: str
    items: int = 0
    size: int = 0
    earliest: int | None = None
    latest: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One stored row.

    `total`: how many accesses the chain records up to here. `head` is empty within pressed rows,
    where only the last one's is kept: heads are random, and would be most of what is left.
    """

    n: int
    t: int
    total: int
    blob: bytes
    head: bytes


encode = msgspec.json.Encoder().encode
_rows = msgspec.json.Decoder(list[tuple[int, Record]])
_counts = msgspec.json.Decoder(list[tuple[int, msgspec.Raw]])


def pack(records: Mapping[bytes, int]) -> bytes:
    """A row from encoded records with their counts."""
    return b"[%b]" % b",".join(b"[%d,%b]" % (count, one) for one, count in records.items())


def unpack(blob: bytes) -> list[tuple[int, Record]]:
    """The records of a row, each with its count."""
    return _rows.decode(blob)


def next_head(head: bytes, t: int, blob: bytes) -> bytes:
    """The chain's head after a row written at `t`, Unix ms."""
    return hashlib.sha256(head + t.to_bytes(8, "big", signed=True) + blob).digest()


def press(rows: Sequence[Row]) -> bytes:
    """Rows in a row, without their heads, in as few bytes as may be."""
    plain = [(row.n, row.t, row.total, row.blob) for row in rows]
    return zlib.compress(msgspec.msgpack.encode(plain))


def unpress(pressed: bytes, head: bytes) -> list[Row]:
    """The rows again; `head` is that after the last."""
    plain = msgspec.msgpack.decode(zlib.decompress(pressed), type=list[tuple[int, int, int, bytes]])
    return [Row(*each, b"") for each in plain[:-1]] + [Row(*plain[-1], head)]


def head_within(rows: Iterable[Row], before: bytes, records: int) -> str:
    """The head, in hex, after the first of pressed rows that records that many; "" if none does.

    `before`: the head before them.
    """
    head = before
    for row in rows:
        head = next_head(head, row.t, row.blob)
        if row.total == records:
            return head.hex()
    return ""


class Chain:
    """The chain as far as it was looked at: each row must follow from the one before."""

    __slots__ = ("head", "next", "total")

    def __init__(self) -> None:
        self.head = START
        self.next: int | None = None
        self.total = 0

    def follows(self, row: Row) -> bool:
        """Whether `row` is the next one, unchanged; goes on behind it."""
        self.head = next_head(self.head, row.t, row.blob)
        if (row.head and self.head != row.head) or self.next not in (None, row.n):
            return False
        try:
            self.total += sum(count for count, _ in _counts.decode(row.blob))
        except (msgspec.MsgspecError, ValueError):
            return False
        self.next = row.n + 1
        return self.total == row.total


def broken_at(rows: Iterable[Row]) -> int | None:
    """The number of the first row that does not follow from the one before; None if all do.

    Among pressed rows it is the last of them.
    """
    chain = Chain()
    return next((row.n for row in rows if not chain.follows(row)), None)


def summarize(store: str, rows: Iterable[Row], labels: Mapping[str, str]) -> list[Event]:
    """The ledger's lines for these rows: one for each client, person, source, exactness and kind.

    `labels`: what the driver calls its sources.
    """
    sums: dict[tuple[str, ...], _Sum] = {}
    for row in rows:
        for count, record in unpack(row.blob):
            source = record.source
            if record.operation != REFUSE:
                # Which of a source's many objects it was stands in the chain alone.
                source = source.partition("/")[0]
            key = (record.operation, record.client, record.user, source, record.exact)
            sums.setdefault(key, _Sum()).add(count, record)
    return [_event(store, key, each, labels) for key, each in sums.items()]


@dataclass(slots=True)
class _Sum:
    count: int = 0
    items: int = 0
    size: int = 0
    earliest: int | None = None
    latest: int | None = None

    def add(self, count: int, record: Record) -> None:
        self.count += count
        self.items += count * record.items
        self.size += count * record.size
        if record.earliest is not None:
            earliest = record.earliest if self.earliest is None else self.earliest
            self.earliest = min(earliest, record.earliest)
        if record.latest is not None:
            latest = record.latest if self.latest is None else self.latest
            self.latest = max(latest, record.latest)


def _event(store: str, key: tuple[str, ...], each: _Sum, labels: Mapping[str, str]) -> Event:
    operation, client, user, source, exact = key
    if operation == REFUSE:
        method, _, path = source.partition(" ")
        return Refused(
            client=client, target=store, method=method, path=path, why=exact, count=each.items
        )
    return Access(
        store=store,
        client=client,
        user=user,
        source=source,
        exact=exact,
        operation=operation,
        count=each.count,
        items=each.items,
        size=each.size,
        earliest=each.earliest,
        latest=each.latest,
        label=labels.get(source, ""),
    )
