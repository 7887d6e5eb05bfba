"""What a server does with sound requests, and with handlers that fail."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import pytest

from databox.kit.http import Request, Response, Route, Router, Server, Stream, Upgrade
from databox.wire.errors import Conflict, Denied, NotFound


def get(path: str, *headers: str, version: str = "1.1") -> bytes:
    lines = [f"GET {path} HTTP/{version}", "Host: box", *headers, "", ""]
    return "\r\n".join(lines).encode()


def bodies(answers: bytes) -> list[bytes]:
    return [part.split(b"\r\n\r\n", 1)[1] for part in answers.split(b"HTTP/1.1 ")[1:]]


def statuses(answers: bytes) -> list[int]:
    return [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]]


def said(request: Request) -> Response:
    return Response(200, request.body, "text/plain")


def named(request: Request) -> Response:
    return Response(200, request.args["name"].encode(), "text/plain")


async def later(request: Request) -> Response:
    await asyncio.sleep(0.02)
    return Response(200, b"late " + request.args["name"].encode(), "text/plain")


def router() -> Router:
    routes = Router()
    routes.add("GET", "/echo", said)
    routes.add("POST", "/echo", said)
    routes.add("GET", "/now/{name}", named)
    routes.add("GET", "/later/{name}", later)
    return routes


def test_a_get_is_answered_with_its_length_and_type(run, box):
    async def story():
        box.serve(router())
        return await box.peer().ask(get("/now/lamp"))

    head, body = run(story()).split(b"\r\n\r\n", 1)
    assert body == b"lamp"
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: ")
    assert head.endswith(b"\r\nContent-Length: 4")


def test_a_body_on_a_get_reaches_the_handler(run, box):
    async def story():
        box.serve(router())
        return await box.peer().ask(get("/echo", "Content-Length: 5") + b"hello")

    assert bodies(run(story())) == [b"hello"]


def test_a_chunked_body_is_joined_and_its_trailer_is_dropped(run, box):
    seen: list[Request] = []

    def handler(request: Request) -> Response:
        seen.append(request)
        return said(request)

    async def story():
        box.serve(handler)
        head = b"POST / HTTP/1.1\r\nHost: box\r\nTransfer-Encoding: chunked\r\n\r\n"
        return await box.peer().ask(
            head + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-Api-Key: stolen\r\n\r\n"
        )

    assert bodies(run(story())) == [b"hello"]
    assert "x-api-key" not in seen[0].headers


def test_pipelined_requests_are_answered_in_order_even_if_the_first_waits(run, box):
    async def story():
        box.serve(router())
        return await box.peer().ask(
            get("/later/a") + get("/now/b") + get("/later/c") + get("/now/d")
        )

    assert bodies(run(story())) == [b"late a", b"b", b"late c", b"d"]


def test_more_pipelined_requests_than_allowed_are_cut_off_after_an_answer(run, box):
    async def story():
        box.serve(router(), pipelined=3)
        return await box.peer().ask(get("/later/a") + get("/now/b") * 9)

    answers = run(story())
    assert statuses(answers) == [200] * 4
    assert answers.count(b"Connection: close") == 1


def test_a_connection_is_kept_for_the_next_request(run, box):
    async def story():
        box.serve(router())
        peer = box.peer()
        first = b""
        for _ in range(3):
            await peer.send(get("/now/x"))
            first += await peer.receive(until=b"\r\n\r\nx")
        return first

    assert statuses(run(story())) == [200, 200, 200]


@pytest.mark.parametrize(
    ("request_head", "closes"),
    [
        (get("/now/x"), False),
        (get("/now/x", "Connection: close"), True),
        (get("/now/x", version="1.0"), True),
        (get("/now/x", "Connection: keep-alive", version="1.0"), False),
    ],
)
def test_the_peer_decides_whether_the_connection_is_kept(run, box, request_head, closes):
    async def story():
        box.serve(router(), idle_seconds=0.1)
        peer = box.peer()
        await peer.send(request_head)
        return await peer.receive()

    answer = run(story())
    assert (b"Connection: close" in answer) is closes
    assert statuses(answer) == [200]


def test_head_gets_the_length_without_the_body(run, box):
    async def story():
        box.serve(router())
        return await box.peer().ask(get("/now/lamp").replace(b"GET", b"HEAD"))

    answer = run(story())
    assert b"Content-Length: 4" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_an_unknown_path_is_404_and_a_wrong_method_405_with_allow(run, box):
    async def story():
        box.serve(router())
        return await box.peer().ask(get("/nothing") + get("/now/x").replace(b"GET", b"DELETE"))

    answers = run(story())
    assert statuses(answers) == [404, 405]
    assert b"Allow: GET, HEAD\r\n" in answers


def test_expect_continue_is_answered_before_the_body_comes(run, box):
    async def story():
        box.serve(router())
        peer = box.peer()
        await peer.send(
            b"POST /echo HTTP/1.1\r\nHost: box\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        first = await peer.receive(until=b"\r\n\r\n")
        return first, await peer.ask(b"hi")

    first, answer = run(story())
    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert bodies(answer) == [b"hi"]


def test_expect_continue_waits_for_the_answers_before_it(run, box):
    async def story():
        box.serve(router())
        peer = box.peer()
        await peer.send(
            get("/later/a")
            + b"POST /echo HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        return await peer.receive(until=b"100 Continue\r\n\r\n")

    assert statuses(run(story())) == [200, 100]


def test_an_oversized_body_is_refused_instead_of_expected(run, box):
    async def story():
        box.serve(router(), body=10)
        peer = box.peer()
        await peer.send(
            b"POST /echo HTTP/1.1\r\nHost: b\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n"
        )
        return await peer.receive()

    assert statuses(run(story())) == [413]


def test_a_databox_error_becomes_its_status_and_json(run, box):
    def handler(request: Request) -> Response:
        raise Denied("No", field="path", found="/x", remedy="Ask the owner.")

    async def story():
        box.serve(handler)
        return await box.peer().ask(get("/x"))

    answer = run(story())
    assert statuses(answer) == [403]
    assert json.loads(bodies(answer)[0]) == {
        "error": {
            "code": "denied",
            "message": "No",
            "field": "path",
            "found": "/x",
            "remedy": "Ask the owner.",
        }
    }


def test_an_error_raised_after_waiting_becomes_its_status(run, box):
    async def handler(request: Request) -> Response:
        await asyncio.sleep(0)
        raise Conflict("Twice")

    async def story():
        box.serve(handler)
        return await box.peer().ask(get("/x"))

    assert statuses(run(story())) == [409]


@pytest.mark.parametrize("waits", [False, True])
def test_an_unforeseen_error_is_500_with_the_number_in_the_log_and_the_connection_lives(
    run, box, caplog, waits
):
    def fails(request: Request) -> Response:
        raise RuntimeError("inner detail\nforged-event key=1")

    async def fails_later(request: Request) -> Response:
        await asyncio.sleep(0)
        return fails(request)

    routes = router()
    routes.add("GET", "/fails", fails_later if waits else fails)

    async def story():
        box.serve(routes)
        return await box.peer().ask(get("/fails") + get("/now/x"))

    with caplog.at_level(logging.ERROR):
        answers = run(story())
    assert statuses(answers) == [500, 200]
    assert b"inner detail" not in answers
    number = json.loads(bodies(answers)[0])["error"]["found"].removeprefix("error ")
    assert f"error_id={number}" in caplog.records[0].getMessage()


def test_a_header_that_would_split_the_answer_becomes_500(run, box):
    def handler(request: Request) -> Response:
        return Response(200, b"", headers=(("Location", "/\r\nSet-Cookie: a=b"),))

    async def story():
        box.serve(handler)
        return await box.peer().ask(get("/"))

    answer = run(story())
    assert statuses(answer) == [500]
    assert b"Set-Cookie" not in answer


def test_a_handler_that_answers_nothing_is_an_error_of_ours(run, box):
    async def handler(request: Request) -> Response:
        return None

    async def story():
        box.serve(handler)
        return await box.peer().ask(get("/"))

    assert statuses(run(story())) == [500]


def test_no_task_is_made_for_a_handler_that_answers_at_once(run, box):
    tasks: list[int] = []

    def handler(request: Request) -> Response:
        tasks.append(len(asyncio.all_tasks()))
        return said(request)

    async def story():
        box.serve(handler)
        peer = box.peer()
        await peer.send(get("/"))
        await peer.receive(until=b"\r\n\r\n")
        before = len(asyncio.all_tasks())
        await peer.send(get("/"))
        await peer.receive(until=b"\r\n\r\n")
        return before

    before = run(story())
    assert tasks[1] == before


def test_the_request_says_who_called_and_how(run, box):
    seen: list[Request] = []

    def handler(request: Request) -> Response:
        seen.append(request)
        return said(request)

    async def story():
        box.serve(handler)
        await box.peer("weather-app").ask(get("/a%20b?x=1&y=%2F", "X-Api-Key:  k  "))

    run(story())
    request = seen[0]
    assert (request.caller, request.kind, request.method) == ("weather-app", "plain", "GET")
    assert (request.path, request.query, request.target) == (
        "/a b",
        "x=1&y=%2F",
        "/a%20b?x=1&y=%2F",
    )
    assert request.headers == {"host": "box", "x-api-key": "k"}
    assert request.parameters == {"x": "1", "y": "/"}


async def three(log: list[str]) -> AsyncIterator[bytes]:
    try:
        for part in (b"one", b"", b"two"):
            yield part
            await asyncio.sleep(0)
    finally:
        log.append("ended")


def test_a_stream_is_sent_in_chunks_and_the_connection_lives(run, box):
    log: list[str] = []
    routes = router()
    routes.add("GET", "/stream", lambda request: Stream(200, "text/plain", three(log)))

    async def story():
        box.serve(routes)
        peer = box.peer()
        await peer.send(get("/stream") + get("/now/x"))
        return await peer.receive(until=b"\r\n\r\nx")

    answer = run(story())
    assert b"Transfer-Encoding: chunked\r\n" in answer
    assert b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\nHTTP/1.1 200" in answer
    assert log == ["ended"]


@pytest.mark.parametrize("kind", ["response", "stream", "upgrade"])
def test_an_answer_whose_head_cannot_be_sent_becomes_500_and_the_connection_lives(run, box, kind):
    bad = (("X", "a\r\nb"),)
    answers = {
        "response": Response(200, b"", headers=bad),
        "stream": Stream(200, "text/plain", three([]), bad),
        "upgrade": Upgrade(lambda websocket: asyncio.sleep(0), bad),
    }
    routes = router()
    routes.add("GET", "/bad", lambda request: answers[kind])
    opening = get(
        "/bad",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )

    async def story():
        box.serve(routes)
        peer = box.peer()
        if kind == "upgrade":
            return await peer.ask(opening)
        await peer.send(get("/bad") + get("/now/x"))
        return await peer.receive(until=b"\r\n\r\nx")

    assert statuses(run(story())) == ([500] if kind == "upgrade" else [500, 200])


def test_a_stream_to_an_old_peer_ends_with_the_connection(run, box):
    async def story():
        box.serve(lambda request: Stream(200, "text/plain", three([])))
        peer = box.peer()
        await peer.send(get("/", version="1.0"))
        return await peer.receive()

    answer = run(story())
    assert b"chunked" not in answer
    assert answer.endswith(b"\r\n\r\nonetwo")


def test_a_stream_that_fails_is_cut_short_so_that_the_peer_knows(run, box):
    async def failing() -> AsyncIterator[bytes]:
        yield b"part"
        raise RuntimeError("broken")

    async def story():
        box.serve(lambda request: Stream(200, "text/plain", failing()))
        peer = box.peer()
        await peer.send(get("/"))
        return await peer.receive()

    assert not run(story()).endswith(b"0\r\n\r\n")


def test_a_stream_waits_for_its_reader(run, box):
    made: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            made.append(1)
            yield b"x" * 65536

    async def story():
        box.serve(lambda request: Stream(200, "text/plain", endless()))
        peer = box.peer()
        await peer.send(get("/"))
        await asyncio.sleep(0.2)
        first = len(made)
        await asyncio.sleep(0.1)
        second = len(made)
        box.server.close()
        return first, second

    first, second = run(story())
    assert first == second < 64


def test_a_stream_is_told_when_its_reader_leaves(run, box):
    ended = asyncio.Event()

    async def waiting() -> AsyncIterator[bytes]:
        try:
            yield b"x"
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def story():
        box.serve(lambda request: Stream(200, "text/plain", waiting()))
        peer = box.peer()
        await peer.send(get("/"))
        await peer.receive(until=b"x\r\n")
        peer.end.close()
        await asyncio.wait_for(ended.wait(), 5)

    run(story())
    assert ended.is_set()


def test_an_answer_is_still_given_to_a_peer_that_has_said_all(run, box):
    async def story():
        box.serve(router())
        return await box.peer().ask(get("/later/a"))

    assert bodies(run(story())) == [b"late a"]


def test_a_handler_finishes_although_its_caller_left(run, box):
    finished = asyncio.Event()

    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.05)
        finished.set()
        return Response(200)

    async def story():
        box.serve(slow)
        peer = box.peer()
        await peer.send(get("/"))
        await asyncio.sleep(0.01)
        peer.end.close()
        await asyncio.wait_for(finished.wait(), 5)

    run(story())
    assert finished.is_set()


def test_draining_answers_what_runs_and_closes_what_is_idle(run, box):
    async def story():
        server = box.serve(router())
        idle, busy = box.peer(), box.peer()
        await asyncio.sleep(0.01)
        await busy.send(get("/later/a"))
        await asyncio.sleep(0.005)
        await server.drain(grace=5)
        return await idle.receive(), await busy.receive()

    idle, busy = run(story())
    assert idle == b""
    assert bodies(busy) == [b"late a"]
    assert b"Connection: close" in busy


def test_draining_ends_what_does_not_finish_in_time(run, box):
    async def forever(request: Request) -> Response:
        await asyncio.sleep(60)
        return Response(200)

    async def story():
        server = box.serve(forever)
        peer = box.peer()
        await peer.send(get("/"))
        await asyncio.sleep(0.01)
        await server.drain(grace=0.05)
        return await peer.receive()

    assert run(story()) == b""


def test_ending_a_caller_closes_its_listeners_and_connections_and_no_others(run, box):
    async def story():
        server = box.serve(router())
        path = box.listen("gone")
        connected, other = box.connect(path), box.peer("stays")
        await asyncio.sleep(0.02)
        server.close_caller("gone")
        loop = asyncio.get_running_loop()
        connected.setblocking(False)
        try:
            ended = await loop.sock_recv(connected, 10) == b""
        except ConnectionResetError:
            ended = True
        with pytest.raises(ConnectionRefusedError):
            box.connect(path)
        return ended, await other.ask(get("/now/x"))

    ended, answer = run(story())
    assert ended
    assert bodies(answer) == [b"x"]


def test_a_tls_listener_without_a_context_is_refused():
    server = Server(said)
    with pytest.raises(ValueError, match="ssl_context"):
        server.serve_listener(None, "app", "tls")


class ByHost:
    """A resolver that tells apart by host what a router then tells apart by path."""

    def resolve(self, request: Request) -> Route:
        if request.headers["host"] == "broken":
            raise RuntimeError("inner detail")
        if request.headers["host"] != "box":
            raise NotFound("No such host", found=request.headers["host"])
        return router().resolve(request)


@pytest.mark.parametrize(("host", "status"), [(b"box", 200), (b"other", 404), (b"broken", 500)])
def test_a_resolver_of_ones_own_chooses_the_route(run, box, host, status):
    async def story():
        box.serve(ByHost())
        return await box.peer().ask(get("/now/x").replace(b"Host: box", b"Host: " + host))

    answer = run(story())
    assert statuses(answer) == [status]
    assert b"inner detail" not in answer
