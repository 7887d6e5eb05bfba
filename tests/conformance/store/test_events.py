"""Events over WebSockets: to the right client, as much as its token shows, until it ends."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.store.running import APP, DRIVER, Running, running, token

from databox.kit.clock import FixedClock
from databox.kit.http.websocket import WebSocket

Story = Callable[[Running, FixedClock], Awaitable[None]]
Play = Callable[[Story], None]
MINUTE = 60_000
START = 1_500_000_000_000 // MINUTE * MINUTE
NO_WEBSOCKET = (
    409,
    b"No open WebSocket connection to client; "
    b"WebSocket connection must exist before subscription requests",
)


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run a story against a fresh store."""

    def run(story: Story) -> None:
        async def whole() -> None:
            clock = FixedClock(START)
            async with running(tmp_path, clock) as store:
                await story(store, clock)

        asyncio.run(whole())

    return run


async def event(socket: WebSocket) -> Any:
    async with asyncio.timeout(5):
        message = await socket.receive()
    return None if message is None else json.loads(message)


async def silent(socket: WebSocket) -> bool:
    try:
        async with asyncio.timeout(0.05):
            await socket.receive()
    except TimeoutError:
        return True
    return False


async def write(store: Running, value: object, source: str = "load") -> None:
    assert (await store.ask("POST", f"/{source}/ts", value, caller=DRIVER)).status == 200


async def ok(asking: Awaitable[Any]) -> None:
    assert (await asking).status == 200


