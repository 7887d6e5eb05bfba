"""The client sends bodies as they are made and reads answers as they come."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from databox.kit.http import Request, Response, Router, Stream
from databox.kit.http.client import PeerLost
from databox.kit.http.wire import Body
from databox.wire.errors import Unavailable


async def made(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def echo(request: Request) -> Stream:
    assert request.stream is not None
    length = request.headers.get("content-length")
    return Stream(200, "text/plain", request.stream, (("ETag", '"e"'),), length and int(length))


async def count(request: Request) -> Response:
    total = 0
    async for part in request.stream:
        total += len(part)
    return Response(200, b"%d" % total, "text/plain")


async def refuse(request: Request) -> Response:
    return Response(507, b"full", "text/plain")


def routes() -> Router:
    router = Router()
    for path, handler in (("/echo", echo), ("/count", count), ("/full", refuse)):
        router.add("POST", path, handler, max_body=1 << 30, streamed=True)
    router.add("GET", "/now", lambda request: Response(200, b"now", "text/plain"))
    return router


async def whole(stream: Stream) -> bytes:
    return b"".join([part async for part in stream.chunks])


@pytest.mark.parametrize("length", [10, None])
def test_a_body_is_sent_as_it_is_made(run, box, length):
    async def story():
        box.serve(routes())
        client = box.client()
        answer = await client.stream(
            "POST", "/echo", {}, Body(made(b"hello", b"", b"world"), length)
        )
        assert answer.status == 200
        assert answer.length == length
        assert answer.header("etag") == '"e"'
        return await whole(answer)

    assert run(story()) == b"helloworld"


def test_a_connection_can_be_used_again_after_a_streamed_answer(run, box):
    async def story():
        box.serve(routes())
        client = box.client()
        over = []
        for _ in range(3):
            body = Body(made(b"x" * 100_000), 100_000)
            answer = await client.stream("POST", "/count", {}, body, over=over.append)
            assert await whole(answer) == b"100000"
            assert client.usable
            plain = await client.request("GET", "/now")
            assert plain.body == b"now"
        client.close()
        return len(over)

    assert run(story()) == 3


def test_a_large_body_waits_for_the_peer_and_its_answer_for_the_reader(run, box):
    async def story():
        box.serve(routes())
        client = box.client()
        sent = 0

        async def many() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(200):
                sent += 100_000
                yield b"x" * 100_000

        answer = await client.stream("POST", "/echo", {}, Body(many(), 20_000_000))
        return sent, answer

    async def slowly():
        asking = asyncio.create_task(story())
        # Its own answer is not read, so the echo stops, and with it the sending.
        sent, answer = await asking
        assert sent < 20_000_000
        await answer.chunks.aclose()

    run(slowly())


@pytest.mark.parametrize(("parts", "length"), [([b"hello"], 6), ([b"hello"], 4)])
def test_a_body_of_another_length_than_it_said_is_an_error_and_ends_the_connection(
    run, box, parts, length
):
    async def story():
        box.serve(routes())
        client = box.client()
        with pytest.raises(ValueError, match="than it said"):
            await client.stream("POST", "/count", {}, Body(made(*parts), length))
        return client.usable

    assert not run(story())


def test_what_the_parts_raise_is_raised_and_the_peer_learns_that_the_body_broke_off(run, box):
    ended = []

    async def listen(request: Request) -> Response:
        try:
            return await count(request)
        except Exception as error:
            ended.append(type(error).__name__)
            raise

    async def broken() -> AsyncIterator[bytes]:
        yield b"hello"
        raise OSError("the file cannot be read")

    async def story():
        router = Router()
        router.add("POST", "/", listen, streamed=True)
        box.serve(router)
        client = box.client()
        with pytest.raises(OSError, match="the file cannot be read"):
            await client.stream("POST", "/", {}, Body(broken()))
        await asyncio.sleep(0.05)
        return client.usable

    assert not run(story())
    assert ended == ["BodyLost"]


def test_an_early_answer_ends_the_sending(run, box):
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 10_000
            await asyncio.sleep(0)

    async def story():
        box.serve(routes())
        client = box.client()
        answer = await client.stream("POST", "/full", {}, Body(endless()))
        assert answer.status == 507
        body = await whole(answer)
        await asyncio.sleep(0.01)
        return body, client.usable

    assert run(story()) == (b"full", False)


def test_an_answer_cut_short_is_told_to_its_reader(run, box):
    async def parts() -> AsyncIterator[bytes]:
        yield b"hello"
        await asyncio.sleep(0.05)
        raise RuntimeError

    async def story():
        async def handler(request: Request) -> Stream:
            return Stream(200, "text/plain", parts(), (), 100)

        box.serve(handler)
        client = box.client()
        answer = await client.stream("GET", "/")
        with pytest.raises(Unavailable, match="cannot be read"):
            await whole(answer)
        return client.usable

    assert not run(story())


def test_a_silent_peer_is_given_up(run, box):
    async def parts() -> AsyncIterator[bytes]:
        yield b"hello"
        await asyncio.sleep(10)

    async def story():
        async def handler(request: Request) -> Stream:
            return Stream(200, "text/plain", parts())

        box.serve(handler)
        client = box.client()
        answer = await client.stream("GET", "/", timeout=0.2)
        with pytest.raises(Unavailable, match="sent nothing"):
            await whole(answer)
        return client.usable

    assert not run(story())


def test_a_reader_that_stops_ends_the_connection(run, box):
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100_000

    async def story():
        async def handler(request: Request) -> Stream:
            return Stream(200, "text/plain", parts())

        box.serve(handler)
        client = box.client()
        answer = await client.stream("GET", "/")
        async for _ in answer.chunks:
            break
        await answer.chunks.aclose()
        return client.usable

    assert not run(story())


def test_a_peer_that_is_gone_is_told_from_one_that_answers_nothing(run, box):
    async def story():
        server = box.serve(routes())
        client = box.client()
        await client.request("GET", "/now")
        server.close_caller("tester")
        await asyncio.sleep(0.02)
        with pytest.raises(PeerLost):
            await client.stream("GET", "/now")

    run(story())


def test_the_head_alone_has_the_length_and_no_body(run, box):
    async def story():
        async def handler(request: Request) -> Stream:
            return Stream(200, "text/plain", made(b"hello"), (), 5)

        box.serve(handler)
        answer = await box.client().stream("HEAD", "/")
        return answer.length, await whole(answer)

    assert run(story()) == (5, b"")
