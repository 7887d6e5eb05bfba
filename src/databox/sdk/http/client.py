"""One keep-alive connection to a service of the box, over its unix socket."""

import socket
from collections.abc import Mapping
from typing import NamedTuple

from databox.sdk.http.head import number
from databox.sdk.http.stream import Closed, Stream


class Reply(NamedTuple):
    """An answer: its status and its whole body."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """The start of the body as text, for messages."""
        return self.body[:300].decode(errors="replace")


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
        lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in fields.items())]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        text = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        self.reusable = False
        try:
            self._socket.sendall(text)
            reply = self._stream.read(limit)
        except (OSError, Closed) as error:
            raise Lost(sent=True) from error
        self.reusable = reply.head.keep_alive
        return Reply(number(reply.head.start[1], 10, 999), reply.body)

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
