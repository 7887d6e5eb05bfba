"""The client believes nothing it is answered that is not whole, well formed and in time."""

import asyncio
import socket

import pytest

from databox.kit.http import Request, Response, Router, Stream, Upgrade, WebSocket
from databox.kit.http.client import Connection, PeerLost, error_of
from databox.wire.errors import Denied, NotFound, Unavailable

OK = b"HTTP/1.1 200 OK\r\n"


def routes() -> Router:
    async def late(request: Request) -> Response:
        await asyncio.sleep(30)
        return Response(200)

    async def parts():
        yield b"one "
        yield b"two"

    async def echo(websocket: WebSocket) -> None:
        while (message := await websocket.receive()) is not None:
            websocket.send(message)

    made = Router()
    made.add("GET", "/echo", lambda request: Response(200, request.body, "text/plain"))
    made.add("POST", "/echo", lambda request: Response(201, request.body, "text/plain"))
    made.add("GET", "/late", late)
    made.add("GET", "/parts", lambda request: Stream(200, "text/plain", parts()))
    made.add("GET", "/ws", lambda request: Upgrade(echo))
    return made


async def answered(raw: bytes, *, then_close: bool = True, method: str = "GET", **bounds):
    """What the client makes of these bytes as the answer to one request."""
    ours, theirs = socket.socketpair()
    connection = Connection(ours)
    with theirs:
        asking = asyncio.create_task(connection.request(method, "/", timeout=1, **bounds))
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_recv(theirs, 65536)
        await loop.sock_sendall(theirs, raw)
        if then_close:
            theirs.shutdown(socket.SHUT_WR)
        try:
            return await asking, connection.usable
        finally:
            connection.close()
            await asyncio.sleep(0.01)


def test_requests_follow_each_other_on_one_connection(run, box):
    async def story():
        box.serve(routes())
        client = box.client()
        answers = [
            await client.request("GET", "/echo", body=b"read"),
            await client.request("POST", "/echo", {"X-Api-Key": "k"}, b"written"),
            await client.request("HEAD", "/nothing"),
        ]
        client.close()
        return [(each.status, each.body, each.content_type) for each in answers]

    assert run(story()) == [
        (200, b"read", "text/plain"),
        (201, b"written", "text/plain"),
        (404, b"", "application/json"),
    ]


def test_a_streamed_answer_is_collected(run, box):
    async def story():
        box.serve(routes())
        client = box.client()
        answer = await client.request("GET", "/parts")
        again = await client.request("GET", "/echo")
        client.close()
        return answer.body, again.status

    assert run(story()) == (b"one two", 200)


def test_a_peer_that_does_not_answer_in_time_is_given_up_and_never_used_again(run, box):
    async def story():
        box.serve(routes())
        client = box.client()
        with pytest.raises(Unavailable, match=r"0\.05 seconds") as caught:
            await client.request("GET", "/late", timeout=0.05)
        with pytest.raises(PeerLost):
            await client.request("GET", "/echo")
        return caught.value.code, client.usable

    assert run(story()) == ("peer-timeout", False)


def test_a_cancelled_request_makes_the_connection_unusable(run, box):
    async def story():
        box.serve(routes())
        client = box.client()
        asking = asyncio.create_task(client.request("GET", "/late"))
        await asyncio.sleep(0.02)
        busy = client.usable
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        return busy, client.usable

    assert run(story()) == (False, False)


def test_a_connection_the_peer_closed_while_idle_says_so(run, box):
    async def story():
        server = box.serve(routes())
        client = box.client()
        await client.request("GET", "/echo")
        before = client.usable
        server.close()
        await asyncio.sleep(0.02)
        after = client.usable
        with pytest.raises(PeerLost):
            await client.request("GET", "/echo")
        return before, after

    assert run(story()) == (True, False)