def test_a_reading_comes_as_it_is_written(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        socket = await store.websocket()
        await ok(store.ask("GET", "/sub/load/ts"))
        await write(store, {"data": {"a": 1}, "timestamp": 5})
        found = await event(socket)
        assert {key: found[key] for key in ("datasource_id", "data", "timestamp")} == {
            "datasource_id": "load", "data": {"a": 1}, "timestamp": 5,
        }  # fmt: skip
        await write(store, 1, "other")
        assert await silent(socket)
        socket.abort()

    play(story)


def test_a_value_comes_as_it_is_written(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        socket = await store.websocket()
        await ok(store.ask("GET", "/sub/key/kv"))
        await store.ask("POST", "/key/kv", {"on": True}, caller=DRIVER)
        assert await event(socket) == {"datasource_id": "key", "data": {"on": True}}
        socket.abort()

    play(story)


def test_a_subscription_needs_an_open_websocket(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        for path in ("/sub/load/ts", "/sub/key/kv"):
            response = await store.ask("GET", path)
            assert (response.status, response.body) == NO_WEBSOCKET
        other = await store.websocket("other")
        assert (await store.ask("GET", "/sub/load/ts")).status == 409
        other.abort()

    play(story)


def test_clients_get_only_what_they_subscribed_to(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        one, two = await store.websocket("one"), await store.websocket("two")
        await ok(store.ask("GET", "/sub/load/ts", caller="one"))
        await ok(store.ask("GET", "/sub/memory/ts", caller="two"))
        await write(store, 1, "load")
        await write(store, 2, "memory")
        assert (await event(one))["datasource_id"] == "load"
        assert (await event(two))["datasource_id"] == "memory"
        assert await silent(one)
        assert await silent(two)
        one.abort()
        two.abort()

    play(story)


def test_every_socket_of_a_client_gets_the_event(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        sockets = [await store.websocket() for _ in range(3)]
        await ok(store.ask("GET", "/sub/load/ts"))
        await write(store, 1)
        assert [(await event(each))["data"] for each in sockets] == [1, 1, 1]
        for each in sockets:
            each.abort()

    play(story)


def test_people_behind_the_gateway_are_told_apart(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        ada = await store.websocket("gateway", user="Ada")
        bob = await store.websocket("gateway", user="Bob")
        caveats = ["user = Ada", "role = owner"]
        await ok(store.ask("GET", "/sub/load/ts", caller="gateway", caveats=caveats, grant="user"))
        await write(store, 1)
        assert (await event(ada))["data"] == 1
        assert await silent(bob)
        ada.abort()
        bob.abort()

    play(story)


def test_after_unsubscribing_nothing_comes(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        socket = await store.websocket()
        await ok(store.ask("GET", "/sub/load/ts"))
        await ok(store.ask("GET", "/unsub/load/ts"))
        await ok(store.ask("GET", "/unsub/load/ts"))
        await write(store, 1)
        assert await silent(socket)
        socket.abort()

    play(story)


def test_a_websocket_without_upgrade_is_told_so(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        response = await store.ask("GET", "/ws")
        assert (response.status, response.body) == (
            426, b"Connection must be over secure WebSockets",
        )  # fmt: skip

    play(story)


def test_stopping_access_closes_the_socket_and_ends_subscriptions(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        stopped, other = await store.websocket(grant="g1"), await store.websocket("other")
        await ok(store.ask("GET", "/sub/load/ts", grant="g1"))
        told = {"epoch": 1, "ended": ["g1"]}
        await ok(store.ask("POST", "/epoch", told, caller="manager", key=""))
        assert await event(stopped) is None
        await stopped.wait_closed()
        assert stopped.close_code == 1008
        other.abort()

    play(story)


def test_stopping_one_source_leaves_the_other_alone(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        socket = await store.websocket(grant="g2")
        await ok(store.ask("GET", "/sub/load/ts", grant="g1"))
        await ok(store.ask("GET", "/sub/memory/ts", grant="g2"))
        told = {"epoch": 1, "ended": ["g1"]}
        await ok(store.ask("POST", "/epoch", told, caller="manager", key=""))
        await write(store, 1, "load")
        await write(store, 2, "memory")
        assert (await event(socket))["datasource_id"] == "memory"
        socket.abort()

    play(story)


def test_nothing_comes_after_the_token_has_expired(play: Play) -> None:
    async def story(store: Running, clock: FixedClock) -> None:
        socket = await store.websocket()
        await ok(store.ask("GET", "/sub/load/ts", caveats=[f"time < {START + 1000}"]))
        await write(store, 1)
        assert (await event(socket))["data"] == 1
        clock.advance(1000)
        await write(store, 2)
        # The client is sent away, so that it comes back with a fresh token.
        assert await event(socket) is None

    play(story)


def test_events_obey_how_far_back(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        socket = await store.websocket()
        await ok(store.ask("GET", "/sub/load/ts", caveats=["startTimestamp >= 100"]))
        await write(store, {"data": 1, "timestamp": 99})
        await write(store, {"data": 2, "timestamp": 100})
        assert (await event(socket))["data"] == 2
        socket.abort()

    play(story)


def test_by_the_minute_an_event_comes_when_the_minute_is_over(play: Play) -> None:
    async def story(store: Running, clock: FixedClock) -> None:
        socket = await store.websocket()
        await ok(store.ask("GET", "/sub/load/ts", caveats=["granularity >= PT1M"]))
        for second in range(0, 60, 10):
            await write(store, {"data": {"value": second}, "timestamp": START + second * 1000})
        assert await silent(socket)
        clock.advance(MINUTE + 2000)
        found = await event(socket)
        assert found["timestamp"] == START
        assert found["data"] == {"value": {"min": 0, "max": 50, "mean": 25.0, "count": 6}}
        assert await silent(socket)
        socket.abort()

    play(story)


def test_by_the_minute_values_are_not_subscribed_to(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        socket = await store.websocket()
        response = await store.ask("GET", "/sub/key/kv", caveats=["granularity >= PT1M"])
        assert response.status == 401
        socket.abort()

    play(story)


def test_what_was_sent_is_on_the_record_of_the_receiver(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        socket = await store.websocket()
        await ok(store.ask("GET", "/sub/load/ts"))
        for value in range(3):
            await write(store, value)
            await event(socket)
        await store.store.report()
        lines = [
            each
            for each in store.ledger
            if getattr(each, "operation", "") == "subscribe" and getattr(each, "items", 0)
        ]
        assert [(each.client, each.source, each.items) for each in lines] == [(APP, "load", 3)]  # type: ignore[union-attr]
        socket.abort()

    play(story)


def test_a_token_for_the_socket_of_another_client_is_refused(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        store.listen("thief")
        key = token(APP, "GET", "/ws")
        with pytest.raises(Exception, match=r"401|Invalid"):
            await store.connect("thief").websocket("/ws", {"x-api-key": key})

    play(story)
