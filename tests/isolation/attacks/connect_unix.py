"""Connect to each unix socket; a leading @ stands for the abstract namespace."""

import socket

from attempt import attempt, given, report


def connect(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + path[1:] if path.startswith("@") else path)


for path in given():
    attempt(path, lambda path=path: connect(path))
report()
