"""What our own parts print: ten files of 1 MB each, the present one without a number."""

import contextlib
import os
from pathlib import Path

FILE_BYTES = 1_000_000
FILES = 10


class PartLog:
    """Takes what comes from a part's pipe; a full disk loses lines, never a part."""

    pace = 1024 * 1024
    """Bytes read in a second; a part that prints more waits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size if path.exists() else 0

    def write(self, part: bytes) -> None:
        """Append, turning the files over first when the part would not fit."""
        with contextlib.suppress(OSError):
            if self._size + len(part) > FILE_BYTES:
                self._turn()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self._path, flags, 0o600)
            try:
                self._size += os.write(descriptor, part)
            finally:
                os.close(descriptor)

    def _turn(self) -> None:
        for number in range(FILES - 2, -1, -1):
            source = self._numbered(number)
            if source.exists():
                source.replace(self._numbered(number + 1))
        self._size = 0

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path
