"""The load of `load.c` for machines without a C compiler: the same words, the same line of JSON.

A server as fast as nginx waits for it, which processor time shows less than wall time does.
"""

import json
import select
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MARK = b"@" * 13


def main(words: list[str]) -> None:
    """Ask, and print what came of it."""
    addresses, heads, bodies, connections, seconds, first = words
    turns = contents(Path(bodies), float(seconds) == 0, int(first))
    asking = Asking(addresses.split(","), list(records(Path(heads).read_bytes())), turns)
    print(json.dumps(asking.run(int(connections), float(seconds))))


def contents(bodies: Path, once: bool, stamp: int) -> Iterator[bytes]:
    """The end of each request: its length and its body."""
    each = list(records(bodies.read_bytes()))
    while True:
        for body in each:
            stamped = body.replace(MARK, b"%013d" % stamp, 1)
            stamp += len(body) < 4096 and MARK in body
            yield b"Content-Length: %d\r\n\r\n%b" % (len(body), stamped)
        if once:
            return


def records(packed: bytes) -> Iterator[bytes]:
    """The records of a file."""
    at = 0
    while at < len(packed):
        length = int.from_bytes(packed[at : at + 4], "little")
        yield packed[at + 4 : at + 4 + length]
        at += 4 + length


class Asking:
    """Connections that ask in a closed loop."""

    def __init__(self, addresses: list[str], heads: list[bytes], turns: Iterator[bytes]) -> None:
        self._addresses = addresses
        self._heads = heads
        self._head_of: dict[int, bytes] = {}
        self._turns = turns
        self._poll = select.epoll()
        self._ends: dict[int, tuple[socket.socket, bytearray, float]] = {}
        self._times: list[float] = []
        self._failed = self._received = 0
        self._until = 0.0

    def run(self, connections: int, seconds: float) -> dict[str, float]:
        """Ask until the time or the bodies are over."""
        ends = [self._dial(number % len(self._heads)) for number in range(connections)]
        began = time.monotonic()
        self._until = began + (seconds or 1e9)
        for end in ends:
            self._ask(end)
        while self._ends:
            for number, _ in self._poll.poll(300):
                self._pull(number)
        took = time.monotonic() - began
        self._times.sort()
        return {
            "count": len(self._times),
            "failed": self._failed,
            "seconds": took,
            "received": self._received,
            **{f"p{part}": self._share(part / 100) for part in (50, 95, 99)},
        }

    def _dial(self, number: int) -> socket.socket:
        address = self._addresses[number]
        local = address.startswith("/")
        end = socket.socket(socket.AF_UNIX if local else socket.AF_INET)
        host, _, port = address.partition(":")
        end.connect(address if local else (host, int(port)))
        self._poll.register(end, select.EPOLLIN)
        self._head_of[end.fileno()] = self._heads[number]
        return end

    def _ask(self, end: socket.socket) -> None:
        rest = next(self._turns, None) if time.monotonic() < self._until else None
        if rest is None:
            self._poll.unregister(end)
            self._ends.pop(end.fileno(), None)
            end.close()
            return
        self._ends[end.fileno()] = (end, bytearray(), time.monotonic())
        end.sendall(self._head_of[end.fileno()] + rest)

    def _pull(self, number: int) -> None:
        end, answer, began = self._ends[number]
        piece = end.recv(1 << 18)
        if not piece:
            raise SystemExit("the server hung up")
        answer += piece
        self._received += len(piece)
        if whole(answer):
            self._times.append(time.monotonic() - began)
            self._failed += not answer.startswith(b"HTTP/1.1 2")
            self._ask(end)

    def _share(self, part: float) -> float:
        return 1000 * self._times[int(part * (len(self._times) - 1))] if self._times else 0


def whole(answer: bytearray) -> bool:
    """Whether an answer has come to its end."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = bytes(answer[:end]).lower()
    if b"\r\ntransfer-encoding: chunked" in head:
        return answer.endswith(b"\r\n0\r\n\r\n")
    _, found, length = head.partition(b"\r\ncontent-length:")
    return not found or len(answer) - end - 4 >= int(length.split(b"\r\n")[0])


if __name__ == "__main__":
    main(sys.argv[1:])
