"""Objects pass through the gateway as they come, both ways, under the person's own token."""

import asyncio
import os
import socket

from databox.gateway.forward import Forward
from databox.gateway.service import _api_answer
from databox.kit.dialer import Dialer
from databox.kit.http.client import Connection
from databox.kit.http.message import Request, Response, Stream
from databox.kit.http.router import Route, Router
from databox.kit.http.server import Server
from databox.kit.http.wire import Body
from databox.wire.errors import TooLarge, Unauthenticated, Unavailable

PATH = "/api/stores/hue-store/photo%201/object"


class People:
    """Everybody is signed in; notes for which method tokens were asked."""

    def __init__(self):
        self.asked = []

    async def caller(self, request):
        return None

    async def acting(self, person, target, method, path, act):
        self.asked.append((target, method, path))
        return await act("token")

    async def acting_once(self, person, target, method, path, act):
        self.asked.append((target, method, path))
        try:
            return await act("fresh")
        except Unauthenticated as error:
            raise Unavailable("refused", code="refused-inside") from error


class Box:
    """A store, the gateway's forwarding before it, and connections between them."""

    def __init__(self, handler):
        self.people = People()
        self.store = Server(_Streamed(handler))
        self.dialer = Dialer(self)
        router = Router()
        Forward(self.people, self.dialer).mount(router)
        self.gateway = Server(_Finished(router))

    async def connect(self, callee):
        assert callee == "hue-store"
        return self._pair(self.store)

    def client(self):
        return Connection(self._pair(self.gateway))

    def _pair(self, server):
        ours, theirs = socket.socketpair()
        server.serve_connection(theirs, "caller")
        ours.setblocking(False)
        return ours

    async def close(self):
        self.dialer.close()
        await self.gateway.drain(0.1)
        await self.store.drain(0.1)


class _Streamed:
    def __init__(self, handler):
        self._handler = handler

    def resolve(self, request):
        return Route(self._handler, 1 << 40, streamed=request.method == "POST")


class _Finished:
    """The router, with what the gateway does to each answer."""

    def __init__(self, router):
        self._router = router

    def resolve(self, request):
        route = self._router.resolve(request)

        async def handler(asked):
            return _api_answer(await route.handler(asked))

        return Route(handler, route.max_body, route.streamed)


def play(handler, story):
    async def whole():
        box = Box(handler)
        try:
            return await story(box)
        finally:
            await box.close()

    return asyncio.run(whole())


async def swallow(request: Request) -> Response:
    size = 0
    async for part in request.stream:
        size += len(part)
    said = [request.headers["content-type"], request.headers["x-api-key"], request.path, str(size)]
    return Response(200, " ".join(said).encode())


async def many(count):
    piece = os.urandom(100_000)
    for _ in range(count):
        yield piece


def test_an_upload_passes_with_its_type_and_without_being_kept():
    async def story(box):
        headers = {"content-type": "image/jpeg"}
        answer = await box.client().stream("POST", PATH, headers, Body(many(50), 5_000_000))
        body = b"".join([part async for part in answer.chunks])
        assert box.people.asked == [("hue-store", "POST", "/photo 1/object")]
        return answer.status, body

    assert play(swallow, story) == (200, b"image/jpeg fresh /photo 1/object 5000000")


def test_points_pass_as_they_come_in_the_form_that_was_asked_for():
    async def endless(request):
        said = f"{request.headers['accept']} {request.target} ".encode()

        async def chunks():
            yield said
            async for piece in many(1000):
                await asyncio.sleep(0)
                yield piece

        return Stream(200, "application/vnd.databox.columns", chunks())

    async def story(box):
        headers = {"accept": "application/vnd.databox.columns"}
        path = "/api/stores/hue-store/load/ts/points?from=5"
        answer = await box.client().stream("GET", path, headers)
        first = await anext(aiter(answer.chunks))
        await answer.close()
        return answer.content_type, first

    kind = "application/vnd.databox.columns"
    told, first = play(endless, story)
    assert told == kind
    assert first.startswith(f"{kind} /load/ts/points?from=5 ".encode())


