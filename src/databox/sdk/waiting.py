"""The way to a store over asyncio's streams: it waits, and blocks nobody.

A connection a request: over a unix socket that costs less than keeping an account of them.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from databox.sdk.http import head as heads
from databox.sdk.http.client import Lost, Reply, head_of
from databox.sdk.http.stream import MOST_OF_A_CHUNK
from databox.sdk.line import JSON, PATIENCE, Refused, told
from databox.sdk.peers import (
    FIRST_PAUSE,
    HEALING,
    LONGEST_PAUSE,
    MAX_REPLY,
    TOKEN,
    Peers,
    Route,
    refusal,
)
from databox.wire.errors import BadRequest, TooLarge, Unavailable

SECONDS = 60.0
"""Longest silence within an answer; one who follows hears a sign of life in a quarter of that."""
_BROKEN = (OSError, asyncio.IncompleteReadError, TimeoutError)


class Waiting:
    """A `Line` for programs with an event loop."""

    def __init__(self, peers: Peers, refused: Refused) -> None:
        self._peers = peers
        self.refused = refused

    async def call(
        self, route: Route, body: bytes = b"", *, query: str = "", type: str = JSON
    ) -> bytes:
        """As `Peers.call`."""
        content = {"Content-Type": type} if body else {}
        found = bytearray()
        with told(self.refused):
            pieces = self._receive(route, body, query, content)
            async for piece in pieces:
                found += piece
                if len(found) > MAX_REPLY:
                    await pieces.aclose()
                    raise TooLarge("the message is too large", found=f"over {MAX_REPLY} bytes")
        return bytes(found)

    async def token(self, route: Route) -> str:
        """As `Peers.token`."""
        deadline = _now() + PATIENCE
        pause = FIRST_PAUSE
        with told(self.refused):
            while True:
                try:
                    return await self._token(route)
                except Lost as lost:
                    await _rest(route, deadline, pause, lost)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def receive(
        self, route: Route, *, query: str = "", fields: Mapping[str, str] | None = None
    ) -> AsyncGenerator[bytes, None]:
        """As `Peers.receive`."""
        pieces = self._receive(route, b"", query, fields or {})
        try:
            with told(self.refused):
                async for piece in pieces:
                    yield piece
        finally:
            await pieces.aclose()

    async def _receive(
        self, route: Route, body: bytes, query: str, fields: Mapping[str, str]
    ) -> AsyncGenerator[bytes, None]:
        """An answer as it comes; until it begins, a store that is away is tried again."""
        deadline = _now() + PATIENCE
        pause = FIRST_PAUSE
        target = f"{route.path}?{query}" if query else route.path
        refused = False
        while True:
            begun = False
            try:
                token = await self._token(route)
                async with _asked(self._peers, route, target, token, body, fields) as answer:
                    status = answer.status
                    if 200 <= status < 300:
                        async for piece in answer.pieces():
                            begun = True
                            yield piece
                        return
                    reply = Reply(status, await answer.whole())
            except Lost as lost:
                if begun:
                    raise Unavailable(f"{route.target} broke off", remedy="Read it again") from lost
                await _rest(route, deadline, pause, lost)
            else:
                if reply.status == 401 and not refused:
                    refused = True
                    self._peers.forget(route, token)
                    continue
                if reply.status not in HEALING:
                    raise refusal(route, reply)
                await _rest(route, deadline, pause, None)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _token(self, route: Route) -> str:
        kept = self._peers.kept(route)
        if kept is not None:
            return kept
        ask = self._peers.token_request(route)
        content = {"Content-Type": JSON}
        key = self._peers.key
        async with _asked(self._peers, TOKEN, TOKEN.path, key, ask, content) as answer:
            reply = Reply(answer.status, await answer.whole())
        return self._peers.keep(route, reply)


class _Answer:
    """An answer that is being read."""

    def __init__(self, reader: asyncio.StreamReader, head: heads.Head) -> None:
        self._reader = reader
        self._length = heads.body_length(head, 4 * 1024**3)
        self.status = heads.number(head.start[1], 10, 999)

    async def whole(self) -> bytes:
        """Its body, up to 2 MiB of it."""
        found = bytearray()
        async for piece in self.pieces():
            found += piece
            if len(found) > MAX_REPLY:
                break
        return bytes(found)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Its body as it comes."""
        try:
            if self._length is None:
                while piece := await _in_time(self._chunk()):
                    yield piece
                return
            left = self._length
            while left:
                piece = await _in_time(self._reader.read(min(left, 65_536)))
                if not piece:
                    raise ConnectionError("the connection closed within a message")
                left -= len(piece)
                yield piece
        except _BROKEN as error:
            raise Lost(sent=True) from error

    async def _chunk(self) -> bytes:
        line = (await self._reader.readuntil(b"\r\n"))[:-2].decode("latin-1")
        size = heads.number(line.partition(";")[0].strip(), 16, MOST_OF_A_CHUNK)
        if size:
            return (await self._reader.readexactly(size + 2))[:-2]
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers say nothing that we use
        return b""


# What a request is made of.
@asynccontextmanager
async def _asked(  # noqa: PLR0913, PLR0917 - the parts of a request
    peers: Peers,
    route: Route,
    target: str,
    credential: str,
    body: bytes,
    fields: Mapping[str, str],
) -> AsyncIterator[_Answer]:
    """Send a request on a connection of its own and read the answer's head."""
    named = {"Host": route.target, "X-Api-Key": credential, "Connection": "close", **fields}
    if body or route.method == "POST":
        named["Content-Length"] = str(len(body))
    try:
        reader, writer = await asyncio.open_unix_connection(
            peers.socket(route.target), limit=heads.MAX_HEAD
        )
    except FileNotFoundError as error:
        raise peers.unreachable(route.target) from error
    except OSError as error:
        raise Lost(sent=False) from error
    try:
        try:
            writer.write(head_of(route.method, target, named) + body)
            await writer.drain()
            text = await _in_time(reader.readuntil(heads.END))
        except asyncio.LimitOverrunError as error:
            raise BadRequest("the head is too long", code="http") from error
        except _BROKEN as error:
            raise Lost(sent=True) from error
        yield _Answer(reader, heads.parse(text[:-4]))
    finally:
        writer.close()


async def _in_time(waited: Coroutine[Any, Any, bytes]) -> bytes:
    async with asyncio.timeout(SECONDS):
        return await waited


async def _rest(route: Route, deadline: float, pause: float, lost: Lost | None) -> None:
    if _now() + pause > deadline:
        raise Unavailable(
            f"{route.target} does not answer", found="no connection", remedy="Try again later"
        ) from lost
    await asyncio.sleep(pause)


def _now() -> float:
    return asyncio.get_running_loop().time()
