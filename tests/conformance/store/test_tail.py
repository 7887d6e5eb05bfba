"""A source followed as it is written: each event once, also for those who come back."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.store.following import Follower
from tests.conformance.store.running import APP, DRIVER, Running, answer, running, token

from databox.kit.clock import FixedClock
from databox.kit.http.websocket import WebSocket
from databox.store import feed
from databox.wire.ledger import Access

Story = Callable[[Running, FixedClock], Awaitable[None]]
Play = Callable[[Story], None]
MINUTE = 60_000
START = 1_500_000_000_000 // MINUTE * MINUTE
HALL = {"room": "hall"}


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


async def write(store: Running, value: Any, t: int, source: str = "load") -> None:
    body = {"data": value, "timestamp": t}
    assert (await store.ask("POST", f"/{source}/ts", body, caller=DRIVER)).status == 200


async def write_many(store: Running, times: list[int], data: list[Any], **tags: str) -> None:
    body = {"timestamps": times, "data": data, "tags": tags}
    assert (await store.ask("POST", "/load/ts/columns", body, caller=DRIVER)).status == 200


async def stop(store: Running, grant: str = "g1") -> None:
    told = {"epoch": 1, "ended": [grant]}
    assert (await store.ask("POST", "/epoch", told, caller="manager", key="")).status == 200


async def socket_of(store: Running, path: str = "/load/ts/tail", *caveats: str) -> WebSocket:
    key = token(APP, "GET", path.partition("?")[0], *caveats)
    return await store.connect(APP).websocket(path, {"x-api-key": key})


async def message(socket: WebSocket) -> Any:
    async with asyncio.timeout(5):
        found = await socket.receive()
    return None if found is None else json.loads(found)


def test_readings_come_as_they_are_written(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        await write(store, 0, 5)
        follower = await Follower.begin(store)
        await write(store, {"a": 1}, 10)
        await write(store, 1, 10, "other")
        found = await follower.event()
        assert found["data"]["data"] == {"a": 1}
        assert found["data"]["timestamp"] == 10
        assert await follower.silent()
        follower.close()

    play(story)


def test_who_comes_back_gets_what_came_meanwhile_once(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        follower = await Follower.begin(store)
        await write(store, 1, 100)
        assert await follower.data() == 1
        follower.close()
        await write(store, 2, 50)
        await write_many(store, [20, 200], [3, 4], **HALL)
        await write(store, 5, 100)
        back = await Follower.begin(store, after=follower.last)
        assert [await back.data() for _ in range(4)] == [2, 3, 4, 5]
        await write(store, 6, 300)
        assert await back.data() == 6
        assert await back.silent()
        back.close()

    play(story)


def test_who_comes_back_at_any_event_goes_on_behind_it(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        follower = await Follower.begin(store)
        await write_many(store, [1, 2, 3, 4], [1, 2, 3, 4])
        for value in range(1, 5):
            assert await follower.data() == value
            back = await Follower.begin(store, f"/load/ts/tail?after={follower.last}")
            assert [await back.data() for _ in range(4 - value)] == list(range(value + 1, 5))
            assert await back.silent()
            back.close()
        follower.close()

    play(story)


def test_after_a_restart_the_newer_points_come_and_it_is_said(tmp_path: Path) -> None:
    async def first() -> str:
        async with running(tmp_path, FixedClock(START)) as store:
            await write(store, 1, 100)
            follower = await Follower.begin(store)
            await write(store, "late", 50)
            assert await follower.data() == "late"
            follower.close()
            return follower.last

    async def second(last: str) -> None:
        async with running(tmp_path, FixedClock(START)) as store:
            await write_many(store, [110, 120], [2, 3])
            follower = await Follower.begin(store, after=last)
            gap = await follower.event()
            assert (gap["event"], gap["data"]) == ("gap", {"resumed": "by time"})
            assert [await follower.data() for _ in range(2)] == [2, 3]
            again = await Follower.begin(store, after=follower.last)
            assert (await again.event())["event"] == "gap"
            assert await again.silent()
            await write(store, 4, 130)
            assert await follower.data() == 4
            assert await again.data() == 4
            follower.close()
            again.close()

    asyncio.run(second(asyncio.run(first())))


def test_what_is_not_kept_any_more_is_told_by_time(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "KEPT_EVENTS", 5)

    async def story(store: Running, _: FixedClock) -> None:
        follower = await Follower.begin(store)
        await write(store, 0, 1)
        assert await follower.data() == 0
        follower.close()
        for t in range(10):
            await write(store, t, 10 + t)
        back = await Follower.begin(store, after=follower.last)
        assert (await back.event())["event"] == "gap"
        assert [await back.data() for _ in range(10)] == list(range(10))
        back.close()

    play(story)


def test_each_event_comes_once_while_others_write(play: Play) -> None:
    """Come back again and again to a source that is written all the time."""

    async def story(store: Running, _: FixedClock) -> None:
        done = False

        async def writing() -> None:
            nonlocal done
            for number in range(150):
                # Every third one is late.
                await write(store, number, 1000 - number if number % 3 == 0 else 1000 + number)
            done = True

        follower = await Follower.begin(store)
        task = asyncio.create_task(writing())
        seen: list[int] = []
        while len(seen) < 150:
            for _each in range(min(7, 150 - len(seen))):
                seen.append(await follower.data())
            follower.close()
            follower = await Follower.begin(store, after=follower.last)
        await task
        assert done
        assert seen == list(range(150))
        assert await follower.silent()
        follower.close()

    play(story)


def test_a_large_batch_is_told_as_one_event(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        follower = await Follower.begin(store)
        await write_many(store, list(range(1000)), [0.5] * 1000)
        assert [await follower.data() for _ in range(1000)] == [0.5] * 1000
        await write_many(store, list(range(1001)), [0.5] * 1001)
        found = await follower.event()
        assert (found["event"], found["data"]) == (
            "skipped", {"datasource_id": "load", "skipped": 1001},
        )  # fmt: skip
        bounded = await Follower.begin(store, caveats=["startTimestamp >= 500"])
        await write_many(store, list(range(1001)), [0.5] * 1001)
        assert (await bounded.event())["data"]["skipped"] is None
        follower.close()
        bounded.close()

    play(story)


def test_subscriptions_hear_of_columns_too(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        socket = await store.websocket()
        assert (await store.ask("GET", "/sub/load/ts")).status == 200
        await write_many(store, [1, 2], [1.5, {"a": 2}])
        assert [(await message(socket))["data"] for _ in range(2)] == [1.5, {"a": 2}]
        await write_many(store, list(range(2000)), [0.5] * 2000)
        assert await message(socket) == {"datasource_id": "load", "skipped": 2000}
        socket.abort()

    play(story)


def test_tags_and_members_are_chosen(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        follower = await Follower.begin(store, "/load/ts/tail?tag.room=hall&fields=a")
        await write_many(store, [1], [{"a": 1, "b": 2}], room="attic")
        await write_many(store, [2], [{"a": 3, "b": 4}], floor="1", **HALL)
        found = await follower.event()
        assert found["data"]["data"] == {"a": 3}
        assert found["data"]["tags"] == {"floor": "1", **HALL}
        follower.close()
        await write_many(store, [3], [{"a": 5, "b": 6}], **HALL)
        await write_many(store, [4], [{"a": 7}], room="attic")
        back = await Follower.begin(
            store, "/load/ts/tail?tag.room=hall&fields=a", after=follower.last
        )
        assert await back.data() == {"a": 5}
        assert await back.silent()
        back.close()

    play(story)


def test_a_websocket_does_the_same(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        socket = await socket_of(store)
        await write(store, 1, 10)
        found = await message(socket)
        assert (found["data"], found["timestamp"]) == (1, 10)
        socket.abort()
        await write(store, 2, 5)
        back = await socket_of(store, f"/load/ts/tail?after={found['id']}")
        assert (await message(back))["data"] == 2
        await write(store, 3, 30)
        assert (await message(back))["data"] == 3
        back.abort()

    play(story)


def test_stopping_access_ends_a_tail_at_once(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        follower, socket = await Follower.begin(store), await socket_of(store)
        await write(store, 1, 10)
        assert await follower.data() == 1
        assert (await message(socket))["data"] == 1
        await stop(store)
        await write(store, 2, 20)
        assert b'"data":2' not in await follower.ended()
        assert await message(socket) is None

    play(story)


def test_a_tail_ends_with_its_token(play: Play) -> None:
    async def story(store: Running, clock: FixedClock) -> None:
        bound = f"time < {START + 1000}"
        follower = await Follower.begin(store, caveats=[bound])
        socket = await socket_of(store, "/load/ts/tail", bound)
        clock.advance(1000)
        await write(store, 2, 20)
        rest = await follower.ended()
        assert b'"data":2' not in rest
        assert b"token expired" in rest
        assert await message(socket) is None

    play(story)


def test_a_store_that_stops_ends_its_tails(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path, FixedClock(START)) as store:
            follower = await Follower.begin(store)
            ended = asyncio.create_task(follower.ended())
            await asyncio.sleep(0)
        assert b"the store stops" in await ended

    asyncio.run(story())


def test_how_far_back_holds(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        follower = await Follower.begin(store, caveats=["startTimestamp >= 100"])
        await write(store, 1, 99)
        await write(store, 2, 100)
        assert await follower.data() == 2
        follower.close()
        await write(store, 3, 98)
        await write(store, 4, 101)
        back = await Follower.begin(store, caveats=["startTimestamp >= 100"], after=follower.last)
        assert await back.data() == 4
        assert await back.silent()
        back.close()

    play(story)


def test_by_the_minute_windows_come_when_they_close(play: Play) -> None:
    async def story(store: Running, clock: FixedClock) -> None:
        exact = ["granularity >= PT1M"]
        follower = await Follower.begin(store, caveats=exact)

        async def fill(minute: int) -> None:
            begin = START + minute * MINUTE
            times = [begin + second * 1000 for second in range(0, 60, 10)]
            await write_many(store, times, [minute] * 6)

        await fill(0)
        assert await follower.silent()
        clock.advance(MINUTE + 2000)
        found = await follower.event()
        assert found["data"]["timestamp"] == START
        assert found["data"]["data"] == {"min": 0, "max": 0, "mean": 0, "count": 6}
        follower.close()
        for minute in (1, 2):
            await fill(minute)
        clock.advance(2 * MINUTE)
        back = await Follower.begin(store, caveats=exact, after=follower.last)
        assert [(await back.event())["data"]["data"]["min"] for _ in range(2)] == [1, 2]
        assert await back.silent()
        back.close()

    play(story)


@pytest.mark.parametrize("query", ["?tag.room=hall", "?fields=a"])
def test_by_the_minute_nothing_can_be_chosen(play: Play, query: str) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        path = f"/load/ts/tail{query}"
        response = await store.ask("GET", path, caveats=["granularity >= PT1M"])
        assert response.status == 401

    play(story)


@pytest.mark.parametrize("after", ["x", "1", "w5", "00000000.1", "00000000.1.5"])
def test_an_id_that_is_none_is_refused(play: Play, after: str) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        response = await store.ask("GET", f"/load/ts/tail?after={after}")
        assert response.status == 400
        assert json.loads(response.body)["error"]["field"] == "after"

    play(story)


def test_deleted_points_are_not_told_to_who_comes_back(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        follower = await Follower.begin(store)
        await write(store, 1, 10)
        assert await follower.data() == 1
        follower.close()
        await write(store, 2, 20)
        await write(store, 3, 30)
        body = {"from": 15, "to": 25}
        assert answer(await store.ask("POST", "/load/ts/delete", body, caller=DRIVER))
        back = await Follower.begin(store, after=follower.last)
        assert (await back.event())["event"] == "gap"
        assert await back.data() == 3
        assert await back.silent()
        back.close()

    play(story)


def test_a_reader_that_does_not_keep_up_is_dropped(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        follower = await Follower.begin(store)
        large = "x" * 100_000
        for t in range(80):
            await write(store, large, t)
        # Nothing was read meanwhile: what fits into the buffers comes, then the end.
        assert len(await follower.ended()) < 70 * len(large)
        assert not store.store._answers.means.tails.of("load")

    play(story)


def test_what_was_told_is_on_the_record(play: Play) -> None:
    async def story(store: Running, _: FixedClock) -> None:
        follower = await Follower.begin(store)
        await write_many(store, [1, 2, 3], [1, 2, 3])
        for _each in range(3):
            await follower.data()
        follower.close()
        await write_many(store, [4, 5], [4, 5])
        back = await Follower.begin(store, after=follower.last)
        assert [await back.data() for _ in range(2)] == [4, 5]
        back.close()
        await store.store.report()
        told = [
            (each.client, each.items, each.earliest, each.latest)
            for each in store.ledger
            if isinstance(each, Access) and each.operation == "subscribe"
        ]
        assert told == [(APP, 5, 1, 5)]

    play(story)


def test_beside_coarse_places_no_tag_is_told(play: Play) -> None:
    """Neither as it comes, nor from memory, nor from the file."""
    place, coarse = {"lat": 52.20531, "lon": 0.12184}, ["precision >= 1 km"]

    async def story(store: Running, _: FixedClock) -> None:
        await write_many(store, [1], [place], address="12 High Street")
        follower = await Follower.begin(store, caveats=coarse)
        await write_many(store, [2], [place], address="12 High Street")
        told = [await follower.event()]
        mark = follower.last
        await write_many(store, [3], [place], address="12 High Street")
        told += [await follower.event()]
        for after in (mark, "00000000.0000000000000000.2"):
            again = await Follower.begin(store, caveats=coarse, after=after)
            found = await again.event()
            told += [await again.event() if found.get("event") == "gap" else found]
            again.close()
        follower.close()
        assert [each["data"]["timestamp"] for each in told] == [2, 3, 3, 3]
        assert not [each for each in told if "tags" in each["data"]]

    play(story)
