"""Bytes in, whole requests out, within bounds; no socket and no clock.

httptools (llhttp in its strict mode) refuses what servers and proxies have been made to disagree
about: bare LF, folded headers, NUL, repeated or odd Content-Length, Content-Length beside
Transfer-Encoding, malformed chunks. What it lets through, and one of us could read differently, is
refused here: a transfer coding other than `chunked`, repeated single headers, a missing or second
Host, HTTP versions that are not 1.x, and a body on a request to change protocols.

Source: RFC 9110, RFC 9112.
"""

from collections.abc import Callable

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
)

from databox.kit.http.incoming import BodyLost, Incoming
from databox.kit.http.limits import Limits
from databox.kit.http.message import Kind, Request, Response
from databox.kit.http.render import not_http, refusal
from databox.kit.http.target import split_target
from databox.wire.errors import BadRequest, DataboxError, TooLarge

_LISTS = frozenset(
    (
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "connection",
        "forwarded",
        "if-match",
        "if-none-match",
        "pragma",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "te",
        "trailer",
        "via",
        "x-forwarded-for",
    )
)
"""Headers that may be repeated, because their values are lists."""

_COMMON = {
    spelling.encode(): name
    for name in ("accept", "authorization", "content-length", "content-type", "host", "x-api-key")
    for spelling in (name, name.title())
}
"""Names as most clients spell them; a look-up costs less than making the lower case."""

_STEPS = 3
"""By how much `progress` grows over one request: its first byte, its head, its end."""
_KNOWN = 8
_MAX_KNOWN = 2048
"""How many heads a connection remembers, and how long they may be."""
_Head = tuple[str, str, str, dict[str, str], str, str]
"""Method, path, query, headers, target and version."""
_HEAD_END = b"\r\n\r\n"


class Refused(Exception):
    """A request that ends its connection; `response` says why.

    `error`: the same for who reads a body as it comes.
    """

    def __init__(self, response: Response, error: DataboxError | None = None) -> None:
        super().__init__(response.status)
        self.response = response
        self.error = error or BodyLost("The peer's body broke off or is malformed", field="body")


