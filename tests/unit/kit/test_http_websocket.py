"""WebSockets, tried with the client of the `websockets` library and with bytes made by hand."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import websockets
from websockets.asyncio.client import unix_connect
from websockets.frames import Frame, Opcode

from databox.kit.http import Request, Response, Router, Upgrade, WebSocket, frame_text

OPENING = (
    b"GET /ws HTTP/1.1\r\nHost: box\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def echo(websocket: WebSocket) -> None:
    while (message := await websocket.receive()) is not None:
        websocket.send(message)


def serving(accept: Callable[[WebSocket], Awaitable[None]]) -> Router:
    routes = Router()
    routes.add("GET", "/ws", lambda request: Upgrade(accept))
    return routes


def masked(opcode: Opcode, content: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, content, fin).serialize(mask=True)


def connect(box, **options):
    return unix_connect(str(box.listen()), uri="ws://box/ws", **options)


def test_messages_of_both_kinds_and_all_length_forms_come_back(run, box):
    messages = ["", "hello é", "x" * 125, "x" * 126, "x" * 65535, b"\x00\xff", b"y" * 70000]

    async def story():
        box.serve(serving(echo))
        async with connect(box, max_size=None) as client:
            back = []
            for message in messages:
                await client.send(message)
                back.append(await client.recv())
            return back

    assert run(story()) == messages


def test_a_message_in_fragments_is_joined(run, box):
    async def story():
        box.serve(serving(echo))
        async with connect(box) as client:
            await client.send(["one ", "two ", "three"])
            return await client.recv()

    assert run(story()) == "one two three"


def test_a_frame_made_once_reaches_every_peer(run, box):
    peers: list[WebSocket] = []

    async def join(websocket: WebSocket) -> None:
        peers.append(websocket)
        await websocket.wait_closed()

    async def story():
        box.serve(serving(join))
        path = str(box.listen())
        clients = [await unix_connect(path, uri="ws://box/ws") for _ in range(3)]
        while len(peers) < 3:
            await asyncio.sleep(0.01)
        frame = frame_text("twenty degrees")
        sent = [peer.send_frame(frame) for peer in peers]
        heard = [await client.recv() for client in clients]
        for client in clients:
            await client.close()
        return sent, heard

    assert run(story()) == ([True] * 3, ["twenty degrees"] * 3)


def test_a_ping_is_answered(run, box):
    async def story():
        box.serve(serving(echo))
        async with connect(box) as client:
            return await asyncio.wait_for(await client.ping(), 5)

    assert run(story()) >= 0


def test_the_close_of_a_peer_ends_receiving_with_its_code(run, box):
    codes: list[int | None] = []

    async def watch(websocket: WebSocket) -> None:
        assert await websocket.receive() is None
        await websocket.wait_closed()
        codes.append(websocket.close_code)

    async def story():
        box.serve(serving(watch))
        async with connect(box) as client:
            await client.close(4001, "done")
        await asyncio.sleep(0.05)

    run(story())
    assert codes == [4001]


def test_our_close_reaches_the_peer_and_frees_the_place(run, box):
    async def leave(websocket: WebSocket) -> None:
        websocket.close(4002, "revoked")

    async def story():
        box.serve(serving(leave))
        async with connect(box) as client:
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.recv()
        await asyncio.sleep(0.05)
        return closed.value.rcvd, len(box.server._connections)

    received, left = run(story())
    assert (received.code, received.reason, left) == (4002, "revoked", 0)


def test_returning_from_accept_closes_normally(run, box):
    async def greet(websocket: WebSocket) -> None:
        websocket.send("hello")

    async def story():
        box.serve(serving(greet))
        async with connect(box) as client:
            first = await client.recv()
            await client.wait_closed()
            return first, client.close_code

    assert run(story()) == ("hello", 1000)


def test_an_error_in_accept_closes_with_1011_and_says_nothing_of_the_cause(run, box):
    async def fails(websocket: WebSocket) -> None:
        raise RuntimeError("inner detail")

    async def story():
        box.serve(serving(fails))
        async with connect(box) as client:
            await client.wait_closed()
            return client.close_code, client.close_reason

    assert run(story()) == (1011, "")


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (masked(Opcode.TEXT, b"x" * 1001), 1009),
        (
            masked(Opcode.TEXT, b"x" * 600, fin=False) + masked(Opcode.CONT, b"x" * 600),
            1009,
        ),
        (masked(Opcode.TEXT, b"\xff\xfe"), 1007),
        (masked(Opcode.CONT, b"x"), 1002),
        (masked(Opcode.TEXT, b"a", fin=False) + masked(Opcode.TEXT, b"b"), 1002),
        (b"\x81\x01x", 1002),
        (b"\xf1" + masked(Opcode.TEXT, b"x")[1:], 1002),
        (b"\x83" + masked(Opcode.TEXT, b"x")[1:], 1002),
    ],
    ids=[
        "long",
        "long in fragments",
        "not UTF-8",
        "continues nothing",
        "message inside a message",
        "not masked",
        "reserved bits",
        "unknown opcode",
    ],
)
def test_frames_against_the_protocol_or_its_bounds_close_the_connection(run, box, frames, code):
    async def story():
        box.serve(serving(echo), message=1000)
        peer = box.peer()
        await peer.send(OPENING)
        await peer.receive(until=b"\r\n\r\n")
        await peer.send(frames)
        return await peer.receive()

    answer = run(story())
    assert (answer[0], int.from_bytes(answer[2:4], "big")) == (0x88, code)


def test_endless_empty_fragments_fill_no_memory(run, box):
    async def story():
        box.serve(serving(echo), message=1000)
        peer = box.peer()
        await peer.send(OPENING)
        await peer.receive(until=b"\r\n\r\n")
        await peer.send(masked(Opcode.TEXT, b"a", fin=False))
        for _ in range(50):
            await peer.send(masked(Opcode.CONT, b"", fin=False) * 100)
        await peer.send(masked(Opcode.CONT, b"b"))
        return await peer.receive(until=b"\x81\x02ab")

    assert run(story()) == b"\x81\x02ab"


def test_a_peer_that_sends_faster_than_we_receive_is_held_back(run, box):
    go = asyncio.Event()

    async def slow(websocket: WebSocket) -> None:
        await go.wait()
        await echo(websocket)

    async def story():
        box.serve(serving(slow))
        peer = box.peer()
        await peer.send(OPENING)
        await peer.receive(until=b"\r\n\r\n")
        flood = asyncio.create_task(peer.send(*[masked(Opcode.BINARY, b"x" * 50_000)] * 100))
        await asyncio.sleep(0.3)
        held = not flood.done()
        go.set()
        received = 0
        loop = asyncio.get_running_loop()
        while received < 100 * 50_000:
            received += len(await loop.sock_recv(peer.end, 1 << 20))
        await flood
        return held

    assert run(story())


def test_a_peer_that_reads_too_slowly_is_dropped_and_the_sender_told(run, box):
    results: list[bool] = []

    async def pour(websocket: WebSocket) -> None:
        while websocket.send("x" * 10_000) and len(results) < 1000:
            results.append(True)
        results.append(False)
        await websocket.wait_closed()

    async def story():
        box.serve(serving(pour), unsent=100_000)
        peer = box.peer()
        await peer.send(OPENING)
        await asyncio.sleep(0.2)
        return await peer.receive()

    run(story())
    assert 10 <= len(results) < 200
    assert results[-1] is False


def test_a_flood_of_pings_without_reading_is_dropped(run, box):
    async def story():
        server = box.serve(serving(echo), unsent=100_000)
        peer = box.peer()
        await peer.send(OPENING)
        try:
            async with asyncio.timeout(5):
                await peer.send(*[masked(Opcode.PING, b"x" * 125) * 100] * 200)
        except OSError:
            pass
        await asyncio.sleep(0.05)
        return len(server._connections)

    assert run(story()) == 0


def test_a_silent_peer_is_pinged_and_a_dead_one_dropped(run, box):
    async def story():
        box.serve(serving(echo), ping_seconds=0.2, idle_seconds=0.2)
        peer = box.peer()
        await peer.send(OPENING)
        return await peer.receive(seconds=3)

    assert run(story()).endswith(b"\r\n\r\n\x89\x00")


def test_a_living_peer_stays_although_it_says_nothing(run, box):
    async def story():
        box.serve(serving(echo), ping_seconds=0.2, idle_seconds=0.2)
        async with connect(box, ping_interval=None) as client:
            await asyncio.sleep(1)
            await client.send("still here")
            return await client.recv()

    assert run(story()) == "still here"


@pytest.mark.parametrize(
    "change",
    [
        (b"Version: 13", b"Version: 8"),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
        (b"keep-alive, Upgrade", b"keep-alive"),
        (b"Upgrade: WebSocket\r\n", b""),
        (b"WebSocket", b"h2c"),
        (b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_an_opening_that_is_none_is_refused_with_what_is_expected(run, box, change):
    async def story():
        box.serve(serving(echo))
        return await box.peer().ask(OPENING.replace(*change))

    answer = run(story())
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b"Upgrade: websocket\r\nSec-Websocket-Version: 13\r\n" in answer
    assert b"not-a-websocket" in answer


def test_a_handler_may_refuse_the_opening_with_an_ordinary_answer(run, box):
    async def story():
        box.serve(lambda request: Response(401, b"Missing API key", "text/plain"))
        return await box.peer().ask(OPENING)

    answer = run(story())
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"Connection: close" in answer


def test_an_opening_asked_over_plain_http_knows_that_it_wants_a_websocket(run, box):
    seen: list[bool] = []

    def handler(request: Request) -> Response:
        seen.append(request.wants_websocket)
        return Response(200)

    async def story():
        box.serve(handler)
        await box.peer().ask(OPENING)
        await box.peer().ask(b"GET / HTTP/1.1\r\nHost: box\r\n\r\n")

    run(story())
    assert seen == [True, False]


def test_frames_that_came_with_the_opening_are_not_lost(run, box):
    async def wait_then_echo(request: Request) -> Upgrade:
        await asyncio.sleep(0.02)
        return Upgrade(echo)

    async def story():
        box.serve(wait_then_echo)
        peer = box.peer()
        await peer.send(OPENING + masked(Opcode.TEXT, b"early"), masked(Opcode.TEXT, b"later"))
        return await peer.receive(until=b"\x81\x05later")

    assert run(story()).endswith(b"\x81\x05early\x81\x05later")


def test_ending_a_caller_ends_its_websockets_at_once(run, box):
    async def story():
        server = box.serve(serving(echo))
        peer = box.peer("gone")
        await peer.send(OPENING)
        await peer.receive(until=b"\r\n\r\n")
        server.close_caller("gone")
        rest = await peer.receive()
        await asyncio.sleep(0.02)
        return rest, len(server._slots)

    assert run(story()) == (b"", 0)


def test_draining_says_going_away(run, box):
    async def story():
        server = box.serve(serving(echo))
        async with connect(box) as client:
            await server.drain(grace=3)
            await client.wait_closed()
            return client.close_code

    assert run(story()) == 1001
