"""What a handler receives and what it may give back.

Request and Response are msgspec structs only because those are made several times faster than
dataclasses, and one of each is made for every request.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from databox.kit.http.incoming import Incoming
from databox.kit.http.target import parameters
from databox.kit.http.websocket import WebSocket
from databox.wire.errors import DataboxError

Kind = Literal["plain", "tls", "outer"]
"""How a request came: over a pair's socket, over a pair's TLS, or through an outer port."""


class Request(msgspec.Struct):
    """One request, complete, but for a body that is still to come where the route streams it.

    Args:
        method: As sent. A route for GET also receives HEAD; the answer's body is then left out.
        path: Percent-decoded, without the query. `%2F` stays as it is, so that a slash in `path`
            is always a slash that was sent.
        query: As sent, without the question mark.
        headers: Names in lower case. Repeated list headers are joined by a comma; a repeat of a
            header that has one value was refused.
        target: Path and query exactly as sent, for those who pass a request on.
        body: Whole; `b""` when there was none, or it comes as `stream`. Also on GET.
        caller: Who is known to be on the other end of this listener; "" on an outer port.
        kind: How the request came.
        args: What the route's placeholders stood for.
        token: Set by the guard, and by nothing else.
        version: "1.1" or "1.0".
        stream: The body as it comes, on a route that streams it, else None.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    target: str
    body: bytes = b""
    caller: str = ""
    kind: Kind = "plain"
    args: Mapping[str, str] = {}
    token: Any = None
    version: str = "1.1"
    stream: Incoming | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """The query's parameters, decoded.

        Raises:
            BadRequest: A parameter came twice or is not well formed.
        """
        return parameters(self.query)

    @property
    def wants_websocket(self) -> bool:
        """Whether the peer asks to change to the WebSocket protocol."""
        return self.headers.get("upgrade", "").lower() == "websocket"


class Response(msgspec.Struct, frozen=True):
    """A whole answer. From the client, `headers` has every header, names in lower case."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    def header(self, name: str) -> str | None:
        """The first value of the header called `name` (lower case), if there is one."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer sent as it is made, waiting whenever the peer does not keep up.

    When the peer goes away, the iterator is cancelled where it waits. `length`: bytes, where it is
    known beforehand; an answer that turns out shorter or longer is cut off.
    """

    status: int
    content_type: str
    chunks: AsyncIterator[bytes]
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None

    def header(self, name: str) -> str | None:
        """The first value of the header called `name` (lower case), if there is one."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    async def close(self) -> None:
        """Let go what the chunks are made of."""
        close = getattr(self.chunks, "aclose", None)
        if close is not None:
            await close()


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Change to a WebSocket; `accept` has the connection until it returns.

    `accept` is not cancelled when the peer leaves: `WebSocket.receive` then gives None.
    """

    accept: Callable[[WebSocket], Awaitable[None]]
    headers: tuple[tuple[str, str], ...] = ()


class Shared(asyncio.Future[None]):
    """A future that many wait for: one of them giving up must not end it for the others.

    Those who gave a function to `when_done` are told in one turn of the loop.
    """

    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._told: list[Callable[[], None]] = []

    def cancel(self, msg: Any | None = None) -> bool:
        """Stay as it is; who gives up hears of it all the same."""
        return False

    def when_done(self, tell: Callable[[], None]) -> None:
        """Call `tell` once this is done, which costs less than a callback for each."""
        if not self._told:
            self.add_done_callback(self._tell)
        self._told.append(tell)

    def _tell(self, _: object) -> None:
        told, self._told = self._told, []
        for tell in told:
            try:
                tell()
            except Exception as error:  # noqa: BLE001  one of many: the others must hear of it
                context = {"message": "telling of the end failed", "exception": error}
                self.get_loop().call_exception_handler(context)


class Held:
    """An answer that may be sent once `until` is done: waited for without a task.

    `answer`: what is ready, or makes it then. `failed` makes the answer instead when either ends
    with an error of ours. Many may share one `until`.
    """

    __slots__ = ("_answer", "_failed", "until")

    def __init__(
        self,
        answer: Response | Callable[[], Response],
        until: Shared,
        failed: Callable[[DataboxError], Response],
    ) -> None:
        self._answer = answer
        self._failed = failed
        self.until = until

    def settled(self) -> Response:
        """The answer, now that `until` is done.

        Raises:
            BaseException: `until` ended with an error that is not ours.
        """
        try:
            self.until.result()
            return self._answer if isinstance(self._answer, Response) else self._answer()
        except DataboxError as error:
            return self._failed(error)

    def __await__(self) -> Generator[Any, None, Response]:
        if not self.until.done():
            with suppress(DataboxError):
                yield from self.until
        return self.settled()


Answer = Response | Stream | Upgrade
Handler = Callable[[Request], Answer | Awaitable[Answer]]
