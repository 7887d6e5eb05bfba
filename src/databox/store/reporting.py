"""Tells the ledger what was looked at: the head of the store's chain and a line for each kind.

The head is told every ten seconds in which anything happened, so that a copy put back later shows.
The lines follow once a minute, since they are most of the ledger, or at once while somebody looks
at the History.

A batch is settled in the file before it is sent, so a store that was killed sends the very same
one again, and the ledger, which knows its head, writes it once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec

from databox.kit import log as lines
from databox.store import audit
from databox.store.file import NewState, PackAudit, Reader
from databox.store.writer import Writer
from databox.wire.errors import DataboxError
from databox.wire.ledger import Event, StoreHead

log = logging.getLogger("databox.store")

EVERY = 10.0
"""Seconds between two reports of the head."""
LINES_EVERY = 60.0
"""Seconds between two reports of what was looked at, while nobody watches."""
SEND_SECONDS = 3.0
"""Less than a store is given to stop, so that a ledger that is away does not get it killed."""
MOST_BYTES = 768 * 1024
"""Bytes of events in a batch; the ledger takes 1 MiB."""
MOST_ROWS = 3000
"""Rows in a batch: a minute of 50 commits a second."""

REPORTED, SETTLED = "reported", "report-settled"

T = TypeVar("T")
Send = Callable[[tuple[Event, ...]], Awaitable[bool]]
"""Gives events to the ledger; whether somebody looks at the History."""


class Read(Protocol):
    """Runs a function with the reader on the reading thread."""

    async def __call__(self, work: Callable[[Reader], T]) -> T:
        """What the function gives."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that cover the rows of the chain up to number `last`."""

    last: int
    events: tuple[Event, ...]


class Reporter:
    """Sends what the ledger does not know yet.

    Args:
        store: The store's own name.
        read: Runs a function with the reader on the reading thread.
        writer: Keeps how far the reports have come.
        send: Gives events to the ledger, which answers once they are durable.
        labels: What the driver calls its sources.
    """

    def __init__(
        self,
        store: str,
        *,
        read: Read,
        writer: Writer,
        send: Send,
        labels: Callable[[], dict[str, str]],
    ) -> None:
        self._store = store
        self._read = read
        self._writer = writer
        self._send = send
        self._labels = labels
        self._one_at_a_time = asyncio.Lock()
        self._lines_told = asyncio.get_running_loop().time()
        self._head_told = ""
        self._watched = False

    async def tick(self) -> None:
        """Send what is due now: the head, or all there is."""
        now = asyncio.get_running_loop().time()
        if self._watched or now - self._lines_told >= LINES_EVERY:
            await self.report()
            return
        async with self._one_at_a_time:
            try:
                if head := await self._read(self._new_head):
                    await self._tell((head,))
                    self._head_told = head.head
            except (DataboxError, TimeoutError) as error:
                lines.event(log, logging.WARNING, "report-failed", why=error)
        if self._watched:
            await self.report()

    async def report(self) -> bool:
        """Send everything that is committed; what cannot be sent now goes with the next report.

        Whether all of it was sent.
        """
        async with self._one_at_a_time:
            self._lines_told = asyncio.get_running_loop().time()
            try:
                while batch := await self._read(self._next):
                    await self._writer.write(NewState(SETTLED, batch.last))
                    await self._tell(batch.events)
                    await self._writer.write(NewState(REPORTED, batch.last))
                    while await self._writer.write(PackAudit(batch.last)):
                        pass
            except (DataboxError, TimeoutError) as error:
                lines.event(log, logging.WARNING, "report-failed", why=error)
                return False
            return True

    async def _tell(self, events: tuple[Event, ...]) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            self._watched = await self._send(events)

    def _new_head(self, reader: Reader) -> StoreHead | None:
        """The head, if the ledger does not know it; nothing while a batch waits to be heard."""
        row = reader.newest_access()
        reported, settled = reader.state(REPORTED), reader.state(SETTLED)
        if row is None or settled > reported or row.n <= reported:
            return None
        head = StoreHead(store=self._store, head=row.head.hex(), records=row.total)
        return None if head.head == self._head_told else head

    def _next(self, reader: Reader) -> Batch | None:
        """The batch that was settled but perhaps not heard, else a new one, None if all is told."""
        reported, settled = reader.state(REPORTED), reader.state(SETTLED)
        last = settled if settled > reported else None
        return _batch(self._store, reader, reported, last, self._labels())


def _batch(
    store: str, reader: Reader, after: int, last: int | None, labels: dict[str, str]
) -> Batch | None:
    most = MOST_ROWS
    while True:
        rows = reader.accesses(after, last, most)
        if not rows:
            return None
        events = audit.summarize(store, rows, labels)
        if len(rows) == 1 or len(msgspec.json.encode(events)) <= MOST_BYTES:
            end = StoreHead(store=store, head=rows[-1].head.hex(), records=rows[-1].total)
            return Batch(rows[-1].n, (*events, end))
        most = len(rows) // 2
