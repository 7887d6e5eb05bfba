"""The dialer keeps connections, and repeats only what does no harm twice."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from databox.kit.dialer import Dialer
from databox.wire import api
from databox.wire.errors import Conflict, Unavailable

Answer = Callable[[bytes], bytes]


class Peer:
    """A callee behind `connect`: answers each request by `answer`, hangs up on an empty one."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.connected = 0
        self.asked: list[bytes] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def connect(self, callee: str) -> socket.socket:
        self.connected += 1
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.tasks.append(asyncio.create_task(self._serve(theirs)))
        return ours

    async def _serve(self, sock: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=sock)
        while head := await self._head(reader):
            self.asked.append(head)
            answer = self.answer(head)
            if not answer:
                break
            writer.write(answer)
        writer.close()

    async def _head(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line.split(b":")[1]))
        return head


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def tell(answer: Answer, story: Callable[[Dialer, Peer], Awaitable[None]]) -> None:
    async def run() -> None:
        peer = Peer(answer)
        dialer = Dialer(peer)
        await story(dialer, peer)
        dialer.close()
        await asyncio.gather(*peer.tasks)

    asyncio.run(run())


def test_two_calls_share_a_connection() -> None:
    async def story(dialer: Dialer, peer: Peer) -> None:
        await dialer.fetch("arbiter", "GET", "/status")
        await dialer.fetch("arbiter", "GET", "/status")
        assert peer.connected == 1

    tell(lambda _: ok(b"active"), story)


def test_call_gives_the_reply_message() -> None:
    async def story(dialer: Dialer, peer: Peer) -> None:
        epoch = await dialer.call("epoch")
        assert epoch == api.Epoch(epoch=3, ended=("g1",), now=7)

    tell(lambda _: ok(b'{"epoch":3,"ended":["g1"],"now":7}'), story)


def test_call_fills_the_path_and_escapes_what_could_leave_it() -> None:
    async def story(dialer: Dialer, peer: Peer) -> None:
        await dialer.call("component.remove", args={"name": "../grants"})
        assert peer.asked[0].startswith(b"POST /components/..%2Fgrants/remove ")

    tell(lambda _: ok(b"{}"), story)


def test_call_raises_what_the_callee_refused_with() -> None:
    body = b'{"error":{"code":"taken","message":"no"}}'
    refusal = b"HTTP/1.1 409 Conflict\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    async def story(dialer: Dialer, peer: Peer) -> None:
        with pytest.raises(Conflict) as caught:
            await dialer.call("grant.list")
        assert caught.value.code == "taken"

    tell(lambda _: refusal, story)


def test_call_refuses_an_answer_that_is_not_what_was_agreed() -> None:
    async def story(dialer: Dialer, peer: Peer) -> None:
        with pytest.raises(Unavailable):
            await dialer.call("epoch")

    tell(lambda _: ok(b'{"epoch":"three"}'), story)


def test_read_is_sent_again_when_a_kept_connection_has_died() -> None:
    answers = iter([ok(b"1"), b"", ok(b"2")])

    async def story(dialer: Dialer, peer: Peer) -> None:
        await dialer.fetch("arbiter", "GET", "/status")
        assert (await dialer.fetch("arbiter", "GET", "/status")).body == b"2"

    tell(lambda _: next(answers), story)


def test_write_is_never_sent_twice() -> None:
    answers = iter([ok(b"1"), b"", ok(b"2")])

    async def story(dialer: Dialer, peer: Peer) -> None:
        await dialer.fetch("arbiter", "GET", "/status")
        with pytest.raises(Unavailable):
            await dialer.fetch("arbiter", "POST", "/grants", body=b"{}")
        assert len(peer.asked) == 2

    tell(lambda _: next(answers), story)
