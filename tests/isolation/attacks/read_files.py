"""Read each path: a file's first byte, or a folder's list."""

from pathlib import Path

from attempt import attempt, given, report


def read(path: str) -> None:
    if Path(path).is_dir():
        list(Path(path).iterdir())
    else:
        with Path(path).open("rb") as file:
            file.read(1)


for path in given():
    attempt(path, lambda path=path: read(path))
report()
