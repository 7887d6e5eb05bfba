"""`databox up`: start the box in the foreground and show the way in."""

from pathlib import Path


def up(home: Path, *, port: int | None, browser: bool) -> int:
    raise NotImplementedError
