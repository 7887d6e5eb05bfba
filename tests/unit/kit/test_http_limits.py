"""Slow, silent, greedy and numerous callers are bounded, and told so where that is possible."""

import asyncio
import json

import pytest

from databox.kit.http import Request, Response

POST = b"POST / HTTP/1.1\r\nHost: box\r\n"
GET = b"GET / HTTP/1.1\r\nHost: box\r\n\r\n"


def said(request: Request) -> Response:
    return Response(200, request.body, "text/plain")


async def dribble(peer, data: bytes, pause: float) -> None:
    try:
        await peer.send(*[data[i : i + 1] for i in range(len(data))], pause=pause)
    except OSError:
        return


@pytest.mark.parametrize(
    ("start", "rest", "part"),
    [
        (b"GET /", b"a" * 200, b"head"),
        (b"GET / HTTP/1.1\r\nX: ", b"a" * 200, b"head"),
        (POST + b"Content-Length: 500\r\n\r\n", b"a" * 200, b"body"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 40, b"body"),
    ],
)
def test_a_request_that_comes_drop_by_drop_is_ended(run, box, start, rest, part):
    async def story():
        box.serve(said, head_seconds=0.15, body_seconds=0.15, idle_seconds=9)
        peer = box.peer()
        began = asyncio.get_running_loop().time()
        await peer.send(start)
        drip = asyncio.create_task(dribble(peer, rest, 0.01))
        answer = await peer.receive()
        drip.cancel()
        return answer, asyncio.get_running_loop().time() - began

    answer, seconds = run(story())
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"request's " + part in answer
    assert seconds < 2.5


@pytest.mark.parametrize("sent", [b"", b"GE", b"\r\n\r\n"])
def test_a_connection_that_says_nothing_is_closed(run, box, sent):
    async def story():
        box.serve(said, head_seconds=0.1, idle_seconds=0.1)
        peer = box.peer()
        await peer.send(sent)
        return await peer.receive(seconds=2)

    assert run(story()) == b""


def test_a_kept_connection_is_closed_when_idle_and_not_before(run, box):
    async def story():
        box.serve(said, idle_seconds=0.3)
        peer = box.peer()
        for _ in range(4):
            await peer.send(GET)
            await peer.receive(until=b"\r\n\r\n")
            await asyncio.sleep(0.1)
        began = asyncio.get_running_loop().time()
        rest = await peer.receive(seconds=3)
        return rest, asyncio.get_running_loop().time() - began

    rest, seconds = run(story())
    assert rest == b""
    assert 0.1 < seconds < 1


def test_empty_lines_do_not_keep_a_connection_alive(run, box):
    async def story():
        box.serve(said, idle_seconds=0.2)
        peer = box.peer()
        await peer.send(GET)
        await peer.receive(until=b"\r\n\r\n")
        drip = asyncio.create_task(dribble(peer, b"\r\n" * 100, 0.01))
        rest = await peer.receive(seconds=1)
        drip.cancel()
        return rest

    assert run(story()) == b""


def test_a_handler_may_take_longer_than_any_bound_on_the_peer(run, box):
    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.4)
        return said(request)

    async def story():
        box.serve(slow, head_seconds=0.1, body_seconds=0.1, idle_seconds=0.1, send_seconds=0.1)
        peer = box.peer()
        await peer.send(GET)
        return await peer.receive(until=b"\r\n\r\n")

    assert run(story()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "head", [b"Content-Length: 3000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n2dc6c0\r\n"]
)
def test_an_oversized_body_is_refused_in_words_although_it_is_still_being_sent(run, box, head):
    async def story():
        box.serve(said, body=1000)
        peer = box.peer()
        sending = asyncio.create_task(peer.send(POST + head + b"x" * 3_000_000))
        answer = await peer.receive()
        try:
            await sending
        except OSError:
            return answer
        return answer

    answer = run(story())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"] == {
        "code": "too-large",
        "message": "The body is larger than 1000 bytes",
        "field": "body",
        "found": "more than 1000 bytes",
        "remedy": "Send less at once",
    }


def test_a_peer_that_does_not_take_its_answer_is_dropped(run, box):
    async def story():
        box.serve(lambda request: Response(200, b"x" * 5_000_000), send_seconds=0.2)
        peer = box.peer()
        await peer.send(GET)
        await asyncio.sleep(0.7)
        return await peer.receive(seconds=3)

    assert 0 < len(run(story())) < 5_000_000


def test_a_peer_that_takes_its_answer_slowly_gets_all_of_it(run, box):
    size = 2_000_000

    async def story():
        box.serve(lambda request: Response(200, b"x" * size), send_seconds=0.2)
        peer = box.peer()
        await peer.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        received = 0
        loop = asyncio.get_running_loop()
        while part := await loop.sock_recv(peer.end, 65536):
            received += len(part)
            await asyncio.sleep(0.02)
        return received

    assert run(story()) > size


def test_requests_wait_while_the_peer_does_not_take_its_answers(run, box):
    served: list[int] = []

    def large(request: Request) -> Response:
        served.append(1)
        return Response(200, b"x" * 1_000_000)

    async def story():
        box.serve(large)
        peer = box.peer()
        await peer.send(GET * 20)
        await asyncio.sleep(0.1)
        before = len(served)
        received = 0
        loop = asyncio.get_running_loop()
        while received < 20_000_000:
            received += len(await loop.sock_recv(peer.end, 1 << 20))
        return before

    before = run(story())
    assert before < 4
    assert len(served) == 20


def test_more_connections_than_one_caller_may_have_are_refused_politely(run, box):
    async def story():
        box.serve(said, connections_per_caller=2)
        first, second, third = box.peer("greedy"), box.peer("greedy"), box.peer("greedy")
        other = box.peer("modest")
        refused = await third.receive()
        answers = [await peer.ask(GET) for peer in (first, second, other)]
        await asyncio.sleep(0.05)
        again = await box.peer("greedy").ask(GET)
        return refused, answers, again

    refused, answers, again = run(story())
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"too-many-connections" in refused
    assert b"Retry-After: 1\r\n" in refused
    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in [*answers, again])


def test_all_callers_together_are_bounded(run, box):
    async def story():
        box.serve(said, connections=2)
        box.peer("a"), box.peer("b")
        return await box.peer("c").receive()

    assert run(story()).startswith(b"HTTP/1.1 503 ")


def test_a_place_is_not_free_while_the_handler_of_a_caller_that_left_still_runs(run, box):
    release = asyncio.Event()

    async def slow(request: Request) -> Response:
        await release.wait()
        return said(request)

    async def story():
        box.serve(slow, connections_per_caller=1)
        first = box.peer()
        await first.send(GET)
        await asyncio.sleep(0.05)
        first.end.close()
        await asyncio.sleep(0.05)
        refused = await box.peer().receive()
        release.set()
        await asyncio.sleep(0.05)
        second = box.peer()
        await second.send(GET)
        return refused, await second.receive(until=b"\r\n\r\n")

    refused, answer = run(story())
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_an_idle_server_sets_no_timer(run, box):
    async def story():
        server = box.serve(said, idle_seconds=0.1)
        await box.peer().ask(GET)
        await asyncio.sleep(0.3)
        return server._sweep

    assert run(story()) is None
