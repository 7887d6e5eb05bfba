"""What a store serves for a CPU-second: GET latest beside nginx, and durable POSTs.

Every answer is by a warm token and leaves only when its record of access is durable (strict audit).
Windows alternate between the two servers; CPU time is counted, of all threads.
"""

import asyncio
import json
import os
import select
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from http_service import cpu_seconds, nginx

CONNECTIONS = 32
SECONDS = 1.0
WINDOWS = 5
NAME, SECRET = "bench-store", "s" * 43


def serve(folder: Path, listener: socket.socket) -> None:
    """Be the store that is measured, until killed."""
    import uvloop

    from databox.kit.clock import SystemClock
    from databox.kit.guard import EndedGrants, Guard
    from databox.kit.http.server import Server
    from databox.store.file import StoreFile
    from databox.store.service import KEEPS, Store

    async def deaf(_: object) -> None:
        return

    async def forever() -> None:
        store = Store(NAME, StoreFile(folder / "store.db", bytes(32)), folder, clock=SystemClock())
        guard = Guard(NAME, SECRET, store.clock, EndedGrants(0, ()), keeps=KEEPS)
        store.open(guard, deaf, origin=f"https://{NAME}:443")
        Server(store.router).serve_listener(listener, "bench")
        await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(forever())


@contextmanager
def ours(folder: Path, listener: socket.socket) -> Iterator[int]:
    """The store in a process of its own; gives its id."""
    process = os.fork()
    if process == 0:
        os.sched_setaffinity(0, {_core(0)})
        try:
            serve(folder, listener)
        finally:
            os._exit(1)
    try:
        yield process
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """A request with a token for it."""
    from databox.wire import tokens

    key = tokens.mint(
        SECRET,
        location="https://arbiter:443",
        identifier="bench:g1:nonce",
        caveats=(f"target = {NAME}", f"path = {path}", f"method = {method}"),
    )
    head = f"{method} {path} HTTP/1.1\r\nHost: {NAME}\r\nX-Api-Key: {key}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def load(address: str, asked: bytes, connections: int = CONNECTIONS) -> tuple[int, list[float]]:
    """Ask in a closed loop on every connection; gives how many answers came, and their seconds."""
    poll, ends, sent, took = select.epoll(), {}, {}, []
    for _ in range(connections):
        end = socket.socket(socket.AF_UNIX)
        end.connect(address)
        ends[end.fileno()] = end
        poll.register(end, select.EPOLLIN)
        sent[end.fileno()] = time.monotonic()
        end.send(asked)
    until = time.monotonic() + SECONDS
    while (now := time.monotonic()) < until:
        for number, _ in poll.poll(1):
            answer = ends[number].recv(4096)
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(f"an answer that is not good: {answer!r}")
            took.append(now - sent[number])
            sent[number] = now
            ends[number].send(asked)
    poll.close()
    for end in ends.values():
        end.close()
    return len(took), took


def per_cpu_second(process: int, address: str, asked: bytes) -> float:
    """Requests for a second of the server's CPU time."""
    before = cpu_seconds(process)
    count, _ = load(address, asked)
    return count / (cpu_seconds(process) - before)


def figures(folder: Path) -> Iterator[dict[str, object]]:
    """Every figure, one after the other."""
    address = str(folder / "store.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(128)
    get, post = request("GET", "/load/ts/latest"), request("POST", "/load/ts", b'{"data":21.5}')
    with ExitStack() as stack:
        store = stack.enter_context(ours(folder, listener))
        peer, peer_address = None, str(folder / "nginx.sock")
        if shutil.which("nginx") or Path("/usr/sbin/nginx").exists():
            peer = stack.enter_context(nginx(folder / "nginx", f"unix:{peer_address}"))
        os.sched_setaffinity(0, {_core(1)})
        load(address, post)
        rates: list[float] = []
        peers: list[float] = []
        for _ in range(WINDOWS):
            rates.append(per_cpu_second(store, address, get))
            if peer is not None:
                peers.append(per_cpu_second(peer, peer_address, get))
        yield _line(
            "store-get-latest",
            statistics.median(rates),
            "requests/CPU-s",
            baseline=statistics.median(peers) if peers else None,
            floor=0.30,
            aim=0.45,
        )
        durable = [per_cpu_second(store, address, post) for _ in range(WINDOWS)]
        yield _line("store-post-durable", statistics.median(durable), "requests/CPU-s")
        _, took = load(address, post, connections=1)
        yield _line("store-post-durable-alone", 1000 * statistics.median(took), "ms")


def _line(  # noqa: PLR0913 - the columns of a figure
    name: str,
    value: float,
    unit: str,
    *,
    baseline: float | None = None,
    floor: float | None = None,
    aim: float | None = None,
) -> dict[str, object]:
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "baseline": baseline and round(baseline, 3),
        "ratio": baseline and round(value / baseline, 3),
        "floor": floor,
        "aim": aim,
    }


def _core(number: int) -> int:
    cores = sorted(os.sched_getaffinity(0))
    return cores[number % len(cores)]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        for figure in figures(Path(name)):
            sys.stdout.write(json.dumps(figure) + "\n")
            sys.stdout.flush()
