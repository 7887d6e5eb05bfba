"""An object as the database knows it. Pure, and light: loaded by every store."""

from dataclasses import dataclass

from databox.wire.errors import DataboxError

NAME_SIZE = 16
CHUNK = 256 * 1024
"""Bytes of content in each chunk of a file but the last."""


class Damaged(DataboxError):
    """An object's file is not what was written, or is not there."""

    code = "object-damaged"


@dataclass(frozen=True, slots=True)
class Stored:
    """One file.

    `name`: 16 random bytes, in hexadecimal the file's name. `secret`: its key. `digest`: SHA-512 of
    the content. `size`: of the content, bytes.
    """

    name: bytes
    secret: bytes
    digest: bytes
    size: int

    def __repr__(self) -> str:
        return f"Stored({self.name.hex()}, {self.size} bytes)"


def chunk_count(size: int) -> int:
    """How many chunks content of `size` bytes has."""
    return max(1, -(-size // CHUNK))
