"""The client's side: requests and WebSockets on a socket that somebody else connected."""

import asyncio
import base64
import secrets
import ssl
from collections.abc import Mapping
from socket import AF_UNIX, socket
from typing import cast

import msgspec

from databox.kit.http.answers import Garbled, ResponseReader
from databox.kit.http.handshake import accept_key
from databox.kit.http.limits import Limits
from databox.kit.http.message import Response
from databox.kit.http.render import render_request
from databox.kit.http.websocket import CLIENT, WebSocket
from databox.wire.errors import DataboxError, Unavailable, from_json

MAX_BODY = 16 * 1024 * 1024
"""Largest answer taken where the caller names no bound, bytes."""


class PeerLost(Unavailable):
    """The peer closed before a byte of its answer came, as it may on a kept-alive connection.

    The request may have been read all the same: repeat it only if doing it twice does no harm.
    """

    code = "peer-lost"


class PeerUntrusted(Unavailable):
    """The TLS handshake failed, mostly for its certificate; nothing of the request was sent."""

    code = "peer-tls"


class Connection:
    """One connection to a peer, one request at a time, kept alive between them.

    After an error, a timeout or a cancelled request `usable` is false, since what the peer still
    sends could be taken for the answer to the next request.

    Args:
        connected: A connected stream socket, ours from now on.
        host: The `Host` header.
        ssl_context: Speak TLS; `server_hostname` is then the name the certificate must have.
    """

    def __init__(
        self,
        connected: socket,
        *,
        host: str = "localhost",
        ssl_context: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
    ) -> None:
        self._socket: socket | None = connected
        self._host = host
        self._ssl_context = ssl_context
        self._server_hostname = server_hostname
        self._wire: _Wire | None = None
        self._busy = False
        self._closed = False

    @property
    def has_sent(self) -> bool:
        """Whether any byte of a request may have reached the peer."""
        return self._wire is not None

    @property
    def usable(self) -> bool:
        """Whether another request can be tried on this connection."""
        gone = self._wire is not None and self._wire.lost
        return not (self._closed or self._busy or gone)

    async def request(  # noqa: PLR0913  the parts of a request
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        timeout: float = 30.0,  # noqa: ASYNC109  each call has its own bound
        max_body: int = MAX_BODY,
        cut: bool = False,
    ) -> Response:
        """Send one request and give the whole answer, whatever its status; `timeout` in seconds.

        `cut`: of a body that is larger than `max_body` give that much, instead of refusing it.

        Raises:
            PeerLost: The connection ended before an answer began.
            PeerUntrusted: The certificate is not the one expected.
            Unavailable: No answer in time, or one that is cut short, malformed or too large.
            ValueError: The method, path or a header would break the request's head.
        """
        head = render_request(method, path, {"Host": self._host, **(headers or {})}, body)
        reader = ResponseReader(max_body, to_head=method == "HEAD", cut=cut)
        return await self._exchange(head, reader, timeout)

    async def websocket(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        timeout: float = 30.0,  # noqa: ASYNC109  each call has its own bound
        limits: Limits | None = None,
    ) -> WebSocket:
        """Change this connection to a WebSocket, which has it from then on.

        Raises:
            PeerLost: The connection ended before an answer began.
            DataboxError: The peer refused; the kind follows its status.
        """
        key = base64.b64encode(secrets.token_bytes(16)).decode("ascii")
        opening = {
            "Host": self._host,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
            **(headers or {}),
        }
        reader = ResponseReader(MAX_BODY, may_change=True)
        answer = await self._exchange(render_request("GET", path, opening, None), reader, timeout)
        if answer.status != 101:
            raise error_of(answer)
        if answer.header("sec-websocket-accept") != accept_key(key):
            self.close()
            raise Unavailable("The peer did not answer this opening", code="peer-garbled")
        assert self._wire is not None
        self._closed = True
        return self._wire.change(limits or Limits(), reader.rest)

    def close(self) -> None:
        """End the connection."""
        self._closed = True
        if self._wire is not None:
            self._wire.transport.abort()
        elif self._socket is not None:
            self._socket.close()
        self._socket = None

    async def _exchange(self, sent: bytes, reader: ResponseReader, seconds: float) -> Response:
        if not self.usable:
            raise PeerLost("This connection is closed or busy")
        self._busy = True
        done = False
        try:
            async with asyncio.timeout(seconds):
                wire = self._wire or await self._open()
                response = await wire.exchange(sent, reader)
            done = reader.keeps
            return response
        except TimeoutError as error:
            raise Unavailable(
                f"The peer did not answer within {seconds:g} seconds", code="peer-timeout"
            ) from error
        except Garbled as error:
            raise Unavailable(
                "The peer's answer cannot be read", code="peer-garbled", found=str(error)
            ) from error
        except OSError as error:
            raise PeerLost("The peer closed the connection") from error
        finally:
            self._busy = False
            if not done:
                self.close()

    async def _open(self) -> "_Wire":
        connected, self._socket = self._socket, None
        assert connected is not None
        connected.setblocking(False)
        loop = asyncio.get_running_loop()
        unix = connected.family == AF_UNIX
        make = loop.create_unix_connection if unix else loop.create_connection
        name = (self._server_hostname or self._host) if self._ssl_context else None
        try:
            _, self._wire = await make(
                _Wire, sock=connected, ssl=self._ssl_context, server_hostname=name
            )
        except ssl.SSLError as error:
            connected.close()
            reason = getattr(error, "verify_message", "") or error.reason
            raise PeerUntrusted("The peer's TLS does not hold", found=reason) from error
        except BaseException:
            connected.close()
            raise
        return self._wire


def error_of(answer: Response) -> DataboxError:
    """The error a peer answered with, to be raised again on our side."""
    try:
        told: object = msgspec.json.decode(answer.body)
    except msgspec.MsgspecError:
        told = None
    return from_json(answer.status, told)


class _Wire(asyncio.Protocol):
    """The bytes of a connection: one reader at a time is fed what comes."""

    def __init__(self) -> None:
        self.lost = False
        self.transport: asyncio.Transport
        self._reader: ResponseReader | None = None
        self._answer: asyncio.Future[Response] | None = None
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
        if reader is None or answer is None or answer.done():
            self.transport.abort()
            return
        try:
            response = reader.feed(data)
        except Garbled as error:
            answer.set_exception(error)
            return
        if response is not None:
            if response.status == 101:
                self.transport.pause_reading()
            answer.set_result(response)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection has ended."""
        self.lost = True
        reader, answer = self._reader, self._answer
        if reader is None or answer is None or answer.done():
            return
        try:
            response = reader.feed_end(broken=error is not None)
        except Garbled as garbled:
            answer.set_exception(garbled)
            return
        if response is not None:
            answer.set_result(response)
        else:
            answer.set_exception(ConnectionResetError("the peer closed the connection"))
