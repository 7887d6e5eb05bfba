"""The form of an object's file. Pure: bytes in, bytes out.

    file  = head, chunk 0, chunk 1, …
    head  = "DBXO", format 1, 11 zero bytes
    chunk = ChaCha20-Poly1305 of at most 256 KiB of content, 16 bytes longer than that

An object has a key of its own, used for nothing else, so a chunk's nonce is its number. What is
authenticated beside a chunk is the head, the object's name, the chunk's number, whether it is the
last, and in the last the length of the whole. So a chunk that is changed, moved, left out, added or
taken from another object does not open, and neither does an end that is cut off. Every object has
at least one chunk, an empty one too.

ChaCha20 because it is as fast as disks also where the processor has no instructions for AES, and
because the database beside it rests on the same cipher. Source: RFC 8439; the last chunk's mark as
in "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance" (Hoang and others, 2015).
"""

import hashlib
import struct
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from databox.store.objects.stored import CHUNK, Damaged, Stored, chunk_count

TAG = 16
HEAD = b"DBXO\x01" + bytes(11)
SECRET_SIZE = 32

_BESIDE = struct.Struct(">16s16sQ?Q")
_NONCE = struct.Struct(">IQ")


def file_size(size: int) -> int:
    """How long the file of content of `size` bytes is."""
    return len(HEAD) + size + TAG * chunk_count(size)


def place(number: int) -> int:
    """Where a chunk begins in the file."""
    return len(HEAD) + number * (CHUNK + TAG)


class Sealer:
    """Turns content, in pieces of any size, into a file.

    Args:
        name: The object's, 16 bytes.
        secret: 32 bytes, fresh for this object.
        write: Takes the file's bytes in order; what it is given is its only until it returns.
    """

    def __init__(
        self, name: bytes, secret: bytes, write: Callable[[bytes | memoryview], object]
    ) -> None:
        self.size = 0
        self._name = name
        self._cipher = ChaCha20Poly1305(secret)
        self._write = write
        self._digest = hashlib.sha512()
        self._number = 0
        self._plain = bytearray(CHUNK)
        self._filled = 0
        self._sealed = bytearray(CHUNK + TAG)
        write(HEAD)

    def update(self, content: bytes) -> None:
        """Take the next piece."""
        self._digest.update(content)
        self.size += len(content)
        rest = memoryview(content)
        while rest:
            # Only when more comes is it known that a full chunk is not the last.
            if self._filled == CHUNK:
                self._seal(last=False)
            taken = min(CHUNK - self._filled, len(rest))
            self._plain[self._filled : self._filled + taken] = rest[:taken]
            self._filled += taken
            rest = rest[taken:]

    def finish(self) -> bytes:
        """Write the last chunk, and give the content's SHA-512."""
        self._seal(last=True)
        return self._digest.digest()

    def _seal(self, *, last: bool) -> None:
        beside = _beside(self._name, self._number, self.size if last else None)
        length = self._filled + TAG
        with memoryview(self._plain) as plain, memoryview(self._sealed) as sealed:
            self._cipher.encrypt_into(
                _nonce(self._number), plain[: self._filled], beside, sealed[:length]
            )
            self._write(sealed[:length])
        self._number += 1
        self._filled = 0


class Opener:
    """Turns chunks of one file back into content."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._cipher = ChaCha20Poly1305(stored.secret)
        self._last = chunk_count(stored.size) - 1

    def sealed_size(self, number: int) -> int:
        """How long a chunk is in the file."""
        return self.plain_size(number) + TAG

    def plain_size(self, number: int) -> int:
        """How much content a chunk has."""
        return self._stored.size - number * CHUNK if number == self._last else CHUNK

    def open(self, number: int, sealed: bytes | memoryview, into: memoryview) -> None:
        """Decrypt one chunk; `into` has its plain size.

        Raises:
            Damaged: it is not what was written there.
        """
        total = self._stored.size if number == self._last else None
        beside = _beside(self._stored.name, number, total)
        try:
            self._cipher.decrypt_into(_nonce(number), sealed, beside, into)
        except (InvalidTag, ValueError) as error:
            raise Damaged(
                "a part of this object is damaged on the disk",
                found=f"part {number + 1} of {self._last + 1}",
                remedy="Check the disk, and bring the object in again from where it came",
            ) from error


def _nonce(number: int) -> bytes:
    return _NONCE.pack(0, number)


def _beside(name: bytes, number: int, total: int | None) -> bytes:
    return _BESIDE.pack(HEAD, name, number, total is not None, total or 0)
