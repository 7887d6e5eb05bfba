"""One keep-alive connection to a service of the box, over its unix socket."""

import select
import socket
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from databox.sdk.http.head import number
from databox.sdk.http.stream import PIECE, Closed, Stream


class Reply(NamedTuple):
    """An answer: its status and its whole body."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """The start of the body as text, for messages."""
        return self.body[:300].decode(errors="replace")


OBJECT_SECONDS = 60.0
"""Longest wait within a large body: the store makes it durable, and takes only so many at once."""


class Lost(Exception):
    """The connection broke. `sent`: the request had left, so it may have been carried out."""

    def __init__(self, sent: bool) -> None:
        super().__init__("the connection broke")
        self.sent = sent


class Connection:
    """Sends one request at a time and reads its answer. `timeout`: seconds for each wait."""

    def __init__(self, path: str, *, timeout: float = 5.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._timeout = timeout
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise Lost(sent=False) from error
        self._stream = Stream(self._socket)
        self.reusable = True

    def request(
        self, method: str, target: str, fields: Mapping[str, str], body: bytes, *, limit: int
    ) -> Reply:
        """Send a request and read its answer of at most `limit` bytes.

        Raises:
            Lost: the connection broke.
            BadRequest: the answer is not HTTP or too large.
        """
        if body or method == "POST":
            fields = {**fields, "Content-Length": str(len(body))}
        text = head_of(method, target, fields) + body
        self.reusable = False
        try:
            self._socket.sendall(text)
            reply = self._stream.read(limit)
        except (OSError, Closed) as error:
            raise Lost(sent=True) from error
        self.reusable = reply.head.keep_alive
        return Reply(number(reply.head.start[1], 10, 999), reply.body)

    def upload(
        self,
        target: str,
        fields: Mapping[str, str],
        content: BinaryIO,
        length: int,
        *,
        limit: int,
    ) -> Reply:
        """POST a file's next `length` bytes and read the answer, which may come before the end.

        Raises:
            Lost: the connection broke, or the file was shorter.
            BadRequest: the answer is not HTTP or too large.
        """
        self.reusable = False
        self._socket.settimeout(OBJECT_SECONDS)
        try:
            self._socket.sendall(head_of("POST", target, {**fields, "Content-Length": str(length)}))
            whole = self._send(content, length)
            reply = self._stream.read(limit)
        except (OSError, Closed) as error:
            raise Lost(sent=True) from error
        finally:
            self._socket.settimeout(self._timeout)
        self.reusable = whole and reply.head.keep_alive
        return Reply(number(reply.head.start[1], 10, 999), reply.body)

    def download(
        self, target: str, fields: Mapping[str, str], *, limit: int, most: int
    ) -> "Reply | Coming":
        """GET something of up to `limit` bytes as it comes; refusals come whole, up to `most`.

        Raises:
            Lost: the connection broke.
            BadRequest: the answer is not HTTP or too large.
        """
        self.reusable = False
        self._socket.settimeout(OBJECT_SECONDS)
        try:
            self._socket.sendall(head_of("GET", target, fields))
            head, length = self._stream.begin(limit)
            status = number(head.start[1], 10, 999)
            if 200 <= status < 300:
                pieces = self._stream.chunks() if length is None else self._stream.pieces(length)
                return Coming(self, pieces, head.keep_alive)
            body = b"".join(self._stream.pieces(min(length or 0, most)))
            return Reply(status, body)
        except (OSError, Closed) as error:
            raise Lost(sent=True) from error

    def reuse(self, keep: bool) -> None:
        """The answer has been read to its end."""
        self._socket.settimeout(self._timeout)
        self.reusable = keep

    def _send(self, content: BinaryIO, length: int) -> bool:
        """Whether all was sent before an answer came."""
        while length:
            if select.select([self._socket], [], [], 0)[0]:
                return False
            piece = content.read(min(PIECE, length))
            if not piece:
                raise ConnectionError("the file is shorter than it was")
            try:
                self._socket.sendall(piece)
            except BrokenPipeError:
                return False  # it was answered and closed in between
            length -= len(piece)
        return True

    def idle(self) -> bool:
        """Whether it can carry another request: still open, and nothing unasked has come."""
        if not self.reusable:
            return False
        self._socket.settimeout(0)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self._socket.settimeout(self._timeout)
        return False

    def close(self) -> None:
        """Close it."""
        self._socket.close()


class Coming:
    """An answer that is read as it comes. Behind its end `connection` can be used again."""

    def __init__(self, connection: Connection, pieces: Iterator[bytes], keep: bool) -> None:
        self.connection = connection
        self._pieces = pieces
        self._keep = keep

    def __iter__(self) -> Iterator[bytes]:
        """Its pieces, once.

        Raises:
            Lost: the connection broke; what came before was right.
        """
        try:
            yield from self._pieces
        except OSError as error:
            raise Lost(sent=True) from error
        self.connection.reuse(self._keep)


def head_of(method: str, target: str, fields: Mapping[str, str]) -> bytes:
    """The head of a request."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
