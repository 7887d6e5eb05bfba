"""What the switchboard adds to a small request: through it, beside straight to the same peer.

An echo peer on a Unix socket stands for the callee. The relay runs in a process of its own, as the
switchboard does; the client waits for each answer before it asks again.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import uvloop

from databox.switchboard.relay import End, join, wait_over

WINDOWS = 7
ROUNDS = 1500
MESSAGE = bytes(300)
BULK = bytes(1 << 20)
BULK_ROUNDS = 6


def main() -> None:
    """Print one line a figure."""
    folder = Path(tempfile.mkdtemp(prefix="databox-bench-"))
    straight, through = folder / "peer", folder / "relay"
    threading.Thread(target=echo, args=(listen(straight),), daemon=True).start()
    listener = listen(through)
    child = os.fork()
    if child == 0:
        uvloop.run(relay(listener, straight))
    listener.close()
    try:
        measure(straight, through)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        shutil.rmtree(folder)


def measure(straight: Path, through: Path) -> None:
    """Alternate the two ways, so that a busy machine slows both alike."""
    ways = [connect(straight), connect(through)]
    waits: list[list[float]] = [[], []]
    rates: list[list[float]] = [[], []]
    for _ in range(WINDOWS):
        for number, way in enumerate(ways):
            waits[number].append(wait_of(way))
            rates[number].append(rate_of(way))
    alone, relayed = (statistics.median(each) for each in waits)
    show("switchboard.added-latency", relayed - alone, "us", baseline=alone, ratio=relayed / alone)
    alone, relayed = (statistics.median(each) for each in rates)
    show("switchboard.bulk", relayed, "MB/s", baseline=alone, ratio=relayed / alone)


def wait_of(way: socket.socket) -> float:
    """The median time of one small exchange, us."""
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        exchange(way, MESSAGE)
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e6


def rate_of(way: socket.socket) -> float:
    """How fast a megabyte goes there and back, MB/s of both ways together."""
    began = time.perf_counter()
    for _ in range(BULK_ROUNDS):
        exchange(way, BULK)
    return 2 * len(BULK) * BULK_ROUNDS / (time.perf_counter() - began) / 1e6


def exchange(way: socket.socket, message: bytes) -> None:
    """Send, and read as much back; a thread sends what no buffer holds."""
    sender = threading.Thread(target=way.sendall, args=(message,)) if len(message) > 1000 else None
    if sender:
        sender.start()
    else:
        way.sendall(message)
    left = len(message)
    while left:
        left -= len(way.recv(min(left, 1 << 16)))
    if sender:
        sender.join()


def echo(listener: socket.socket) -> None:
    """Answer every connection with what it sends."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection: socket.socket) -> None:
    """One connection's echo."""
    while piece := connection.recv(1 << 16):
        connection.sendall(piece)


async def relay(listener: socket.socket, peer: Path) -> None:
    """Join what comes in to the peer, as the switchboard does."""
    loop = asyncio.get_running_loop()
    listener.setblocking(False)
    tasks = set()
    while True:
        accepted, _ = await loop.sock_accept(listener)
        tasks.add(asyncio.create_task(joined(accepted, peer)))


async def joined(accepted: socket.socket, peer: Path) -> None:
    """One relayed connection."""
    loop = asyncio.get_running_loop()
    _, near = await loop.connect_accepted_socket(End, accepted)
    _, far = await loop.create_unix_connection(End, str(peer))
    join(near, far)
    await wait_over(near, far)


def listen(path: Path) -> socket.socket:
    """A Unix listener."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    return listener


def connect(path: Path) -> socket.socket:
    """A connection to it."""
    way = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    way.connect(str(path))
    return way


def show(name: str, value: float, unit: str, *, baseline: float, ratio: float) -> None:
    """Print one figure."""
    line = {
        "name": name,
        "value": round(value, 1),
        "unit": unit,
        "baseline": round(baseline, 1),
        "ratio": round(ratio, 2),
        "floor": None,
        "aim": None,
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
