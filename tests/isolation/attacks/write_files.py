"""Write to each path: a byte more in a file, or a new file in a folder."""

import os
from pathlib import Path

from attempt import attempt, given, report


def write(path: str) -> None:
    new = Path(path).is_dir()
    target = f"{path}/planted" if new else path
    descriptor = os.open(target, os.O_WRONLY | (os.O_CREAT | os.O_EXCL if new else 0), 0o600)
    try:
        os.write(descriptor, b"x")
    finally:
        os.close(descriptor)


for path in given():
    attempt(path, lambda path=path: write(path))
report()
