"""Write to each folder until it is full or `bound` bytes are written, with 1 MiB at a time."""

import os
from pathlib import Path

from attempt import attempt, given, note, report

bound, folders = given()
BLOCK = b"x" * (1024 * 1024)


def fill(folder: str) -> None:
    path, written = Path(folder) / "filler", 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        while written < bound:
            written += os.write(descriptor, BLOCK)
            note(f"bytes in {folder}", written)
    finally:
        os.close(descriptor)
        path.unlink()


for folder in folders:
    attempt(folder, lambda folder=folder: fill(folder))
report()
