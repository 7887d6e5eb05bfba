"""Bodies that are read as they come: in order, within bounds, and never for ever."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from databox.kit.http import Request, Response, Router, Stream
from databox.kit.http.incoming import BodyLost, BodySlow
from databox.wire.errors import DataboxError, TooLarge

CHUNKED = b"POST /up HTTP/1.1\r\nHost: box\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET /now HTTP/1.1\r\nHost: box\r\n\r\n"


def post(length: int, *headers: str) -> bytes:
    lines = ["POST /up HTTP/1.1", "Host: box", f"Content-Length: {length}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def statuses(answers: bytes) -> list[int]:
    return [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]]


def bodies(answers: bytes) -> list[bytes]:
    return [part.split(b"\r\n\r\n", 1)[1] for part in answers.split(b"HTTP/1.1 ")[1:]]


class Sink:
    """Reads bodies, when it may."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.parts: list[bytes] = []
        self.request: Request | None = None
        self.error: DataboxError | None = None

    async def __call__(self, request: Request) -> Response:
        self.request = request
        assert request.stream is not None
        try:
            await self.go.wait()
            async for part in request.stream:
                self.parts.append(part)
                await self.go.wait()
        except DataboxError as error:
            self.error = error
            raise
        body = b"".join(self.parts)
        self.parts.clear()
        return Response(200, body if len(body) < 1000 else b"%d" % len(body), "text/plain")


def routes(handler, max_body: int = 1 << 30) -> Router:
    router = Router()
    router.add("POST", "/up", handler, max_body=max_body, streamed=True)
    router.add("GET", "/now", lambda request: Response(200, b"now", "text/plain"))
    return router