@pytest.mark.parametrize(
    ("raw", "body", "usable"),
    [
        (OK + b"Content-Length: 2\r\n\r\nhi", b"hi", True),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", b"hi", True),
        (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi", b"hi", False),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nhi", b"hi", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    ],
    ids=["length", "chunks", "close", "interim", "no content"],
)
def test_a_whole_answer_is_given(run, raw, body, usable):
    answer, left = run(answered(raw, then_close=False))
    assert (answer.body, left) == (body, usable)


@pytest.mark.parametrize(
    "raw",
    [
        OK + b"Content-Length: 2000\r\n\r\n" + b"x" * 2000,
        OK + b"Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + b"x" * 2000,
        OK + b"\r\n" + b"x" * 2000,
    ],
    ids=["long by length", "long by chunk", "long until close"],
)
def test_a_body_that_is_too_long_is_cut_where_that_was_asked(run, raw):
    answer, usable = run(answered(raw, max_body=1000, cut=True))
    assert (answer.status, answer.body, usable) == (200, b"x" * 1000, False)


def test_an_answer_that_ends_with_the_connection_is_given(run):
    answer, usable = run(answered(OK + b"\r\nhello"))
    assert (answer.body, usable) == (b"hello", False)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "peer-lost"),
        (b"HTTP/1.1 200 O", "peer-garbled"),
        (OK + b"Content-Length: 9\r\n\r\nhi", "peer-garbled"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", "peer-garbled"),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nhi", "peer-garbled"),
        (OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi", "peer-garbled"),
        (OK + b"Content-Length: 2000\r\n\r\n" + b"x" * 2000, "peer-garbled"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + b"x" * 2000, "peer-garbled"),
        (OK + b"\r\n" + b"x" * 2000, "peer-garbled"),
        (OK + b"X: " + b"x" * 100_000, "peer-garbled"),
        (OK + b"X: y\r\n" * 300 + b"\r\n", "peer-garbled"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5000, "peer-garbled"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "peer-garbled"),
        (b"SSH-2.0-OpenSSH\r\n", "peer-garbled"),
    ],
    ids=[
        "nothing",
        "half a head",
        "short body",
        "no last chunk",
        "two lengths",
        "length and chunks",
        "long by length",
        "long by chunk",
        "long until close",
        "endless header",
        "too many headers",
        "interim for ever",
        "change nobody asked for",
        "another protocol",
    ],
)
def test_an_answer_that_is_not_whole_and_sound_is_unavailable(run, raw, code):
    with pytest.raises(Unavailable) as caught:
        run(answered(raw, max_body=1000))
    assert caught.value.code == code


def test_an_answer_nobody_asked_for_ends_the_connection(run, box):
    async def story():
        ours, theirs = socket.socketpair()
        connection = Connection(ours)
        with theirs:
            theirs.setblocking(False)
            asking = asyncio.create_task(connection.request("GET", "/", timeout=2))
            loop = asyncio.get_running_loop()
            await loop.sock_recv(theirs, 65536)
            await loop.sock_sendall(theirs, OK + b"Content-Length: 0\r\n\r\n")
            await asking
            await loop.sock_sendall(theirs, OK + b"Content-Length: 6\r\n\r\nforged")
            await asyncio.sleep(0.05)
            return connection.usable

    assert run(story()) is False


def test_an_answer_to_head_ends_with_its_head(run):
    answer, usable = run(
        answered(OK + b"Content-Length: 9\r\n\r\n", method="HEAD", then_close=False)
    )
    assert (answer.body, answer.header("content-length"), usable) == (b"", "9", False)


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/a b", {}),
        ("GET", "/a\r\nX: y", {}),
        ("GET", "a", {}),
        ("GET", "/é", {}),
        ("GET", "/a#b", {}),
        ("GE T", "/", {}),
        ("GET", "/", {"X": "a\r\nY: b"}),
        ("GET", "/", {"X Y": "a"}),
        ("GET", "/", {"Content-Length": "5"}),
        ("GET", "/", {"transfer-encoding": "chunked"}),
    ],
)
def test_a_request_that_would_be_read_as_another_is_never_sent(run, method, path, headers):
    ours, theirs = socket.socketpair()

    async def story():
        with pytest.raises(ValueError, match=r"request|head"):
            await Connection(ours).request(method, path, headers)

    with ours, theirs:
        run(story())


def test_a_websocket_carries_messages_both_ways(run, box):
    async def story():
        box.serve(routes())
        websocket = await box.client().websocket("/ws", {"X-Api-Key": "k"})
        websocket.send("text")
        websocket.send(b"bytes")
        back = [await websocket.receive(), await websocket.receive()]
        websocket.close()
        await websocket.wait_closed()
        return back, websocket.close_code, await websocket.receive()

    assert run(story()) == (["text", b"bytes"], 1000, None)


def test_a_refused_websocket_is_the_peers_error(run, box):
    async def story():
        box.serve(routes())
        with pytest.raises(NotFound, match="nothing under this path"):
            await box.client().websocket("/nothing")

    run(story())


def test_a_websocket_answer_to_another_opening_is_not_believed(run):
    async def story():
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.setblocking(False)
            asking = asyncio.create_task(Connection(ours).websocket("/"))
            loop = asyncio.get_running_loop()
            await loop.sock_recv(theirs, 65536)
            await loop.sock_sendall(
                theirs,
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            )
            with pytest.raises(Unavailable, match="this opening"):
                await asking
            await asyncio.sleep(0.01)

    run(story())


def test_an_error_travels_as_the_same_kind():
    told = Denied("No", field="path", remedy="Ask the owner.")
    body = b'{"error":{"code":"denied","message":"No","field":"path","remedy":"Ask the owner."}}'
    assert error_of(Response(403, body)).as_json() == told.as_json()
    assert isinstance(error_of(Response(404, b"plain text")), NotFound)
