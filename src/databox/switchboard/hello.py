"""Reads the server name from the first TLS record of a connection, and nothing else. Pure.

A driver is granted names, not addresses. Many names share one address, so the name that the
client asks the server for must be the granted one; an encrypted client hello would hide it.

Source: RFC 8446 4.1.2 (ClientHello), RFC 6066 3 (server_name), RFC 9849 (encrypted client hello).
"""

from databox.wire.errors import Denied

MAX_RECORD = 5 + 16384
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ENCRYPTED_HELLO = 0x0000, 0xFE0D


class _Reader:
    """Takes bytes from the front; running out is a refusal."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, count: int) -> bytes:
        part = self._content[self._at : self._at + count]
        if len(part) != count:
            raise _malformed("it is cut short")
        self._at += count
        return part

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width))

    def block(self, width: int) -> bytes:
        """A length of `width` bytes, then that many bytes."""
        return self.take(self.number(width))

    @property
    def empty(self) -> bool:
        return self._at >= len(self._content)


def record_size(start: bytes) -> int | None:
    """How long the first record is, header included; None until five bytes are there.

    Raises:
        Denied: this is not a TLS handshake record.
    """
    if start and start[0] != _HANDSHAKE:
        raise _malformed("it is not TLS")
    if len(start) < 5:
        return None
    size = 5 + int.from_bytes(start[3:5])
    if size > MAX_RECORD:
        raise _malformed("its first record is too long")
    return size


def server_name(record: bytes) -> str:
    """The server name that a whole first record asks for, in lower case.

    Raises:
        Denied: malformed, no name, more than one, or an encrypted client hello.
    """
    reader = _Reader(record[5:])
    if reader.number(1) != _CLIENT_HELLO:
        raise _malformed("it does not begin with a client hello")
    hello = _Reader(reader.block(3))
    hello.take(2 + 32)
    hello.block(1)
    hello.block(2)
    hello.block(1)
    extensions = _Reader(hello.block(2))
    names: list[str] = []
    while not extensions.empty:
        kind, content = extensions.number(2), extensions.block(2)
        if kind == _ENCRYPTED_HELLO:
            raise _malformed("its server name is encrypted")
        if kind == _SERVER_NAME:
            names.extend(_names(content))
    if len(names) != 1:
        raise _malformed("it does not name one server")
    return names[0]


def _names(content: bytes) -> list[str]:
    listed = _Reader(_Reader(content).block(2))
    names = []
    while not listed.empty:
        kind, name = listed.number(1), listed.block(2)
        if kind != 0:
            raise _malformed("its server name is of an unknown kind")
        try:
            names.append(name.decode("ascii").lower())
        except UnicodeDecodeError as error:
            raise _malformed("its server name is not plain") from error
    return names


def _malformed(why: str) -> Denied:
    return Denied(f"this connection is refused: {why}", code="client-hello")