class RequestReader:
    """Reads the requests of one connection.

    Args:
        on_head: Called with a request whose head is complete; gives the largest body, bytes, and
            is the place to refuse early, and to give the request a `stream`.
        on_request: Called with each complete request, and whether the peer keeps the connection.
            One with a `stream` is handed over before its body, which the stream then brings.

    `in_head` and `in_body` tell what of a request is still missing; `progress` changes whenever
    that changes, so that a deadline can be set once for each part.
    """

    __slots__ = (
        "_at_start",
        "_keeps",
        "_known",
        "_last_head",
        "_limits",
        "_max_body",
        "_on_head",
        "_on_request",
        "_overhead",
        "_pairs",
        "_parser",
        "_parts",
        "_request",
        "_size",
        "_stream",
        "_streamed",
        "_target",
        "caller",
        "in_body",
        "in_head",
        "kind",
        "progress",
        "upgrading",
    )

    def __init__(
        self,
        limits: Limits,
        on_head: Callable[[Request], int],
        on_request: Callable[[Request, bool], None],
        *,
        caller: str = "",
        kind: Kind = "plain",
    ) -> None:
        self.caller = caller
        self.kind: Kind = kind
        self.in_head = False
        self.in_body = False
        self.upgrading = False
        self.progress = 0
        self._parts: list[bytes] = []
        self._limits = limits
        self._on_head = on_head
        self._on_request = on_request
        self._parser = HttpRequestParser(self)
        self._target = b""
        self._pairs: list[tuple[bytes, bytes]] = []
        self._size = self._overhead = self._max_body = 0
        self._request: Request | None = None
        self._stream: Incoming | None = None
        self._keeps = False
        self._at_start = True
        self._known: dict[bytes, tuple[_Head, int]] = {}
        self._streamed = False
        self._last_head: _Head = ("", "", "", {}, "", "")

    def feed(self, data: bytes) -> bytes | None:
        """Take what arrived, any part of a request or several.

        Returns None, or, after a request that asks for another protocol, the bytes behind it.

        Raises:
            Refused: The connection cannot go on; nothing further may be fed.
        """
        was_at_start, progress = self._at_start, self.progress
        if was_at_start and self._read_known(data):
            return None
        unfinished = self._request if self.in_body else self._pairs if self.in_head else None
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            return data[upgrade.args[0] :]
        except HttpParserCallbackError as error:
            cause = error.__context__
            if isinstance(cause, Refused):
                raise cause from None
            if isinstance(cause, DataboxError):
                raise Refused(refusal(cause)) from None
            raise
        except HttpParserError as error:
            raise Refused(not_http(str(error))) from None
        if unfinished is not None:
            self._bound_unseen(unfinished, len(data))
        self._at_start = not (self.in_head or self.in_body)
        if self._at_start:
            one = was_at_start and self.progress == progress + _STEPS
            # No request can have begun behind an empty line.
            self._at_start = (one and self._remember(data)) or data.endswith(_HEAD_END)
        return None

    def _remember(self, data: bytes) -> bool:
        """Keep the head that these bytes, which hold one whole request, were read with.

        The same bytes from the same state are the same request. Callers that poll send nothing
        else, those that write change the body alone, and parsing costs more than all else we do
        for them. What is kept goes with the connection, since it has the caller's token in it.

        Returns:
            Whether the request ends where these bytes end, so that the parser is where it was at
            first.
        """
        size = data.find(_HEAD_END) + len(_HEAD_END)
        framed = not self._size or "content-length" in self._last_head[3]
        if not framed or len(data) != size + self._size:
            return False
        if self._keeps and size <= _MAX_KNOWN and not (self._size and self._streamed):
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[data[:size]] = (self._last_head, self._size)
        return True

    def _read_known(self, data: bytes) -> bool:
        """Read these bytes if they are one whole request with a head that is known."""
        size = data.find(_HEAD_END, 0, _MAX_KNOWN) + len(_HEAD_END)
        known = self._known.get(data[:size])
        if known is None or len(data) != size + known[1]:
            return False
        method, path, query, headers, target, version = known[0]
        self.progress += _STEPS
        request = Request(
            method,
            path,
            query,
            headers.copy(),
            target,
            data[size:],
            self.caller,
            self.kind,
            version=version,
        )
        self._max_body = self._on_head(request)
        if known[1] > self._max_body:
            raise self._body_too_large()
        if request.stream is not None:
            request.stream.end()
        self._on_request(request, True)
        return True

    def _bound_unseen(self, unfinished: object, arrived: int) -> None:
        """Count bytes the parser holds back: a header without end, chunk extensions, trailers."""
        if self.in_head and unfinished is self._pairs:
            self._overhead += arrived
            if self._overhead > 2 * self._limits.head + self._limits.target:
                raise _head_too_large(self._limits.head)
        elif self.in_body and unfinished is self._request:
            self._overhead += arrived
            # Six bytes frame a chunk of one.
            if self._overhead > 6 * self._size + self._limits.head:
                raise Refused(not_http("chunks with more framing than content"))

    # httptools calls the following by these names.

    def on_url(self, part: bytes) -> None:
        """A part of the request target."""
        if self.in_head:
            self._target += part
        else:
            self.in_head = True
            self.progress += 1
            self._target = part
            self._pairs = []
            self._overhead = 0
        if len(self._target) > self._limits.target:
            error = TooLarge(
                f"The request target is longer than {self._limits.target} bytes",
                code="target-too-long",
                field="target",
            )
            raise Refused(refusal(error, 414))

    def on_header(self, raw: bytes, value: bytes) -> None:
        """One header line, or a trailer behind a chunked body, which is dropped."""
        if self.in_head:
            self._pairs.append((raw, value))
            if len(self._pairs) > self._limits.headers:
                raise _head_too_large(self._limits.head)

    def on_headers_complete(self) -> None:
        """The head is complete: check its framing, and ask what body it may have."""
        parser = self._parser
        headers = _read_headers(self._pairs, self._limits.head)
        path, query = split_target(self._target)
        version = parser.get_http_version()
        if version != "1.1" or "host" not in headers or "transfer-encoding" in headers:
            _check_unusual(version, headers)
        method, target = parser.get_method().decode("ascii"), self._target.decode("ascii")
        self._last_head = (method, path, query, headers, target, version)
        request = Request(
            method,
            path,
            query,
            headers.copy(),
            target,
            b"",
            self.caller,
            self.kind,
            version=version,
        )
        self.progress += 1
        self.upgrading = parser.should_upgrade()
        self.in_head = False
        self.in_body = True
        self._request = request
        self._size = self._overhead = 0
        self._max_body = self._on_head(request)
        if "content-length" in headers and int(headers["content-length"]) > self._max_body:
            raise self._body_too_large()
        if self.upgrading and (
            headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        ):
            # The parser takes such a body for the next protocol's bytes.
            raise Refused(not_http("a body on a request to change protocols"))
        self._streamed = request.stream is not None
        if request.stream is not None:
            self._stream = request.stream
            self._keeps = parser.should_keep_alive() and not self.upgrading
            self._on_request(request, self._keeps)

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self._size += len(part)
        if self._size > self._max_body:
            raise self._body_too_large()
        if self._stream is not None:
            self._stream.put(part)
        else:
            self._parts.append(part)

    def on_message_complete(self) -> None:
        """The request is complete."""
        request = self._request
        assert request is not None
        self.in_body = False
        self.progress += 1
        self._request = None
        if self._stream is not None:
            self._stream.end()
            self._stream = None
            return
        if self._parts:
            request.body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts = []
        self._keeps = self._parser.should_keep_alive() and not self.upgrading
        self._on_request(request, self._keeps)

    def _body_too_large(self) -> Refused:
        error = TooLarge(
            f"The body is larger than {self._max_body} bytes",
            field="body",
            found=f"more than {self._max_body} bytes",
            remedy="Send less at once",
        )
        return Refused(refusal(error), error)


