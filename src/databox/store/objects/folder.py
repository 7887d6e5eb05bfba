"""The `objects` folder of a store: which files are in it. It waits for the disk."""

from contextlib import suppress
from pathlib import Path

from databox.kit.database import explained

UNFINISHED = ".part"


def files(folder: Path) -> set[str]:
    """The names of all files, unfinished ones too.

    Raises:
        Unavailable: the disk is in trouble.
    """
    with explained(folder):
        return {each.name for each in folder.iterdir()} if folder.is_dir() else set()


def name_of(file: str) -> str:
    """An object's name, hexadecimal, from that of its file, finished or not."""
    return file.removesuffix(UNFINISHED)


def remove(folder: Path, *names: str) -> None:
    """Remove files. One that is not there is as good; one that stays is found at the next start."""
    for name in names:
        with suppress(OSError):
            (folder / name).unlink(missing_ok=True)
