"""The files of a store's `objects` folder. Everything here waits for the disk: call it in a thread.

A file is written under a name that ends in `.part`, synced, given its own name, and the folder is
synced. So a file with its own name is whole, whatever happened since.
"""

import os
from pathlib import Path

from databox.kit.database import explained
from databox.store.objects.folder import UNFINISHED, remove
from databox.store.objects.sealed import (
    SECRET_SIZE,
    TAG,
    Opener,
    Sealer,
    file_size,
    place,
)
from databox.store.objects.stored import CHUNK, Damaged, Stored
from databox.wire.errors import Unavailable

PART = 2 * CHUNK
"""Most content that is read at once."""
LEFT_FREE = 16 * 1024 * 1024
"""Bytes of the disk that objects leave to records of access and to whatever else must go on."""
_SYNC_EVERY = 16 * 1024 * 1024


class Draft:
    """One object that is being written.

    Args:
        folder: The store's `objects`, made if it is not there.
        name: Random, and not used before.
        expected: Its size in bytes, where that is known.

    Raises, each of its functions:
        Unavailable: the disk is full or in trouble; the code says which.
    """

    def __init__(self, folder: Path, name: bytes, expected: int | None) -> None:
        self.name = name
        self._folder = folder
        self._path = folder / (name.hex() + UNFINISHED)
        self._secret = os.urandom(SECRET_SIZE)
        self._unsynced = 0
        with explained(self._path):
            if not folder.is_dir():
                folder.mkdir(mode=0o700)
                _sync_folder(folder.parent)
            self._descriptor = os.open(
                self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600
            )
        try:
            self._sealer = Sealer(name, self._secret, self._write)
            with explained(self._path):
                # Now, instead of after a gigabyte has come.
                self._check_room(expected or 0)
        except BaseException:
            self.abandon()
            raise

    def write(self, content: bytes) -> None:
        """Take the next piece of the content."""
        with explained(self._path):
            self._check_room(len(content))
            self._sealer.update(content)
            if self._unsynced >= _SYNC_EVERY:
                # Bounds what waits in memory for the disk.
                os.fdatasync(self._descriptor)
                self._unsynced = 0

    def finish(self) -> Stored:
        """Make it durable under its own name."""
        with explained(self._path):
            digest = self._sealer.finish()
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            self._path.rename(self._folder / self.name.hex())
            _sync_folder(self._folder)
        return Stored(self.name, self._secret, digest, self._sealer.size)

    def abandon(self) -> None:
        """Remove what was written. What cannot be removed now is found at the next start."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        remove(self._folder, self._path.name, self.name.hex())

    def _write(self, data: bytes | memoryview) -> None:
        left = memoryview(data)
        while left:
            written = os.write(self._descriptor, left)
            self._unsynced += written
            left = left[written:]

    def _check_room(self, needed: int) -> None:
        disk = os.fstatvfs(self._descriptor)
        free = disk.f_bavail * disk.f_frsize
        if free < needed + LEFT_FREE:
            raise Unavailable(
                "there is too little room on the disk for this object",
                code="disk-full",
                found=f"{free // 1024**2} MiB are free",
                remedy="Free some space; the box goes on by itself",
            )


class Scratch:
    """Room for what is decrypted; of one thread, which may read many objects with it."""

    __slots__ = ("plain", "sealed")

    def __init__(self) -> None:
        self.sealed = memoryview(bytearray(CHUNK + TAG))
        self.plain = memoryview(bytearray(PART))


class Content:
    """One object, open for reading.

    Raises:
        Damaged: its file is not there, or not as long as it must be.
        Unavailable: the disk is in trouble.
    """

    def __init__(self, folder: Path, stored: Stored) -> None:
        path = folder / stored.name.hex()
        self._opener = Opener(stored)
        with explained(path):
            try:
                self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError as error:
                raise _missing("its file is not there") from error
            found = os.fstat(self._descriptor).st_size
        if found != file_size(stored.size):
            self.close()
            raise _missing(f"its file has {found} bytes, not {file_size(stored.size)}")

    def part(self, first: int, end: int, scratch: "Scratch") -> bytes:
        """The content from `first` on, up to before `end` or to where a part ends.

        A part ends with a chunk, so that the next one begins with one.

        Raises:
            Damaged: it is not what was written.
            Unavailable: the disk is in trouble.
        """
        number = first // CHUNK
        start, filled = number * CHUNK, 0
        while filled < PART and start + filled < end:
            filled += self._read(number, scratch.sealed, scratch.plain[filled:])
            number += 1
        return bytes(scratch.plain[first - start : min(end - start, filled)])

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self, number: int, sealed: memoryview, plain: memoryview) -> int:
        length, size = self._opener.sealed_size(number), self._opener.plain_size(number)
        with explained():
            found = _read_fully(self._descriptor, sealed[:length], place(number))
        self._opener.open(number, sealed[:found], plain[:size])
        return size


def _read_fully(descriptor: int, into: memoryview, at: int) -> int:
    filled = 0
    while filled < len(into):
        count = os.preadv(descriptor, [into[filled:]], at + filled)
        if count == 0:
            break
        filled += count
    return filled


def _missing(found: str) -> Damaged:
    return Damaged(
        "this object is damaged on the disk",
        found=found,
        remedy="Check the disk, and bring the object in again from where it came",
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
