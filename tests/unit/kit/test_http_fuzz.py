"""Whatever comes, the server answers or closes, in order, and serves the next caller."""

import asyncio
import contextlib
import itertools
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databox.kit.http import Request, Response, Router, Stream, Upgrade, WebSocket

ONE_FIXTURE_FOR_ALL = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
GET = b"GET /now HTTP/1.1\r\nHost: b\r\n\r\n"
PIECES = [
    GET,
    b"GET /later HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET /stream HTTP/1.1\r\nHost: b\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /echo HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: b\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    b"GET /ws HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    b"HEAD /now HTTP/1.1\r\nHost: b\r\n\r\n",
    b"\r\n",
    b"POST /body HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /body HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"POST /body HTTP/1.1\r\nHost: b\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    b"POST /body HTTP/1.1\r\nHost: b\r\n\r\n",
    b"POST /back HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhello",
    b"GET / HTTP/1.0\r\n\r\n",
    b"\x81\x85\x00\x00\x00\x00hello",
    b"\x88\x80\x00\x00\x00\x00",
    b"0\r\n\r\n",
]
DATE = re.compile(rb"Date: [^\r]*\r\n|HTTP/1.1 100 Continue\r\n\r\n")


def routes() -> Router:
    async def later(request: Request) -> Response:
        await asyncio.sleep(0.001)
        return Response(200, b"later")

    async def parts():
        yield b"one"
        await asyncio.sleep(0)
        yield b"two"

    async def echo(websocket: WebSocket) -> None:
        while (message := await websocket.receive()) is not None:
            websocket.send(message)

    async def body(request: Request) -> Response:
        assert request.stream is not None
        return Response(200, b"".join([part async for part in request.stream]))

    async def back(request: Request) -> Stream:
        assert request.stream is not None
        return Stream(200, "text/plain", request.stream, (), 5)

    made = Router()
    made.add("POST", "/body", body, streamed=True)
    made.add("POST", "/back", back, streamed=True)
    made.add("GET", "/now", lambda request: Response(200, b"now"))
    made.add("GET", "/later", later)
    made.add("GET", "/stream", lambda request: Stream(200, "text/plain", parts()))
    made.add("POST", "/echo", lambda request: Response(200, request.body))
    made.add("GET", "/ws", lambda request: Upgrade(echo))
    return made


def pieces_or_dirt() -> st.SearchStrategy[bytes]:
    return st.one_of(st.sampled_from(PIECES), st.binary(max_size=40))


@ONE_FIXTURE_FOR_ALL
@given(st.lists(pieces_or_dirt(), max_size=8))
def test_anything_is_answered_or_closed_and_the_next_caller_is_served(run, box, parts):
    async def story():
        server = box.serve(routes(), idle_seconds=0.05, head_seconds=0.05, body_seconds=0.05)
        peer = box.peer()
        with contextlib.suppress(OSError):
            await peer.send(*parts)
        peer.end.shutdown(1)
        await peer.receive()
        next_answer = await box.peer().ask(GET)
        async with asyncio.timeout(5):
            while server._slots:
                await asyncio.sleep(0.01)
        return next_answer

    assert run(story()).endswith(b"now")


@ONE_FIXTURE_FOR_ALL
@given(
    st.lists(st.sampled_from(PIECES[:2] + PIECES[3:6] + PIECES[7:13]), max_size=6),
    st.lists(st.integers(0, 10**6), max_size=6),
)
def test_any_cut_of_a_sound_stream_gives_the_same_answers(run, box, parts, places):
    stream = b"".join(parts)
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    cut = [stream[a:b] for a, b in itertools.pairwise(edges)]
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

    async def story():
        box.serve(routes())
        answers = []
        for sent in ([stream, last], [*cut, last]):
            peer = box.peer()
            await peer.send(*sent, pause=0.001)
            answers.append(DATE.sub(b"", await peer.receive()))
        return answers

    whole, in_parts = run(story())
    assert whole == in_parts
    assert whole.count(b"HTTP/1.1 200") == len([part for part in parts if len(part) > 2]) + 1