def test_an_upload_that_breaks_off_breaks_off_in_the_store():
    seen = []

    async def listen(request):
        try:
            return await swallow(request)
        except Exception as error:
            seen.append(getattr(error, "code", ""))
            raise

    async def broken():
        yield b"x" * 1000
        await asyncio.sleep(0.02)
        raise RuntimeError

    async def story(box):
        headers = {"content-type": "image/jpeg"}
        try:
            await box.client().stream("POST", PATH, headers, Body(broken(), 5_000))
        except RuntimeError:
            await asyncio.sleep(0.1)
        return seen

    assert play(listen, story) == ["body-lost"]


def test_an_upload_that_the_store_refuses_is_refused_in_its_words():
    async def full(request):
        raise TooLarge("there is no room", code="no-room")

    async def story(box):
        headers = {"content-type": "image/jpeg"}
        answer = await box.client().stream("POST", PATH, headers, Body(many(5), 500_000))
        return answer.status, b"".join([part async for part in answer.chunks])

    status, body = play(full, story)
    assert status == 413
    assert b"no-room" in body


def test_a_full_disk_is_told_as_it_is():
    async def full(request):
        return Response(507, b"the disk is full", "text/plain")

    async def story(box):
        headers = {"content-type": "image/jpeg"}
        answer = await box.client().stream("POST", PATH, headers, Body(many(5), 500_000))
        return answer.status, b"".join([part async for part in answer.chunks])

    assert play(full, story) == (507, b"the disk is full")


def sending(size, status=200, **headers):
    async def handler(request):
        async def parts():
            left = size
            while left:
                part = min(left, 100_000)
                yield bytes(part)
                left -= part

        told = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return Stream(status, "text/html", parts(), told, size)

    return handler


def test_a_download_passes_and_cannot_become_a_page_of_ours():
    async def story(box):
        answer = await box.client().stream("GET", PATH)
        size = 0
        async for part in answer.chunks:
            size += len(part)
        return answer, size

    answer, size = play(sending(40_000_000, ETag='"e"', Set_Cookie="x=y"), story)
    assert size == answer.length == 40_000_000
    assert answer.content_type == "text/html"
    assert answer.header("content-disposition") == "attachment"
    assert "sandbox" in answer.header("content-security-policy")
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("etag") == '"e"'
    assert answer.header("set-cookie") is None


def test_a_range_and_its_answer_pass():
    seen = []

    async def ranged(request):
        known = ("host", "content-length")
        seen.append({k: v for k, v in request.headers.items() if k not in known})
        return await sending(10, 206, Content_Range="bytes 0-9/100")(request)

    async def story(box):
        headers = {"range": "bytes=0-9", "if-range": '"e"', "cookie": "a=b"}
        answer = await box.client().request("GET", PATH, headers)
        return answer.status, answer.header("content-range"), len(answer.body)

    assert play(ranged, story) == (206, "bytes 0-9/100", 10)
    assert seen == [{"range": "bytes=0-9", "if-range": '"e"', "x-api-key": "token"}]


def test_what_has_not_changed_has_no_body():
    async def same(request):
        return Response(304, b"", "", (("ETag", '"e"'),))

    async def story(box):
        client = box.client()
        answer = await client.request("GET", PATH, {"if-none-match": '"e"'})
        return answer.status, answer.header("etag"), answer.body, client.usable

    assert play(same, story) == (304, '"e"', b"", True)


def test_a_range_that_is_not_there_is_told_as_such():
    async def beyond(request):
        return Response(416, b"{}", "application/json", (("Content-Range", "bytes */5"),))

    async def story(box):
        answer = await box.client().request("GET", PATH)
        return answer.status, answer.header("content-range")

    assert play(beyond, story) == (416, "bytes */5")


def test_the_head_alone_needs_no_right_of_its_own():
    async def story(box):
        answer = await box.client().request("HEAD", PATH)
        assert box.people.asked == [("hue-store", "GET", "/photo 1/object")]
        return answer.status, answer.header("content-length"), answer.body

    assert play(sending(1234), story) == (200, "1234", b"")


def test_a_download_that_nobody_reads_waits_in_the_store():
    made = 0

    async def handler(request):
        async def parts():
            nonlocal made
            while True:
                made += 100_000
                yield bytes(100_000)

        return Stream(200, "video/mp4", parts())

    async def story(box):
        answer = await box.client().stream("GET", PATH)
        await anext(answer.chunks)
        await asyncio.sleep(0.2)
        before = made
        await asyncio.sleep(0.2)
        assert made == before
        await answer.close()
        return made

    assert play(handler, story) < 6_000_000
