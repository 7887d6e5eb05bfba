"""Reads whole messages from a connected socket, each within a bound."""

import socket
from collections.abc import Iterator
from typing import NamedTuple

from databox.sdk.http import head
from databox.sdk.http.head import Head
from databox.wire.errors import BadRequest

PIECE = 64 * 1024
MOST_OF_A_CHUNK = 2 * 1024 * 1024


class Message(NamedTuple):
    """A head and its whole body."""

    head: Head
    body: bytes


class Closed(Exception):
    """The other side closed the connection between two messages, as it may."""


class Stream:
    """One direction of a connection; keeps what arrived beyond the last message."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = bytearray()

    def read(self, limit: int) -> Message:
        """Read the next message, with a body of at most `limit` bytes.

        Raises:
            Closed: nothing came any more.
            BadRequest: not HTTP, or too large.
            OSError: the connection broke or timed out within the message.
        """
        found, length = self.begin(limit)
        body = self._chunks(limit) if length is None else self._take(length)
        return Message(found, body)

    def begin(self, limit: int) -> tuple[Head, int | None]:
        """Read the next message's head, and how long its body is, None if it is chunked.

        Raises:
            Closed, BadRequest, OSError: as `read`.
        """
        at = self._find(head.END, head.MAX_HEAD)
        found = head.parse(self._take(at)[:-4])
        return found, head.body_length(found, limit)

    def pieces(self, length: int) -> Iterator[bytes]:
        """The body of `length` bytes behind a head, as it comes.

        Raises:
            ConnectionError: it closed before the end.
            OSError: it broke or timed out.
        """
        while length:
            if not self._rest:
                try:
                    self._more()
                except Closed as error:
                    raise ConnectionError("the connection closed within a message") from error
            piece = self._take(min(length, len(self._rest)))
            length -= len(piece)
            yield piece

    def chunks(self) -> Iterator[bytes]:
        """The chunked body behind a head, as it comes, however long; a chunk has up to 2 MiB.

        Raises:
            ConnectionError: it closed before the end.
            BadRequest: this is no such body.
            OSError: it broke or timed out.
        """
        try:
            while piece := self._chunk(MOST_OF_A_CHUNK):
                yield piece
        except Closed as error:
            raise ConnectionError("the connection closed within a message") from error

    def _chunks(self, limit: int) -> bytes:
        body = bytearray()
        while piece := self._chunk(limit - len(body)):
            body += piece
        return bytes(body)

    def _chunk(self, limit: int) -> bytes:
        """The next chunk, empty at the end of the body."""
        line = self._take(self._find(b"\r\n", 1024))[:-2].decode("latin-1")
        size = head.number(line.partition(";")[0].strip(), 16, limit)
        if size:
            return self._take(size + 2)[:-2]
        while self._take(self._find(b"\r\n", head.MAX_HEAD)) != b"\r\n":
            pass  # trailers say nothing that we use
        return b""

    def _find(self, mark: bytes, limit: int) -> int:
        while (at := self._rest.find(mark)) < 0:
            if len(self._rest) > limit:
                raise BadRequest("the head is too long", code="http")
            self._more()
        return at + len(mark)

    def _take(self, length: int) -> bytes:
        while len(self._rest) < length:
            self._more()
        taken = bytes(self._rest[:length])
        del self._rest[:length]
        return taken

    def _more(self) -> None:
        piece = self._connection.recv(PIECE)
        if not piece:
            if self._rest:
                raise ConnectionError("the connection closed within a message")
            raise Closed
        self._rest += piece
