"""What an instance writes to its standard output: bounded in size and in pace.

An app that writes without end must fill neither the disk nor the box's time, so the log keeps two
files, and reading pauses once a second's share is used up: then the app waits on its own pipe.
"""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Protocol

LOG_BYTES = 512 * 1024
READ_BYTES = 64 * 1024
TAIL_BYTES = 500


class Sink(Protocol):
    """Where output goes, and how many bytes of it are read in a second."""

    pace: int

    def write(self, part: bytes) -> None:
        """Take a part; never fails for its size."""


class Log:
    """A log of at most two files of 512 kB: `path` and, before it, `path.1`."""

    pace = 256 * 1024

    def __init__(self, path: Path) -> None:
        """Append to `path`, which the box alone can read."""
        self._path = path
        self._size = path.stat().st_size if path.exists() else 0

    def write(self, part: bytes) -> None:
        """Append, turning the files over first when the part would not fit.

        A full disk loses the line: an app's own output is never worth stopping for.
        """
        with contextlib.suppress(OSError):
            self._append(part)

    def _append(self, part: bytes) -> None:
        if self._size and self._size + len(part) > LOG_BYTES:
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            self._size = 0
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path, flags, 0o600)
        try:
            self._size += os.write(descriptor, part)
        finally:
            os.close(descriptor)


class Capture:
    """The first `bound` bytes, kept in memory."""

    pace = 8 * 1024 * 1024

    def __init__(self, bound: int) -> None:
        """Keep at most `bound` bytes."""
        self._bound = bound
        self.content = bytearray()
        self.truncated = False

    def write(self, part: bytes) -> None:
        """Keep what fits."""
        room = self._bound - len(self.content)
        self.content += part[:room]
        self.truncated = self.truncated or len(part) > room


class Pump:
    """Carries a non-blocking pipe to a sink until the other end is closed."""

    def __init__(self, pipe: int, sink: Sink) -> None:
        """Begin now, on the running loop. The pipe stays the caller's to close, after `stop`."""
        self._pipe = pipe
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._left = sink.pace
        self.tail = b""
        self._tick: asyncio.TimerHandle | None = None
        self._loop.add_reader(pipe, self._read)

    def _read(self) -> None:
        part = self._take()
        if not part:
            return
        self._left -= len(part)
        if self._tick is None:
            self._tick = self._loop.call_later(1.0, self._refill)
        if self._left <= 0:
            self._loop.remove_reader(self._pipe)

    def _take(self) -> bytes:
        try:
            part = os.read(self._pipe, READ_BYTES)
        except BlockingIOError:
            return b""
        if part:
            self._sink.write(part)
            self.tail = (self.tail + part)[-TAIL_BYTES:]
        else:
            self._loop.remove_reader(self._pipe)
        return part

    def _refill(self) -> None:
        self._tick = None
        paused, self._left = self._left <= 0, self._sink.pace
        if paused:
            self._loop.add_reader(self._pipe, self._read)

    def stop(self) -> None:
        """Take what the pipe still holds, at most its own size, and end."""
        self._loop.remove_reader(self._pipe)
        if self._tick is not None:
            self._tick.cancel()
        for _ in range(16):
            if not self._take():
                break