@pytest.mark.parametrize(
    "sent",
    [
        [post(5) + b"hello"],
        [post(5), b"he", b"llo"],
        [CHUNKED + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX: y\r\n\r\n"],
        [CHUNKED, b"2\r\nhe\r", b"\n3\r\nllo\r\n0\r\n", b"\r\n"],
    ],
)
def test_a_body_reaches_its_reader_as_it_was_sent(run, box, sent):
    async def story():
        box.serve(routes(Sink()))
        peer = box.peer()
        await peer.send(*sent, pause=0.01)
        return await peer.receive(until=b"hello", seconds=5)

    assert bodies(run(story())) == [b"hello"]


@pytest.mark.parametrize("head", [post(0), b"POST /up HTTP/1.1\r\nHost: box\r\n\r\n"])
def test_an_empty_body_ends_at_once_also_when_its_head_is_known(run, box, head):
    async def story():
        box.serve(routes(Sink()))
        peer = box.peer()
        answers = b""
        for _ in range(3):
            await peer.send(head)
            answers += await peer.receive(until=b"Content-Length: 0\r\n\r\n")
        return answers

    assert statuses(run(story())) == [200, 200, 200]


def test_the_handler_runs_before_the_body_has_come(run, box):
    async def story():
        sink = Sink()
        box.serve(routes(sink))
        peer = box.peer()
        await peer.send(post(10) + b"hello")
        await asyncio.sleep(0.05)
        assert sink.parts == [b"hello"]
        await peer.send(b"world")
        return await peer.receive(until=b"helloworld")

    assert statuses(run(story())) == [200]


def test_a_connection_carries_on_after_a_streamed_body(run, box):
    async def story():
        box.serve(routes(Sink()))
        return await box.peer().ask(GET + post(5) + b"hello" + GET + post(5) + b"again" + GET)

    assert bodies(run(story())) == [b"now", b"hello", b"now", b"again", b"now"]


def test_a_body_waits_for_an_answer_before_it(run, box):
    async def story():
        sink = Sink()
        sink.go.clear()
        box.serve(routes(sink))
        peer = box.peer()
        await peer.send(post(3) + b"one" + post(300_000))
        sending = asyncio.create_task(peer.send(b"2" * 300_000))
        await asyncio.sleep(0.05)
        sink.go.set()
        answers = await peer.receive(until=b"300000")
        await sending
        return answers

    assert bodies(run(story())) == [b"one", b"300000"]


def test_a_peer_is_held_back_by_a_reader_that_is_slower(run, box):
    async def story():
        sink = Sink()
        sink.go.clear()
        box.serve(routes(sink))
        peer = box.peer()
        total = 8_000_000
        sending = asyncio.create_task(peer.send(post(total) + b"x" * total))
        await asyncio.sleep(0.2)
        assert not sending.done()
        assert sink.request.stream.received < 600_000
        sink.go.set()
        answer = await peer.receive(until=b"8000000")
        await sending
        return answer

    assert statuses(run(story())) == [200]


def test_parts_of_one_byte_are_bounded_too(run, box):
    async def story():
        sink = Sink()
        box.serve(routes(sink))
        peer = box.peer()
        await peer.send(CHUNKED + b"1\r\nx\r\n")
        await asyncio.sleep(0.02)
        sink.go.clear()
        sending = asyncio.create_task(peer.send(b"1\r\nx\r\n" * 400_000))
        await asyncio.sleep(0.3)
        received = sink.request.stream.received
        sending.cancel()
        return received

    assert run(story()) < 90_000


@pytest.mark.parametrize("sent", [post(101) + b"x" * 101, post(101)])
def test_a_body_that_says_it_is_too_long_is_refused_before_it_comes(run, box, sent):
    async def story():
        sink = Sink()
        box.serve(routes(sink, max_body=100))
        answer = await box.peer().ask(sent)
        assert sink.request is None
        return answer

    assert statuses(run(story())) == [413]


def test_a_body_that_becomes_too_long_is_ended_at_the_bound(run, box):
    async def story():
        sink = Sink()
        box.serve(routes(sink, max_body=100))
        answer = await box.peer().ask(CHUNKED + b"40\r\n" + b"x" * 64 + b"\r\n40\r\n" + b"x" * 64)
        assert isinstance(sink.error, TooLarge)
        return answer

    answer = run(story())
    assert statuses(answer) == [413]
    assert b"Connection: close" in answer


def test_a_malformed_chunk_is_told_to_the_reader_and_the_peer(run, box):
    async def story():
        sink = Sink()
        box.serve(routes(sink))
        answer = await box.peer().ask(CHUNKED + b"5\r\nhello\r\nzz\r\n")
        assert isinstance(sink.error, BodyLost)
        return answer

    assert statuses(run(story())) == [400]


def test_a_peer_that_leaves_fails_the_reader(run, box):
    async def story():
        sink = Sink()
        box.serve(routes(sink))
        peer = box.peer()
        await peer.send(post(100) + b"hello")
        await asyncio.sleep(0.02)
        peer.end.close()
        await asyncio.sleep(0.05)
        return sink.error

    assert isinstance(run(story()), BodyLost)


def test_a_peer_that_says_no_more_in_the_middle_gets_an_answer(run, box):
    async def story():
        box.serve(routes(Sink()))
        return await box.peer().ask(post(100) + b"hello")

    assert statuses(run(story())) == [400]


def test_a_caller_whose_access_ends_fails_the_reader(run, box):
    async def story():
        sink = Sink()
        server = box.serve(routes(sink))
        peer = box.peer()
        await peer.send(post(100) + b"hello")
        await asyncio.sleep(0.02)
        server.close_caller("tester")
        await asyncio.sleep(0.05)
        return sink.error

    assert isinstance(run(story()), BodyLost)


async def dribble(peer, data: bytes, pause: float) -> None:
    try:
        await peer.send(*[data[i : i + 1] for i in range(len(data))], pause=pause)
    except OSError:
        return


def test_a_body_that_comes_drop_by_drop_is_ended(run, box):
    async def story():
        sink = Sink()
        box.serve(routes(sink), body_seconds=0.15)
        peer = box.peer()
        began = asyncio.get_running_loop().time()
        await peer.send(post(500))
        drip = asyncio.create_task(dribble(peer, b"x" * 400, 0.01))
        answer = await peer.receive()
        drip.cancel()
        assert isinstance(sink.error, BodySlow)
        return answer, asyncio.get_running_loop().time() - began

    answer, seconds = run(story())
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert seconds < 2.5


def test_a_body_that_comes_steadily_may_take_longer_than_one_period(run, box):
    async def story():
        box.serve(routes(Sink()), body_seconds=0.1, body_pace=20)
        peer = box.peer()
        await peer.send(post(200))
        await peer.send(*[b"x" * 10] * 20, pause=0.02)
        return await peer.receive(until=b"x" * 200)

    assert statuses(run(story())) == [200]


def test_a_peer_is_not_blamed_for_a_slow_reader(run, box):
    async def story():
        sink = Sink()
        sink.go.clear()
        box.serve(routes(sink), body_seconds=0.1)
        peer = box.peer()
        sending = asyncio.create_task(peer.send(post(2_000_000) + b"x" * 2_000_000))
        await asyncio.sleep(0.6)
        sink.go.set()
        answer = await peer.receive(until=b"2000000")
        await sending
        return answer

    assert statuses(run(story())) == [200]


def test_a_handler_that_takes_its_time_is_no_reason_to_end_the_request(run, box):
    async def later(request: Request) -> Response:
        async for _ in request.stream:
            pass
        await asyncio.sleep(0.5)
        return Response(200, b"late", "text/plain")

    async def story():
        box.serve(routes(later), body_seconds=0.1, head_seconds=0.1, idle_seconds=0.1)
        peer = box.peer()
        await peer.send(post(5) + b"hello")
        return await peer.receive(until=b"late")

    assert statuses(run(story())) == [200]


@pytest.mark.parametrize("later", [True, False])
def test_an_answer_before_the_body_ends_the_connection_after_it(run, box, later):
    async def refuse_later(request: Request) -> Response:
        return Response(507, b"full", "text/plain")

    def refuse(request: Request) -> Response:
        return Response(507, b"full", "text/plain")

    async def story():
        box.serve(routes(refuse_later if later else refuse))
        peer = box.peer()
        await peer.send(post(1_000_000), b"x" * 100_000)
        return await peer.receive()

    answer = run(story())
    assert statuses(answer) == [507]
    assert b"Connection: close" in answer
    assert answer.endswith(b"full")


def test_a_peer_that_asks_first_is_told_to_go_on_when_its_body_is_read(run, box):
    async def story():
        sink = Sink()
        sink.go.clear()
        box.serve(routes(sink))
        peer = box.peer()
        await peer.send(post(5, "Expect: 100-continue"))
        await asyncio.sleep(0.05)
        sink.go.set()
        first = await peer.receive(until=b"\r\n\r\n")
        await peer.send(b"hello")
        return first, await peer.receive(until=b"hello")

    first, answer = run(story())
    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert statuses(answer) == [200]


def test_a_peer_that_asks_first_and_is_refused_is_not_told_to_go_on(run, box):
    async def refuse(request: Request) -> Response:
        return Response(401, b"no", "text/plain")

    async def story():
        box.serve(routes(refuse))
        peer = box.peer()
        await peer.send(post(5, "Expect: 100-continue"))
        return await peer.receive()

    assert statuses(run(story())) == [401]


def test_a_body_can_be_answered_while_it_comes(run, box):
    async def echo(request: Request) -> Stream:
        return Stream(200, "text/plain", request.stream)

    async def story():
        box.serve(routes(echo))
        peer = box.peer()
        await peer.send(CHUNKED + b"5\r\nhello\r\n")
        first = await peer.receive(until=b"hello")
        await peer.send(b"5\r\nworld\r\n0\r\n\r\n")
        return first, await peer.receive(until=b"0\r\n\r\n")

    first, rest = run(story())
    assert statuses(first) == [200]
    assert rest == b"5\r\nworld\r\n0\r\n\r\n"


def streaming(chunks: list[bytes], length: int):
    async def parts() -> AsyncIterator[bytes]:
        for each in chunks:
            yield each

    async def handler(request: Request) -> Stream:
        return Stream(206, "text/plain", parts(), (("ETag", '"e"'),), length)

    return handler


def test_a_streamed_answer_says_its_length_where_that_is_known(run, box):
    async def story():
        router = Router()
        router.add("GET", "/file", streaming([b"hel", b"lo"], 5))
        box.serve(router)
        head = b"HTTP/1.1\r\nHost: box\r\n\r\n"
        return await box.peer().ask(b"GET /file " + head + b"HEAD /file " + head)

    answers = run(story())
    assert statuses(answers) == [206, 206]
    assert bodies(answers) == [b"hello", b""]
    assert answers.count(b"Content-Length: 5") == 2
    assert b"chunked" not in answers


@pytest.mark.parametrize("chunks", [[b"hel"], [b"hel", b"lo", b"!"]])
def test_a_streamed_answer_of_another_length_than_it_said_is_cut_off(run, box, chunks):
    async def story():
        router = Router()
        router.add("GET", "/file", streaming(chunks, 5))
        box.serve(router)
        peer = box.peer()
        await peer.send(b"GET /file HTTP/1.1\r\nHost: box\r\n\r\n")
        answer = await peer.receive()
        return bodies(answer)[0] if answer else b""

    assert len(run(story())) <= 5
