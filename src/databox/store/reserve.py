"""Space set aside on the disk, so that accesses can be written down for a while when it is full."""

import os
from pathlib import Path

SIZE = 4 * 1024 * 1024


class Reserve:
    """A file that takes up room until the room is needed."""

    def __init__(self, path: Path, size: int = SIZE) -> None:
        self._path = path
        self._size = size

    def keep(self) -> bool:
        """Set the space aside if it is not; False if the disk has too little for it."""
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size)
            finally:
                os.close(descriptor)
        except OSError:
            self.release()
            return False
        return True

    def release(self) -> None:
        """Give the space back to the disk, for whatever is written next."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return
