"""The client's side: requests and WebSockets on a socket that somebody else connected."""

import asyncio
import base64
import secrets
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from socket import AF_UNIX, socket

import msgspec

from databox.kit.http.answers import Garbled, ResponseReader, StreamReader
from databox.kit.http.handshake import accept_key
from databox.kit.http.incoming import Incoming
from databox.kit.http.limits import Limits
from databox.kit.http.message import Response, Stream
from databox.kit.http.render import render_request
from databox.kit.http.websocket import WebSocket
from databox.kit.http.wire import Body, PartsFailed, Wire, garbled
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
        self._wire: Wire | None = None
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

    async def stream(  # noqa: PLR0913  the parts of a request
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Body | None = None,
        *,
        timeout: float = 30.0,  # noqa: ASYNC109  each call has its own bound
        over: Callable[["Connection"], None] = lambda _: None,
    ) -> Stream:
        """Send one request, its body as it is made, and give the answer as it comes.

        `timeout`: seconds that the peer may take nothing of the body, make us wait for the head of
        its answer, or send nothing of the rest. An answer that comes before the body is sent ends
        the sending. The answer's `chunks` must be read to their end or closed; `over` is called
        when they have come and this connection can carry another request.

        Raises:
            PeerLost: The connection ended before an answer began.
            PeerUntrusted: The certificate is not the one expected.
            Unavailable: No answer in time, or one that is malformed or, from its chunks, cut short.
            ValueError: The method, path or a header would break the request's head, or the body is
                not as long as it said.
            Exception: Whatever the body's parts raise.
        """
        whole, parts = (None, body) if isinstance(body, Body) else (body, None)
        length = None if parts is None else -1 if parts.length is None else parts.length
        named = {"Host": self._host, **(headers or {})}
        head = render_request(method, path, named, whole, length=length)
        chunks = Incoming(self._set_pace, given_up=self.close, patience=timeout)
        reader = StreamReader(chunks, to_head=method == "HEAD")

        def finish(keeps: bool) -> None:
            self._busy = False
            if keeps:
                over(self)
            else:
                self.close()

        with self._asking(timeout):
            async with asyncio.timeout(timeout):
                wire = self._wire or await self._open()
            answer = await wire.stream(head, parts, reader, finish, timeout)
        return Stream(answer.status, answer.content_type, chunks, answer.headers, reader.length)

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
        with self._asking(seconds):
            async with asyncio.timeout(seconds):
                wire = self._wire or await self._open()
                response = await wire.exchange(sent, reader)
        self._busy = False
        if not reader.keeps:
            self.close()
        return response

    @contextmanager
    def _asking(self, seconds: float) -> Iterator[None]:
        """A request goes on; if anything goes wrong with it, the connection ends."""
        if not self.usable:
            raise PeerLost("This connection is closed or busy")
        self._busy = True
        try:
            with _explained(seconds):
                yield
        except BaseException:
            self._busy = False
            self.close()
            raise

    def _set_pace(self, go_on: bool) -> None:
        transport = self._wire.transport if self._wire else None
        if transport is None or transport.is_closing():
            return
        if go_on:
            transport.resume_reading()
        else:
            transport.pause_reading()

    async def _open(self) -> Wire:
        connected, self._socket = self._socket, None
        assert connected is not None
        connected.setblocking(False)
        loop = asyncio.get_running_loop()
        unix = connected.family == AF_UNIX
        make = loop.create_unix_connection if unix else loop.create_connection
        name = (self._server_hostname or self._host) if self._ssl_context else None
        try:
            _, self._wire = await make(
                Wire, sock=connected, ssl=self._ssl_context, server_hostname=name
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


@contextmanager
def _explained(seconds: float) -> Iterator[None]:
    """Say what went wrong in words for whoever made the request."""
    try:
        yield
    except PartsFailed as failed:
        raise failed.error from None
    except TimeoutError as error:
        raise Unavailable(
            f"The peer did not answer within {seconds:g} seconds", code="peer-timeout"
        ) from error
    except Garbled as error:
        raise garbled(error) from error
    except OSError as error:
        raise PeerLost("The peer closed the connection") from error