def _read_headers(pairs: list[tuple[bytes, bytes]], most: int) -> dict[str, str]:
    """Names in lower case to values; `most` bounds their bytes together."""
    headers: dict[str, str] = {}
    size = 0
    for raw, value in pairs:
        size += len(raw) + len(value)
        name = _COMMON.get(raw) or raw.lower().decode("ascii")
        text = value.decode("latin-1").strip(" \t")
        if name in headers:
            if name not in _LISTS:
                raise Refused(refusal(BadRequest("A header came twice", field=name)))
            text = f"{headers[name]}, {text}"
        headers[name] = text
    if size > most:
        raise _head_too_large(most)
    return headers


def _check_unusual(version: str, headers: dict[str, str]) -> None:
    if version not in ("1.0", "1.1"):
        error = BadRequest("This server speaks HTTP/1.1", field="version", found=version)
        raise Refused(refusal(error, 505))
    if version == "1.1" and "host" not in headers:
        raise Refused(refusal(BadRequest("The Host header is missing", field="host")))
    coding = headers.get("transfer-encoding")
    if coding is not None and (coding.lower() != "chunked" or version == "1.0"):
        error = BadRequest(
            "The only transfer coding here is chunked", field="transfer-encoding", found=coding
        )
        raise Refused(refusal(error, 501))


def _head_too_large(limit: int) -> Refused:
    error = TooLarge(
        f"The headers are too many or larger than {limit} bytes",
        code="headers-too-large",
        field="headers",
    )
    return Refused(refusal(error, 431))
