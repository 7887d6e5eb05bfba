"""Answers as bytes, and errors as answers."""

import logging
import re
import secrets
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus

import msgspec

from databox.kit.http.message import Request, Response, Stream
from databox.kit.log import failure
from databox.wire.errors import BadRequest, DataboxError

logger = logging.getLogger(__name__)

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE = b"Connection: close\r\n"
KEEP = b""
_CHUNKED = b"Transfer-Encoding: chunked\r\n"

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TARGET = re.compile(r"/[\x21-\x22\x24-\x7e]*")
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_OURS = _FRAMING | {"connection", "content-type", "date"}
_BODILESS = frozenset({204, 304})


def render(response: Response, date: bytes, connection: bytes, head_only: bool = False) -> bytes:
    """A whole answer as bytes; `date` and `connection` are header lines.

    Raises:
        ValueError: A header would end its line early or is one that only we may set.
    """
    body = response.body
    if response.status in _BODILESS:
        lines = _head(response.status, "") + date + connection + _lines(response.headers)
        return lines + b"\r\n"
    return b"%b%b%b%bContent-Length: %d\r\n\r\n%b" % (
        _head(response.status, response.content_type),
        date,
        connection,
        _lines(response.headers) if response.headers else b"",
        len(body),
        b"" if head_only else body,
    )


def render_head(stream: Stream, date: bytes, connection: bytes, *, chunked: bool) -> bytes:
    """The head of an answer that follows; `chunked` if its length is not known yet.

    Raises:
        ValueError: As for `render`, or an answer of this status has no body.
    """
    if stream.status in _BODILESS:
        raise ValueError(f"an answer of status {stream.status} has no body")
    coding = _CHUNKED if chunked else b""
    if stream.length is not None:
        coding = b"Content-Length: %d\r\n" % stream.length
    head = _head(stream.status, stream.content_type)
    return b"%b%b%b%b%b\r\n" % (head, date, connection, coding, _lines(stream.headers))


def connection_line(request: Request, keep: bool) -> bytes:
    """The header line that says whether the connection is kept, where it needs saying."""
    if not keep:
        return CLOSE
    # Peers of the old version close unless told otherwise.
    return KEEP if request.version == "1.1" else b"Connection: keep-alive\r\n"


def render_opening(accept: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    """The answer that changes the connection to a WebSocket.

    Raises:
        ValueError: As for `render`.
    """
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n%b\r\n" % (accept.encode("ascii"), _lines(headers))
    )


def render_request(
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | None,
    *,
    length: int | None = None,
) -> bytes:
    """A request as bytes: a whole one, or with `body` None the head of one whose body follows.

    `length`: of the body that follows, None for no body, negative where it is not known.

    Raises:
        ValueError: The method, path or a header would break the head.
    """
    if not _NAME.fullmatch(method) or not _TARGET.fullmatch(path):
        raise ValueError(f"{method!r} {path!r} would break the request's head")
    if any(name.lower() in _FRAMING for name in headers):
        raise ValueError("the length of a request is set by the client alone")
    lines = [_line(name, value) for name, value in headers.items()]
    if body is not None:
        length = len(body)
    if length is not None:
        known = length >= 0
        lines.append(b"Content-Length: %d\r\n" % length if known else _CHUNKED)
    start = f"{method} {path} HTTP/1.1\r\n".encode("ascii")
    return b"%b%b\r\n%b" % (start, b"".join(lines), body or b"")


def refusal(error: DataboxError, status: int | None = None, **headers: str) -> Response:
    """The answer that tells a peer what was wrong; `status` if not the error's own."""
    lines = tuple((name.replace("_", "-").title(), value) for name, value in headers.items())
    body = msgspec.json.encode(error.as_json())
    return Response(status or error.status, body, headers=lines)


def unexpected(error: BaseException, request: Request) -> Response:
    """The answer to an error nobody foresaw: a number that stands in our log beside the cause.

    The cause itself stays here; it may name files, people or readings.
    """
    number = secrets.token_hex(6)
    failure(
        logger,
        "request-failed",
        error,
        error_id=number,
        method=request.method,
        path=request.path,
        caller=request.caller,
    )
    found = DataboxError(
        "Something went wrong inside the box",
        code="internal",
        found=f"error {number}",
        remedy="The log has the cause beside this number.",
    )
    return refusal(found)


def not_http(reason: str) -> Response:
    """The answer to bytes that are not a well-formed request."""
    return refusal(BadRequest("This is not a well-formed HTTP request", found=reason[:120]))


@lru_cache(maxsize=256)
def _head(status: int, content_type: str) -> bytes:
    if not 200 <= status <= 599:
        raise ValueError(f"{status} is not the status of a final answer")
    lines = f"HTTP/1.1 {status} {_reason(status)}\r\n".encode("ascii")
    return lines + _line("Content-Type", content_type) if content_type else lines


def _lines(headers: tuple[tuple[str, str], ...]) -> bytes:
    for name, _ in headers:
        if name.lower() in _OURS:
            raise ValueError(f"header {name!r} is set by the server alone")
    return b"".join(_line(name, value) for name, value in headers)


def _line(name: str, value: str) -> bytes:
    # A value with a line end in it would let whoever chose the value write headers or a whole
    # second message.
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise ValueError(f"header {name!r} would break the head")
    return f"{name}: {value}\r\n".encode("latin-1")


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"
