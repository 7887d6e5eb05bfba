"""Both event loops, a peer that speaks raw bytes, and listeners in a short-lived folder."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from databox.kit.http import Handler, Kind, Limits, Resolver, Server
from databox.kit.http.client import Connection

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Peer:
    """The other end of a connection: sends any bytes, sees exactly what comes back."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.end.setblocking(False)

    async def send(self, *parts: bytes, pause: float = 0) -> None:
        loop = asyncio.get_running_loop()
        for part in parts:
            await loop.sock_sendall(self.end, part)
            await asyncio.sleep(pause)

    async def receive(self, until: bytes = b"", seconds: float = 5) -> bytes:
        """Everything until `until` has come, or the other side has closed."""
        received = b""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds):
            while not until or until not in received:
                try:
                    part = await loop.sock_recv(self.end, 65536)
                except ConnectionResetError:
                    break
                if not part:
                    break
                received += part
        return received

    async def ask(self, *parts: bytes) -> bytes:
        """Send, say that this was all, and give everything that comes back."""
        await self.send(*parts)
        self.end.shutdown(socket.SHUT_WR)
        return await self.receive()


class Box:
    """One server under test and the sockets that lead to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened: list[socket.socket] = []
        self.server: Server | None = None

    def serve(self, app: Resolver | Handler, **limits: Any) -> Server:
        server = self.server = Server(app, Limits(**limits))
        return server

    def peer(self, caller: str = "tester", kind: Kind = "plain") -> Peer:
        ours, theirs = socket.socketpair()
        self.opened.append(ours)
        self.server.serve_connection(theirs, caller, kind)
        return Peer(ours)

    def client(self, caller: str = "tester") -> Connection:
        ours, theirs = socket.socketpair()
        self.server.serve_connection(theirs, caller)
        return Connection(ours)

    def listen(self, caller: str = "tester", kind: Kind = "plain") -> Path:
        path = self.folder / f"{caller}-{kind}.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        self.server.serve_listener(listener, caller, kind)
        return path

    def connect(self, path: Path) -> socket.socket:
        end = socket.socket(socket.AF_UNIX)
        self.opened.append(end)
        end.connect(str(path))
        return end


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    yield made
    for end in made.opened:
        end.close()


@pytest.fixture(params=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest, box: Box) -> Run:
    """Runs a coroutine to its end on one of the two loops, for at most 20 seconds."""
    make = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    async def whole(story: Coroutine[Any, Any, Any]) -> Any:
        try:
            async with asyncio.timeout(20):
                return await story
        finally:
            # uvloop never ends closing itself over an open transport where warnings are errors.
            if box.server is not None:
                box.server.close()
            await asyncio.sleep(0.01)

    def run_it(story: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=make) as runner:
            return runner.run(whole(story))

    return run_it
