"""A body as it comes: bytes between a connection and the one who reads them, in bounded memory."""

import asyncio
from collections.abc import Callable
from typing import Self

from databox.wire.errors import BadRequest, DataboxError, Unavailable

ROOM = 256 * 1024
"""Bytes that may wait for the reader before no more is taken from the peer."""
_PART = 64
"""What keeping a part costs beside its bytes: parts of one byte must not be free."""


class BodyLost(BadRequest):
    """The peer left, or broke the protocol, before its body was complete."""

    code = "body-lost"


class BodySlow(BadRequest):
    """The peer sent its body too slowly, or stopped."""

    status = 408
    code = "timeout"


class Incoming:
    """The parts of one body, in order, each given once to one reader.

    Nothing is taken from the peer before the reader first asks, and no more than `ROOM` beyond what
    it took. What arrived already when the connection is told to stop, one read of the socket, comes
    on top.

    Args:
        pace: Called with whether the peer should go on sending.
        wanted: Called when the reader first asks.
        given_up: Called when the reader closes before the end.
        patience: Longest wait for the next part, seconds; None where somebody else looks after it.
    """

    __slots__ = (
        "_error",
        "_given_up",
        "_pace",
        "_parts",
        "_patience",
        "_size",
        "_waiting",
        "_wanted",
        "asked",
        "complete",
        "is_full",
        "received",
    )

    def __init__(
        self,
        pace: Callable[[bool], None],
        *,
        wanted: Callable[[], None] | None = None,
        given_up: Callable[[], None] | None = None,
        patience: float | None = None,
    ) -> None:
        self.asked = False
        self.complete = False
        self.is_full = False
        self.received = 0
        self._pace = pace
        self._wanted = wanted
        self._given_up = given_up
        self._patience = patience
        self._parts: list[bytes] = []
        self._size = 0
        self._error: DataboxError | None = None
        self._waiting: asyncio.Future[None] | None = None

    # The connection's side.

    def put(self, part: bytes) -> None:
        """A part came."""
        self._parts.append(part)
        self.received += len(part)
        self._size += len(part) + _PART
        if not self.is_full and self._size > (ROOM if self.asked else 0):
            self.is_full = True
            self._pace(False)
        self._wake()

    def end(self) -> None:
        """That was the last part."""
        self.complete = True
        self._go_on()
        self._wake()

    def fail(self, error: DataboxError) -> None:
        """There will be no more; the reader is told so in place of the part it asks for next."""
        if not self.complete and self._error is None:
            self._error = error
            self._parts.clear()
            self._wake()

    # The reader's side.

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """All that waits; the end of the iteration is the end of the body.

        Raises:
            BodyLost: The peer left or broke the protocol.
            BodySlow: It sent too slowly.
            TooLarge: It sent more than it may.
            Unavailable: Nothing came for too long.
        """
        if not self.asked:
            self._ask()
        while not self._parts:
            if self._error is not None:
                raise self._error
            if self.complete:
                raise StopAsyncIteration
            await self._wait()
        parts, self._parts, self._size = self._parts, [], 0
        self._go_on()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def aclose(self) -> None:
        """Read no further."""
        if not self.complete and self._error is None and self._given_up is not None:
            self._given_up()

    def _ask(self) -> None:
        self.asked = True
        if self._wanted is not None:
            self._wanted()
        if self._size <= ROOM:
            self._go_on()

    def _go_on(self) -> None:
        if self.is_full:
            self.is_full = False
            self._pace(True)

    async def _wait(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._patience):
                await self._waiting
        except TimeoutError as error:
            await self.aclose()
            raise Unavailable(
                f"The peer sent nothing for {self._patience:g} seconds", code="peer-timeout"
            ) from error
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
