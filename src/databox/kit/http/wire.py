"""The client's end of a connection: bytes out as they are made, bytes in to one reader."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from typing import cast

from databox.kit.http.answers import Garbled, ResponseReader, StreamReader
from databox.kit.http.limits import Limits
from databox.kit.http.message import Response
from databox.kit.http.websocket import CLIENT, WebSocket
from databox.wire.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body, sent as it is made. `length`: bytes, None where that is not known."""

    parts: AsyncIterable[bytes]
    length: int | None = None


class PartsFailed(Exception):
    """The body to be sent could not be made: `error` is not the peer's doing."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


Finish = Callable[[bool], None]


class Wire(asyncio.Protocol):
    """The bytes of a connection: one reader at a time is fed what comes."""

    def __init__(self) -> None:
        self.lost = False
        self.transport: asyncio.Transport
        self._reader: ResponseReader | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._sending: asyncio.Task[None] | None = None
        self._finish: Finish | None = None
        self._writable: asyncio.Event = asyncio.Event()
        self._writable.set()

    async def exchange(self, sent: bytes, reader: ResponseReader) -> Response:
        """Write a request and wait for its answer.

        Raises:
            Garbled: The answer breaks the protocol or a bound.
            ConnectionError: The connection ended before an answer began.
        """
        if self.lost:
            raise ConnectionResetError("the connection had ended")
        self._reader = reader
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(sent)
        try:
            return await self._answer
        finally:
            self._reader = self._answer = None

    async def stream(
        self, head: bytes, body: Body | None, reader: StreamReader, finish: Finish, seconds: float
    ) -> Response:
        """Write a request as its body is made, and give its answer's head.

        `finish` is called once the rest has come, with whether the connection can go on.

        Raises:
            Garbled, ConnectionError: As for `exchange`.
            TimeoutError: The peer takes nothing, or does not answer.
            PartsFailed: The body could not be made.
        """
        if self.lost:
            raise ConnectionResetError("the connection had ended")
        self._reader, self._finish = reader, finish
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self.transport.write(head)
        try:
            if body is not None:
                await self._send_until(answer, body, seconds)
            async with asyncio.timeout(seconds):
                return await answer
        except BaseException:
            self._reader = self._answer = self._finish = None
            raise

    async def _send_until(
        self, answer: "asyncio.Future[Response]", body: Body, seconds: float
    ) -> None:
        """Send a body, or as much of it as there is time for before the answer comes."""
        sending = self._sending = asyncio.ensure_future(self._send(body, seconds))
        try:
            await asyncio.wait((sending, answer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
        if not answer.done():
            await sending
        elif sending.done():
            # Looked at, so that nobody misses it; the answer says more.
            sending.exception()

    async def _send(self, body: Body, seconds: float) -> None:
        parts, left = aiter(body.parts), body.length
        while (part := await _next(parts)) is not None:
            if left is not None:
                left -= len(part)
            if left is not None and left < 0:
                raise PartsFailed(ValueError("the body is longer than it said"))
            if part:
                chunk = part if left is not None else b"%x\r\n%b\r\n" % (len(part), part)
                self.transport.write(chunk)
            async with asyncio.timeout(seconds):
                await self._writable.wait()
            if self.lost:
                raise ConnectionResetError("the peer closed the connection")
        if left:
            raise PartsFailed(ValueError("the body is shorter than it said"))
        if left is None:
            self.transport.write(b"0\r\n\r\n")

    def change(self, limits: Limits, rest: bytes) -> WebSocket:
        """Hand the transport to a WebSocket; `rest` came behind the answer."""
        websocket = WebSocket(self.transport, limits, CLIENT, lambda: None)
        self.transport.set_protocol(websocket)
        if rest:
            websocket.data_received(rest)
        self.transport.resume_reading()
        return websocket

    # The transport calls the following by these names.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection can be used."""
        # uvloop's transports have the methods of asyncio.Transport without being one.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Bytes came; without a request in flight nobody asked for them."""
        reader, answer = self._reader, self._answer
        streamed = isinstance(reader, StreamReader)
        if reader is None or answer is None or (answer.done() and not streamed):
            self.transport.abort()
            return
        try:
            response = reader.feed(data)
        except Garbled as error:
            self._break(answer, reader, error)
            return
        if response is not None and not answer.done():
            if response.status == 101:
                self.transport.pause_reading()
            answer.set_result(response)
        if isinstance(reader, StreamReader) and reader.is_over:
            self._over(reader.keeps)

    def pause_writing(self) -> None:
        """The peer does not keep up."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection has ended."""
        self.lost = True
        self._writable.set()
        reader, answer = self._reader, self._answer
        streamed = isinstance(reader, StreamReader)
        if reader is None or answer is None or (answer.done() and not streamed):
            return
        try:
            response = reader.feed_end(broken=error is not None)
        except Garbled as garbled:
            self._break(answer, reader, garbled)
            return
        if response is None:
            answer.set_exception(ConnectionResetError("the peer closed the connection"))
        elif not answer.done():
            answer.set_result(response)
        if streamed:
            self._over(False)

    def _break(
        self, answer: "asyncio.Future[Response]", reader: ResponseReader, error: Garbled
    ) -> None:
        if not answer.done():
            answer.set_exception(error)
        if isinstance(reader, StreamReader):
            reader.fail(garbled(error))
            self._over(False)

    def _over(self, keeps: bool) -> None:
        """A streamed answer has come, or will come no further."""
        sent = self._sending is None or self._sending.done()
        finish, self._finish = self._finish, None
        self._reader = self._answer = self._sending = None
        if finish is not None:
            finish(keeps and sent)


async def _next(parts: AsyncIterator[bytes]) -> bytes | None:
    try:
        return await anext(parts, None)
    except Exception as error:
        raise PartsFailed(error) from error


def garbled(error: Garbled) -> Unavailable:
    """How whoever asked is told that an answer breaks the protocol."""
    return Unavailable("The peer's answer cannot be read", code="peer-garbled", found=str(error))
