"""What keeping a large object costs: a file sealed and synced, and read again, beside a plain one.

In windows that alternate, because disks are not equally fast from one second to the next. Rates are
for a second of processor time, of the content's bytes; written and read by a store's own code, with
neither HTTP nor the database around it.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from databox.store.objects.files import Content, Draft, Scratch
from databox.store.objects.stored import Stored

SIZE = 128 * 1024 * 1024
PIECE = os.urandom(192 * 1024)
"""As much as arrives at once over a socket, about."""
WINDOWS = 5
MEGABYTE = 1_000_000
T = TypeVar("T")


def main() -> None:
    """Print one line a figure."""
    with tempfile.TemporaryDirectory(prefix="databox-bench-") as folder:
        rates = [window(Path(folder)) for _ in range(WINDOWS)]
    sealed, plain, opened, read = (statistics.median(each) for each in zip(*rates, strict=True))
    show("object.write", sealed, plain, floor=200)
    show("object.read", opened, read, floor=800)


def window(folder: Path) -> tuple[float, float, float, float]:
    """Rates of one round: sealing, plain writing, opening, plain reading."""
    plain = folder / "plain"
    sealed, kept = rate(lambda: seal(folder))
    written, _ = rate(lambda: write(plain))
    opened, _ = rate(lambda: unseal(folder, kept))
    read, _ = rate(lambda: read_plain(plain))
    plain.unlink()
    (folder / kept.name.hex()).unlink()
    return sealed, written, opened, read


def rate(work: Callable[[], T]) -> tuple[float, T]:
    """Megabytes for a second of processor time, and what came of it."""
    began = time.process_time()
    done = work()
    return SIZE / (time.process_time() - began) / MEGABYTE, done


def seal(folder: Path) -> Stored:
    """An object, as an upload makes it."""
    draft = Draft(folder, os.urandom(16), SIZE)
    for size in pieces():
        draft.write(PIECE[:size])
    return draft.finish()


def write(path: Path) -> None:
    """The same bytes, plainly, synced at the end."""
    with path.open("wb", buffering=0) as file:
        for size in pieces():
            file.write(PIECE[:size])
        os.fsync(file.fileno())


def unseal(folder: Path, stored: Stored) -> None:
    """The whole object, part by part, as a download reads it."""
    content, scratch, at = Content(folder, stored), Scratch(), 0
    while at < stored.size:
        at += len(content.part(at, stored.size, scratch))
    content.close()


def read_plain(path: Path) -> None:
    """The same bytes, plainly."""
    with path.open("rb", buffering=0) as file:
        while file.read(512 * 1024):
            pass


def pieces() -> list[int]:
    """Sizes that make up an object."""
    return [min(len(PIECE), SIZE - start) for start in range(0, SIZE, len(PIECE))]


def show(name: str, value: float, baseline: float, *, floor: float) -> None:
    """Print a figure."""
    line = {"name": name, "value": value, "unit": "MB/s", "baseline": baseline}
    print(json.dumps({**line, "ratio": value / baseline, "floor": floor}), flush=True)


if __name__ == "__main__":
    main()
