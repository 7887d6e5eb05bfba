"""A server that retires loses no request, wherever one is on its way when it does."""

import asyncio
import os
import random
import socket
import threading
from pathlib import Path

import pytest
from tests.unit.kit.conftest import Box, Run

from databox.kit.http import Limits, Request, Response, Server

ASK = b"POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
PARTS = 300


def test_retires_at_once_where_nobody_is_connected(run: Run, box: Box) -> None:
    async def story() -> None:
        server = box.serve(lambda _: Response(200))
        box.listen()
        assert server.retire(asyncio.get_running_loop().time())

    run(story())


def test_what_is_handed_over_later_is_left_to_the_next_server(run: Run, box: Box) -> None:
    async def story() -> None:
        server = box.serve(lambda _: Response(200))
        server.retire(asyncio.get_running_loop().time())
        ours, theirs = socket.socketpair()
        with ours:
            server.serve_listener(theirs, "tester")
            assert ours.recv(1) == b"", "its copy is closed"

    run(story())


def test_who_asks_nothing_goes_first(run: Run, box: Box) -> None:
    async def story() -> None:
        server = box.serve(lambda _: Response(200))
        peer = box.peer()
        await peer.send(ASK % 1)
        await peer.receive(until=b"\r\n\r\n")
        now = asyncio.get_running_loop().time()
        assert not server.retire(now)
        assert await peer.receive() == b""
        await asyncio.sleep(0.01)
        assert server.retire(now)

    run(story())


def test_who_has_only_just_come_may_still_ask(run: Run, box: Box) -> None:
    async def story() -> None:
        server = box.serve(lambda _: Response(200))
        before = asyncio.get_running_loop().time()
        await asyncio.sleep(0.01)
        peer = box.peer()
        await asyncio.sleep(0.01)
        assert not server.retire(before)
        await peer.send(ASK % 1)
        assert (await peer.receive(until=b"\r\n\r\n")).startswith(b"HTTP/1.1 200")

    run(story())


def test_a_request_that_is_not_answered_yet_keeps_it(run: Run, box: Box) -> None:
    async def story() -> None:
        done = asyncio.Event()

        async def slow(_: Request) -> Response:
            await done.wait()
            return Response(200)

        server = box.serve(slow)
        peer = box.peer()
        await peer.send(ASK % 1)
        await asyncio.sleep(0.01)
        assert server.idle_since is None
        assert not server.retire(asyncio.get_running_loop().time())
        done.set()
        assert (await peer.receive(until=b"\r\n\r\n")).startswith(b"HTTP/1.1 200")

    run(story())


def test_an_idle_connection_that_ends_still_answers_what_was_sent(run: Run, box: Box) -> None:
    async def story() -> None:
        server = box.serve(lambda _: Response(200))
        peer = box.peer()
        await asyncio.sleep(0.01)
        # Sent and not read yet: a server that closed now would throw it away.
        peer.end.send(ASK % 1)
        server.retire(asyncio.get_running_loop().time())
        assert (await peer.receive()).startswith(b"HTTP/1.1 200")

    run(story())


def test_whoever_sends_after_the_end_is_told_that_nobody_saw_it(run: Run, box: Box) -> None:
    async def story() -> None:
        server = box.serve(lambda _: Response(200))
        peer = box.peer()
        await asyncio.sleep(0.01)
        server.retire(asyncio.get_running_loop().time())
        with pytest.raises(BrokenPipeError):
            peer.end.send(ASK % 1)

    run(story())


class Hammer:
    """Callers that ask as fast as they can while server after server retires."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked = 0
        self.wrong: list[str] = []
        self._turn = threading.Lock()

    def run(self, seed: int, *, keep: bool) -> None:
        chance = random.Random(seed)
        end: socket.socket | None = None
        for _ in range(PARTS):
            if chance.random() < 0.5:
                threading.Event().wait(chance.random() * 0.002)
            end = self._ask(end)
            if not keep:
                end.close()
                end = None
        if end is not None:
            end.close()

    def _ask(self, end: socket.socket | None) -> socket.socket:
        with self._turn:
            self.asked += 1
            number = self.asked
        while True:
            if end is None:
                end = socket.socket(socket.AF_UNIX)
                end.settimeout(5)
                end.connect(os.fspath(self.path))
            try:
                end.send(ASK % number)
            except BrokenPipeError:
                # Nobody saw it: ask the next server.
                end.close()
                end = None
                continue
            try:
                answer = end.recv(4096)
            except OSError as error:
                answer = repr(error).encode()
            if not answer.startswith(b"HTTP/1.1 200"):
                self.wrong.append(f"{number}: {answer!r}")
            return end


def test_no_request_is_lost_while_servers_come_and_go(run: Run, box: Box) -> None:
    path = box.folder / "hammered.sock"
    seen: list[str] = []
    hammer = Hammer(path)

    def count(request: Request) -> Response:
        seen.append(request.path)
        return Response(200)

    async def story() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.fspath(path))
            listener.listen()
            callers = [
                threading.Thread(target=hammer.run, args=(seed,), kwargs={"keep": seed % 2 == 0})
                for seed in range(4)
            ]
            for each in callers:
                each.start()
            retired = 0
            while any(each.is_alive() for each in callers):
                server = box.server = Server(count, Limits())
                server.serve_listener(listener.dup(), "tester")
                await asyncio.sleep(0.001)
                while not server.retire(loop.time()):
                    await asyncio.sleep(0)
                retired += 1
            assert retired > 20, "the test has tried it"

    run(story())
    assert hammer.wrong == []
    assert len(seen) == len(set(seen)) == hammer.asked
