"""The store's interface of 2017, endpoint by endpoint, over real HTTP."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.store.running import DRIVER, NAME, NOTHING, Running, answer, running, token

from databox.kit.clock import FixedClock
from databox.kit.http.message import Response

Story = Callable[[Running], Awaitable[None]]
START = 1_500_000_000_000


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Story], None]:
    """Run a story against a fresh store whose clock stands still."""

    def run(story: Story) -> None:
        async def whole() -> None:
            async with running(tmp_path, FixedClock(START)) as store:
                await story(store)

        asyncio.run(whole())

    return run


Play = Callable[[Story], None]


def item(source: str = "load", **without: bool) -> dict[str, Any]:
    """A data source as node-databox registers it."""
    pairs = {
        "urn:X-hypercat:rels:hasDescription:en": "CPU load",
        "urn:X-hypercat:rels:isContentType": "text/json",
        "urn:X-databox:rels:hasVendor": "Databox",
        "urn:X-databox:rels:hasType": "loadavg1",
        "urn:X-databox:rels:hasDatasourceid": source,
        "urn:X-databox:rels:hasStoreType": "store-json",
    }
    metadata = [{"rel": rel, "val": val} for rel, val in pairs.items()]
    return {"item-metadata": metadata, "href": f"https://{NAME}:443/{source}"}


async def write(store: Running, body: object, source: str = "load") -> Any:
    return answer(await store.ask("POST", f"/{source}/ts", body, caller=DRIVER))


def texts(response: Response) -> tuple[int, str]:
    return response.status, response.body.decode()


def test_status_needs_no_token(play: Play) -> None:
    async def story(store: Running) -> None:
        assert texts(await store.ask("GET", "/status", key="")) == (200, "active")

    play(story)


def test_a_reading_is_stored_with_the_time_of_its_arrival(play: Play) -> None:
    async def story(store: Running) -> None:
        written = await write(store, {"data": {"value": 3}})
        assert written["datasource_id"] == "load"
        assert written["data"] == {"value": 3}
        assert written["timestamp"] == START
        assert isinstance(written["_id"], str)

    play(story)


@pytest.mark.parametrize("body", [0, False, None, "", [], {}, {"data": 0}, {"data": None}])
def test_falsy_data_is_stored_as_it_is(play: Play, body: object) -> None:
    async def story(store: Running) -> None:
        expected = body["data"] if isinstance(body, dict) and "data" in body else body
        assert (await write(store, body))["data"] == expected
        latest = answer(await store.ask("GET", "/load/ts/latest"))
        assert latest[0]["data"] == expected

    play(story)


@pytest.mark.parametrize(
    ("body", "t"),
    [
        ({"data": 1, "timestamp": 5}, 5),
        ({"data": {"value": 1, "timestamp": 6}}, 6),
        ({"data": {"timestamp": 6}, "timestamp": 5}, 5),
        ({"value": 1, "timestamp": 7}, 7),
        ({"data": 1, "timestamp": -5}, -5),
        ({"data": 1, "timestamp": "5"}, START),
        ({"data": 1, "timestamp": 5.5}, START),
        ({"data": 1, "timestamp": True}, START),
    ],
)
def test_a_drivers_own_timestamp_is_honoured(play: Play, body: object, t: int) -> None:
    async def story(store: Running) -> None:
        assert (await write(store, body))["timestamp"] == t

    play(story)


def test_latest_is_the_newest_by_time_not_by_arrival(play: Play) -> None:
    async def story(store: Running) -> None:
        assert answer(await store.ask("GET", "/load/ts/latest")) == []
        for t in (20, 30, 10):
            await write(store, {"data": t, "timestamp": t})
            await write(store, {"data": -t, "timestamp": t}, "other")
        assert [one["data"] for one in answer(await store.ask("GET", "/load/ts/latest"))] == [30]

    play(story)


def test_since_and_range_ascend_and_include_their_ends(play: Play) -> None:
    async def story(store: Running) -> None:
        for t in (40, 10, 30, 20):
            await write(store, {"data": t, "timestamp": t})
            await write(store, {"data": 0, "timestamp": t}, "other")

        async def found(path: str, body: object = NOTHING) -> list[int]:
            return [one["data"] for one in answer(await store.ask("GET", path, body))]

        assert await found("/load/ts/since", {"startTimestamp": 20}) == [20, 30, 40]
        bounds = {"startTimestamp": 20, "endTimestamp": 30}
        assert await found("/load/ts/range", bounds) == [20, 30]
        assert await found("/load/ts/since?startTimestamp=30") == [30, 40]
        assert await found("/load/ts/range?startTimestamp=0&endTimestamp=10") == [10]
        assert await found("/nobody/ts/since", {"startTimestamp": 0}) == []

    play(story)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/load/ts/since", {}),
        ("/load/ts/since", {"startTimestamp": "1"}),
        ("/load/ts/since", {"startTimestamp": 10**18}),
        ("/load/ts/range", {"startTimestamp": 1}),
        ("/load/ts/since?startTimestamp=x", NOTHING),
        ("/load/ts/since", [1]),
    ],
)
def test_a_stretch_that_is_not_said_is_a_bad_request(play: Play, path: str, body: object) -> None:
    async def story(store: Running) -> None:
        response = await store.ask("GET", path, body)
        assert response.status == 400
        assert json.loads(response.body)["error"]["remedy"]

    play(story)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b'{"data": 1', b"\xff", b'"\xff"', b"nan", b"[" * 100_000]
)
def test_a_body_that_is_not_json_is_refused_and_nothing_is_written(play: Play, raw: bytes) -> None:
    async def story(store: Running) -> None:
        for path in ("/load/ts", "/load/kv"):
            response = await store.ask("POST", path, raw=raw, caller=DRIVER)
            assert response.status == 400
        assert answer(await store.ask("GET", "/load/ts/latest")) == []
        assert (await store.ask("GET", "/load/kv")).status == 404

    play(story)


def test_a_body_of_more_than_a_megabyte_is_refused(play: Play) -> None:
    async def story(store: Running) -> None:
        body = {"data": "x" * 1024 * 1024}
        assert (await store.ask("POST", "/load/ts", body, caller=DRIVER)).status == 413

    play(story)


def test_an_unknown_command_is_not_found(play: Play) -> None:
    async def story(store: Running) -> None:
        assert (await store.ask("GET", "/load/ts/middle")).status == 404
        assert (await store.ask("GET", "/sub/load/xy")).status == 404

    play(story)


def test_paths_may_end_with_a_slash_and_be_in_capitals(play: Play) -> None:
    async def story(store: Running) -> None:
        await store.ask("POST", "/key/KV/", 1, caller=DRIVER)
        assert answer(await store.ask("GET", "/key/kv")) == 1
        assert (await store.ask("GET", "/KEY/kv")).status == 404

    play(story)


@pytest.mark.parametrize("value", [{"a": [1, 2]}, "text", 0, False, None, 1.5, "", 2**70])
def test_a_value_is_echoed_and_kept(play: Play, value: object) -> None:
    async def story(store: Running) -> None:
        assert answer(await store.ask("POST", "/key/kv", value, caller=DRIVER)) == value
        assert answer(await store.ask("GET", "/key/kv")) == value

    play(story)


def test_a_value_that_is_not_there_has_the_body_of_2017(play: Play) -> None:
    async def story(store: Running) -> None:
        response = await store.ask("GET", "/key/kv")
        assert texts(response) == (404, '{"status":404,"error":"Document not found"}')

    play(story)


def test_the_catalogue_has_the_metadata_of_2017_in_order(play: Play) -> None:
    async def story(store: Running) -> None:
        response = await store.ask("GET", "/cat")
        assert response.body.decode() == (
            '{"catalogue-metadata":['
            '{"rel":"urn:X-hypercat:rels:isContentType",'
            '"val":"application/vnd.hypercat.catalogue+json"},'
            '{"rel":"urn:X-hypercat:rels:hasDescription:en","val":"Databox Datasource Catalogue"},'
            '{"rel":"urn:X-hypercat:rels:hasHomepage","val":"http://www.databoxproject.uk/"},'
            '{"rel":"urn:X-hypercat:rels:containsContentType",'
            '"val":"application/vnd.hypercat.catalogue+json"},'
            '{"rel":"urn:Xhypercat:rels:supportsSearch","val":"urn:X-hypercat:search:simple"}'
            '],"items":[]}'
        )
        assert response.content_type == "application/json"

    play(story)


def test_registering_a_source_answers_201_then_200_and_says_where(play: Play) -> None:
    async def story(store: Running) -> None:
        for status in (201, 200):
            response = await store.ask("POST", "/cat", item(), caller=DRIVER)
            assert texts(response) == (status, "")
            assert response.header("location") == f"https://{NAME}:443"
        assert answer(await store.ask("GET", "/cat"))["items"] == [item()]

    play(story)


@pytest.mark.parametrize("missing", [None, 0, 1, 2, 3, 4, 5])
def test_an_item_that_says_too_little_is_refused(play: Play, missing: int | None) -> None:
    async def story(store: Running) -> None:
        broken = item()
        if missing is None:
            del broken["href"]
        else:
            del broken["item-metadata"][missing]
        assert (await store.ask("POST", "/cat", broken, caller=DRIVER)).status == 400
        assert answer(await store.ask("GET", "/cat"))["items"] == []

    play(story)


def test_the_catalogue_can_be_searched_and_narrowed_by_the_token(play: Play) -> None:
    async def story(store: Running) -> None:
        for source in ("load", "memory"):
            await store.ask("POST", "/cat", item(source), caller=DRIVER)
        found = answer(await store.ask("GET", f"/cat?href=https://{NAME}:443/memory"))
        assert found["items"] == [item("memory")]
        only = answer(await store.ask("GET", "/cat", caveats=['datasources = ["load"]']))
        assert only["items"] == [item("load")]

    play(story)


def test_the_token_may_come_as_the_user_of_basic_authentication(play: Play) -> None:
    async def story(store: Running) -> None:
        connection = store.connect("graph")
        pair = base64.b64encode(f"{token('graph', 'GET', '/cat')}:".encode()).decode()
        response = await connection.request("GET", "/cat", {"authorization": f"Basic {pair}"})
        assert response.status == 200
        connection.close()

    play(story)


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    async def first() -> None:
        async with running(tmp_path) as store:
            await write(store, {"data": 1, "timestamp": 10})
            await store.ask("POST", "/key/kv", "kept", caller=DRIVER)
            await store.ask("POST", "/cat", item(), caller=DRIVER)
            told = {"epoch": 3, "ended": ["gone"]}
            await store.ask("POST", "/epoch", told, caller="manager", key="")

    async def second() -> None:
        async with running(tmp_path) as store:
            await write(store, {"data": 2, "timestamp": 11})
            since = answer(await store.ask("GET", "/load/ts/since", {"startTimestamp": 0}))
            assert [one["data"] for one in since] == [1, 2]
            assert since[0]["_id"] != since[1]["_id"]
            assert answer(await store.ask("GET", "/key/kv")) == "kept"
            assert answer(await store.ask("GET", "/cat"))["items"] == [item()]
            assert (await store.ask("GET", "/key/kv", grant="gone")).status == 401

    asyncio.run(first())
    asyncio.run(second())
