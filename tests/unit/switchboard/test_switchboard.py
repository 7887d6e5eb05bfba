"""The switchboard between a sandbox and the outside, with sockets of this machine on both sides."""

import asyncio
import contextlib
import socket

import pytest

from databox.kit.control import Control
from databox.switchboard import service
from databox.switchboard.service import Switchboard
from databox.wire.control import Allow, Listener, Route, Unlisten

PLACE = "peer.example"


class FakeResolver:
    """Leads every name to this machine, once `known` is set."""

    def __init__(self, port):
        self.port = port
        self.asked, self.known = asyncio.Event(), asyncio.Event()

    async def lookup(self, place):
        self.asked.set()
        await self.known.wait()
        return [("127.0.0.1", self.port)]

    def check(self, place, answers):
        return answers[0]


class Outside:
    """A place outside that keeps what it gets."""

    def __init__(self):
        self.got = bytearray()
        self.came = asyncio.Event()
        self.left = asyncio.Event()

    async def serve(self, reader, writer):
        self.came.set()
        while part := await reader.read(1000):
            self.got += part
        self.left.set()
        await hang_up(writer)


async def hang_up(*writers):
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def between(tmp_path):
    """A switchboard whose line `export-service` leads to a place outside."""
    outside = Outside()
    server = await asyncio.start_server(outside.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control = Control(theirs, part="switchboard", config={}, secrets={}, directory=tmp_path)
    resolver = FakeResolver(port)
    board = Switchboard(control, resolver)
    told = []

    async def call(name, message):
        told.extend(message.events)

    board._dialer.call = call
    path = tmp_path / "line.sock"
    listener = listening(path)
    board.listen(Listener(caller="export-service", callee="switchboard", kind="plain"), listener)
    board.heard(Allow(caller="export-service", places=(f"{PLACE}:{port}",)))
    with ours, theirs:
        try:
            yield board, resolver, outside, path, told
        finally:
            board.end()
            await asyncio.sleep(0.05)
            server.close()
            await server.wait_closed()


def listening(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


async def connect(path, port):
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(f"CONNECT {PLACE}:{port} HTTP/1.1\r\n\r\nearly".encode())
    return reader, writer


def play(story):
    async def whole():
        async with asyncio.timeout(10):
            await story()

    asyncio.run(whole())


def test_what_is_taken_away_while_it_dials_sends_nothing(tmp_path):
    async def story():
        async with between(tmp_path) as (board, resolver, outside, path, _):
            _, writer = await connect(path, resolver.port)
            await resolver.asked.wait()
            board.unlisten(Unlisten(caller="export-service", callee="switchboard"))
            resolver.known.set()
            await outside.left.wait()
            assert outside.got == b""
            await hang_up(writer)

    play(story)


def test_a_connection_is_on_the_record_while_it_is_open(tmp_path):
    async def story():
        async with between(tmp_path) as (board, resolver, outside, path, told):
            resolver.known.set()
            _, writer = await connect(path, resolver.port)
            while outside.got != b"early":
                await asyncio.sleep(0.01)
            await board.tell()
            assert [(e.host, e.connections, e.sent) for e in told] == [(PLACE, 1, 5)]
            writer.write(b"more")
            while outside.got != b"earlymore":
                await asyncio.sleep(0.01)
            await board.tell()
            assert [(e.connections, e.sent) for e in told[1:]] == [(0, 4)]
            await board.tell()
            assert len(told) == 2
            await hang_up(writer)

    play(story)


def test_all_lines_of_a_caller_share_one_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "MOST_PER_CALLER", 3)

    async def story():
        async with between(tmp_path) as (board, *_):
            for name in ("a", "b"):
                route = Route(caller="hue", name=name, outside=f"{PLACE}:443")
                board.route(route, listening(tmp_path / name))
            ends = [await asyncio.open_unix_connection(tmp_path / name) for name in ("a", "b") * 2]
            while not any(reader.at_eof() for reader, _ in ends):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            assert sum(reader.at_eof() for reader, _ in ends) == 1
            await hang_up(*(writer for _, writer in ends))

    play(story)


def test_a_line_goes_on_after_descriptors_ran_out(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "AGAIN_S", 0.01)

    async def story():
        loop = asyncio.get_running_loop()
        accept, failures = loop.sock_accept, [OSError(24, "Too many open files")]

        async def flaky(listener):
            if failures:
                raise failures.pop()
            return await accept(listener)

        loop.sock_accept = flaky
        async with between(tmp_path) as (_, resolver, outside, path, _):
            resolver.known.set()
            _, writer = await connect(path, resolver.port)
            await outside.came.wait()
            await hang_up(writer)

    play(story)


@pytest.mark.parametrize("place", ["other.example:443", "127.0.0.1:443"])
def test_a_place_that_was_not_allowed_is_not_dialled(tmp_path, place):
    async def story():
        async with between(tmp_path) as (_, resolver, _, path, _):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(f"CONNECT {place} HTTP/1.1\r\n\r\n".encode())
            assert not (await reader.read()).startswith(b"HTTP/1.1 200")
            assert not resolver.asked.is_set()
            await hang_up(writer)

    play(story)
