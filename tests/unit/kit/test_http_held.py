"""An answer that is held until something is done, as by a store that records before it answers."""

import asyncio
from collections.abc import Callable

from databox.kit.http.message import Held, Response, Shared
from databox.kit.http.router import Router
from databox.wire.errors import DataboxError, Unavailable


def sorry(error: DataboxError) -> Response:
    return Response(507, error.code.encode(), "text/plain")


def holding(until: Callable[[], Shared]) -> Router:
    routes = Router()
    routes.add("GET", "/", lambda _: Held(Response(200, b"held", "text/plain"), until(), sorry))
    routes.add("GET", "/now", lambda _: Response(200, b"now", "text/plain"))
    return routes


def test_a_held_answer_leaves_when_its_future_is_done(box, run):
    async def story():
        until = Shared(loop=asyncio.get_running_loop())
        box.serve(holding(lambda: until))
        clients = [box.client() for _ in range(3)]
        asking = [asyncio.create_task(each.request("GET", "/")) for each in clients]
        done, _ = await asyncio.wait(asking, timeout=0.05)
        assert not done
        until.set_result(None)
        assert {(await each).body for each in asking} == {b"held"}
        for each in clients:
            each.close()

    run(story())


def test_a_held_answer_gives_way_to_the_one_for_failure(box, run):
    async def story():
        until = Shared(loop=asyncio.get_running_loop())
        box.serve(holding(lambda: until))
        client = box.client()
        asking = asyncio.create_task(client.request("GET", "/"))
        await asyncio.sleep(0.01)
        until.set_exception(Unavailable("the disk is full", code="disk-full"))
        response = await asking
        assert (response.status, response.body) == (507, b"disk-full")
        client.close()

    run(story())


def test_pipelined_answers_stay_in_order_behind_a_held_one(box, run):
    async def story():
        until = Shared(loop=asyncio.get_running_loop())
        box.serve(holding(lambda: until))
        peer = box.peer()
        for path in (b"/", b"/now", b"/"):
            await peer.send(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0.02)
        until.set_result(None)
        answers = b""
        while answers.count(b"HTTP/1.1") < 3 or not answers.endswith(b"held"):
            answers += await peer.receive(until=b"held")
        bodies = [part.rpartition(b"\r\n\r\n")[2] for part in answers.split(b"HTTP/1.1 200 OK")[1:]]
        assert bodies == [b"held", b"now", b"held"]

    run(story())


def test_a_peer_that_leaves_does_not_disturb_the_others_who_wait(box, run):
    async def story():
        until = Shared(loop=asyncio.get_running_loop())
        server = box.serve(holding(lambda: until))
        staying, leaving = box.client(), box.client()
        asking = asyncio.create_task(staying.request("GET", "/"))
        gone = asyncio.create_task(leaving.request("GET", "/"))
        await asyncio.sleep(0.01)
        leaving.close()
        await asyncio.gather(gone, return_exceptions=True)
        until.set_result(None)
        assert (await asking).body == b"held"
        staying.close()
        await server.drain(1)

    run(story())


def test_a_held_answer_can_be_awaited():
    async def story() -> tuple[Response, Response]:
        good, bad = (Shared(loop=asyncio.get_running_loop()) for _ in range(2))
        asyncio.get_running_loop().call_soon(good.set_result, None)
        bad.set_exception(Unavailable("no", code="no"))
        answer = Response(200, b"held")
        return await Held(answer, good, sorry), await Held(answer, bad, sorry)

    first, second = asyncio.run(story())
    assert (first.body, second.body) == (b"held", b"no")


def test_an_error_nobody_foresaw_is_answered(box, run):
    async def story():
        until = Shared(loop=asyncio.get_running_loop())
        box.serve(holding(lambda: until))
        client = box.client()
        asking = asyncio.create_task(client.request("GET", "/"))
        await asyncio.sleep(0.01)
        until.set_exception(RuntimeError("broken"))
        assert (await asking).status == 500
        client.close()

    run(story())


def test_a_held_answer_may_be_made_of_what_came_of_the_wait(box, run):
    def late() -> Response:
        if outcomes[0] == "full":
            raise Unavailable("the disk is full", code="disk-full")
        return Response(200, outcomes[0].encode())

    async def story():
        routes = Router()
        until = [Shared(loop=asyncio.get_running_loop()) for _ in range(2)]
        routes.add("GET", "/", lambda _: Held(late, until[0], sorry))
        box.serve(routes)
        client = box.client()
        for outcome in ("good", "full"):
            asking = asyncio.create_task(client.request("GET", "/"))
            await asyncio.sleep(0.01)
            outcomes[0] = outcome
            until.pop(0).set_result(None)
            answers.append((await asking).body)
        client.close()

    outcomes, answers = [""], []
    run(story())
    assert answers == [b"good", b"disk-full"]
