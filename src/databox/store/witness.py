"""Whether the store's own record of accesses is still the one that the ledger heard of.

Whoever puts back an older copy of the file, or changes it with its key in hand, cannot make the
ledger forget: it knows the head of the chain and how many accesses it covers, and the chain must
have exactly that head at that place.
"""

import zlib
from collections.abc import Awaitable, Callable
from itertools import islice

import msgspec

from databox.kit.table import Call
from databox.store import audit
from databox.store.reader import Reader
from databox.store.reporting import REPORTED, Read, Send
from databox.wire.api import ChainReply, KnownHead
from databox.wire.errors import Unavailable
from databox.wire.ledger import Discrepancy

Ask = Callable[[], Awaitable[KnownHead]]

SLICE = 500
"""Rows checked before others may read: 5 ms."""


def compare(store: str, reader: Reader, known: KnownHead | None) -> Discrepancy | None:
    """What does not fit, None if all does.

    `known`: None where there is no ledger to ask. Costs the reading of 500 rows at most, however
    long the chain is.
    """
    if known is None:
        return None
    end = reader.total()
    if known.records > end:
        why = "fewer"
    elif known.records and reader.head_at(known.records) != known.head:
        why = "other"
    elif known.records < reader.total(reader.state(REPORTED)):
        why = "behind"
    else:
        return None
    return _differs(store, reader, known, why)


def _differs(
    store: str, reader: Reader, known: KnownHead, why: str, detail: str = ""
) -> Discrepancy:
    end = reader.total()
    return Discrepancy(
        store=store,
        why=why,
        known=known.records,
        found=end,
        known_head=known.head,
        found_head=reader.head_at(end) if end else "",
        detail=detail,
    )


class Witness:
    """Tells the ledger what does not fit, and looks whether the owner has accepted it.

    Args:
        store: The store's own name.
        read: Runs a function with the reader on the reading thread.
        send: Gives events to the ledger, which answers once they are durable.
        ask: Asks the ledger what it knows of this store; None where there is none to ask.
    """

    def __init__(self, store: str, *, read: Read, send: Send, ask: Ask | None) -> None:
        self._store = store
        self._read = read
        self._send = send
        self._ask = ask
        self.found: Discrepancy | None = None
        self._told: Discrepancy | None = None

    def why_closed(self) -> Unavailable | None:
        """Why nothing may be asked of the store now: it waits for the owner."""
        if self.found is None or self.found.why not in ("fewer", "other"):
            return None
        return Unavailable(
            "this source is not what it was: an older copy was put back, or it was changed",
            code="put-back",
            found=f"{self.found.found} accesses on record, {self.found.known} known",
            remedy="The owner can let it go on: databox ledger accept, or on the dashboard",
        )

    async def look_again(self) -> None:
        """Tell what was found, then forget it once it fits what the ledger knows by now."""
        if self.found is not None:
            if self.found != self._told:
                await self._send((self.found,))
                self._told = self.found
            self.found = await self._compared()

    async def chain(self, call: Call) -> ChainReply:
        """Check every row, and that the ledger knows the same; what does not fit is told."""
        walk = await self._read(Walk)
        while await self._read(lambda _: walk.step()):
            pass
        known = await self._ask() if self._ask else None
        found = await self._read(lambda reader: self._judged(reader, known, walk))
        if found is not None:
            await self._send((found,))
        return ChainReply(
            ok=found is None,
            records=walk.records,
            why=found.why if found else "",
            detail=found.detail if found else "",
        )

    def _judged(self, reader: Reader, known: KnownHead | None, walk: "Walk") -> Discrepancy | None:
        if walk.broken_at is None:
            return compare(self._store, reader, known)
        row = f"row {walk.broken_at}"
        return _differs(self._store, reader, known or KnownHead(), "broken", row)

    async def _compared(self) -> Discrepancy | None:
        known = await self._ask() if self._ask else None
        return await self._read(lambda reader: compare(self._store, reader, known))


class Walk:
    """A check of the whole chain, some rows at a time. `broken_at`: the first row that is wrong."""

    def __init__(self, reader: Reader) -> None:
        self._rows = reader.chain()
        self._chain = audit.Chain()
        self.broken_at: int | None = None

    @property
    def records(self) -> int:
        """How many accesses are on the rows that were checked."""
        return self._chain.total

    def step(self) -> bool:
        """Check some more rows, on the thread that reads; False when it is over."""
        try:
            rows = list(islice(self._rows, SLICE))
        except (zlib.error, msgspec.MsgspecError):
            # Rows that were pressed together and are no such thing any more.
            self.broken_at = self._chain.next or 1
            return False
        self.broken_at = next((row.n for row in rows if not self._chain.follows(row)), None)
        return len(rows) == SLICE and self.broken_at is None
