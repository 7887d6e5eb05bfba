"""How long answers leave: part by part, each on the record before it does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from databox.kit.guard import Verified
from databox.kit.http.message import Answer, Response, Stream
from databox.store import queries
from databox.store.answers.means import Means
from databox.store.audit import READ
from databox.store.door import access
from databox.store.file import Reader
from databox.store.parts import Part
from databox.wire.tokens import BadToken

JSON = "application/json"

Find = Callable[[Reader], Iterator[Part]]
"""Begins an answer on the reading thread, where its parts are made as well."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends the answer of one request."""

    means: Means
    verified: Verified
    source: str
    content_type: str = JSON

    async def send(self, find: Find) -> Answer:
        """The answer in one body if it is no longer than a part, else as a stream.

        Raises:
            BadToken: the grant ended in the meantime.
            Unavailable: nothing was recorded.
        """

        def begin(reader: Reader) -> tuple[list[Part], Iterator[Part]]:
            parts = find(reader)
            return list(islice(parts, 2)), parts

        head, parts = await self.means.read(begin)
        if len(head) == 2:
            # Before its status leaves, which may be all that is asked for.
            await self._record(head[0])
            return Stream(200, self.content_type, self._stream(head, parts))
        whole = head[0] if head else Part(b"")
        await self._record(whole)
        return Response(200, whole.body, self.content_type)

    async def _stream(self, head: list[Part], parts: Iterator[Part]) -> AsyncIterator[bytes]:
        """The first part is recorded; each next one is made while the one before it leaves."""
        yield head[0].body
        part: Part | None = head[1]
        while part is not None:
            upcoming = asyncio.ensure_future(self.means.read(lambda _: next(parts, None)))
            await self._record(part)
            yield part.body
            part = await upcoming

    async def _record(self, part: Part) -> None:
        written = access(
            self.verified,
            READ,
            self.source,
            items=part.items,
            size=part.size,
            earliest=part.earliest,
            latest=part.latest,
        )
        await self.means.door.record(self.verified, written)
        if not self.means.door.holds(self.verified):
            raise BadToken("access was stopped while this was sent", code="grant-ended")


def windows_read(verified: Verified, operation: str, source: str, found: queries.Windows) -> bytes:
    """The record of windows that are given."""
    return access(
        verified,
        operation,
        source,
        items=len(found.records),
        size=found.size,
        earliest=found.earliest,
        latest=found.latest,
    )
