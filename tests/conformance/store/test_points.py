"""Points as columns: in JSON and binary, by page, by tag, by member, at a moment."""

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.conformance.store.running import DRIVER, Running, answer, running

from databox.kit.clock import FixedClock
from databox.kit.http.message import Response
from databox.wire.ledger import Access

Story = Callable[[Running], Awaitable[None]]
Play = Callable[[Story], None]
START = 1_500_000_000_000
BINARY = "application/vnd.databox.columns"
HALL, ROOM = {"room": "hall"}, {"room": "kitchen", "floor": "1"}


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run a story against a fresh store whose clock stands still."""

    def run(story: Story) -> None:
        async def whole() -> None:
            async with running(tmp_path, FixedClock(START)) as store:
                await story(store)

        asyncio.run(whole())

    return run


async def write(store: Running, times: list[int], data: list[Any], **tags: str) -> Any:
    body: dict[str, Any] = {"timestamps": times, "data": data}
    if tags:
        body["tags"] = tags
    return answer(await store.ask("POST", "/load/ts/columns", body, caller=DRIVER))


async def points(store: Running, query: str = "", *caveats: str) -> Any:
    return answer(await store.ask("GET", f"/load/ts/points{query}", caveats=caveats))


def refusal(response: Response) -> tuple[int, str, str]:
    error = json.loads(response.body)["error"]
    assert error["remedy"]
    return response.status, error["code"], error["field"]


def test_columns_come_back_in_order_of_time(play: Play) -> None:
    async def story(store: Running) -> None:
        assert await write(store, [30, 10, 20], [3, 1.0, 2.5]) == {"written": 3}
        found = await points(store)
        assert found == {"timestamps": [10, 20, 30], "data": [1.0, 2.5, 3], "next": None}
        response = await store.ask("GET", "/load/ts/points")
        assert b'"data":[1.0,2.5,3]' in response.body

    play(story)


def test_documents_are_kept_in_their_shortest_form(play: Play) -> None:
    """An event is one line, whatever a driver sends."""

    async def story(store: Running) -> None:
        body = b'{"timestamps": [1], "data": [{ "a":\n [1.0,  2] }]}'
        assert answer(await store.ask("POST", "/load/ts/columns", raw=body, caller=DRIVER))
        response = await store.ask("GET", "/load/ts/points")
        assert b'"data":[{"a":[1.0,2]}]' in response.body

    play(story)


def test_there_may_be_no_points(play: Play) -> None:
    async def story(store: Running) -> None:
        assert await points(store) == {"timestamps": [], "data": [], "next": None}
        assert await write(store, [], []) == {"written": 0}

    play(story)


@pytest.mark.parametrize(
    "data",
    [
        [1, 2, 3],
        [1.5, "text", None],
        [{"a": 1}, {"a": 2}, [1, 2]],
        [True, False, True],
        [2**53 + 1, 1, 2],
        [10**400, 0, -1],
    ],
)
def test_any_data_comes_back_as_it_was_sent(play: Play, data: list[Any]) -> None:
    async def story(store: Running) -> None:
        await write(store, [1, 2, 3], data)
        assert (await points(store))["data"] == data

    play(story)


@pytest.mark.parametrize(
    ("query", "times"),
    [
        ("?from=20&to=40", [20, 30, 40]),
        ("?from=20", [20, 30, 40, 50]),
        ("?to=20", [10, 20]),
        ("?from=21&to=29", []),
        ("?limit=2", [10, 20]),
        ("?limit=2&order=newest", [50, 40]),
        ("?order=newest&to=30", [30, 20, 10]),
        ("?order=oldest", [10, 20, 30, 40, 50]),
    ],
)
def test_a_question_is_answered_as_asked(play: Play, query: str, times: list[int]) -> None:
    async def story(store: Running) -> None:
        await write(store, [10, 20, 30, 40, 50], [1, 2, 3, 4, 5])
        assert (await points(store, query))["timestamps"] == times

    play(story)


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_pages_follow_one_another_without_a_gap(play: Play, order: str) -> None:
    async def story(store: Running) -> None:
        for place, tags in enumerate(({}, HALL, ROOM)):
            await write(store, list(range(100)), [place * 100 + t for t in range(100)], **tags)
        whole = await points(store, f"?order={order}")
        gathered: list[Any] = []
        query = f"?order={order}&limit=7"
        cursor = ""
        while cursor is not None:
            page = await points(store, query + (f"&cursor={cursor}" if cursor else ""))
            assert 1 <= len(page["timestamps"]) <= 7
            gathered += page["data"]
            cursor = page["next"]
        assert gathered == whole["data"]
        assert len(gathered) == 300

    play(story)


def test_what_is_written_meanwhile_shifts_no_page(play: Play) -> None:
    async def story(store: Running) -> None:
        await write(store, [10, 20, 30], [1, 2, 3])
        first = await points(store, "?limit=2")
        await write(store, [5, 15, 25], [0, 0, 9])
        rest = await points(store, f"?cursor={first['next']}")
        assert rest["timestamps"] == [25, 30]

    play(story)


def test_several_series_are_told_apart(play: Play) -> None:
    async def story(store: Running) -> None:
        await write(store, [10, 30], [1, 3], **HALL)
        await write(store, [10, 20], [100, 200], **ROOM)
        await write(store, [15], [0])
        found = await points(store)
        listed = [found["series"][place] for place in found["of"]]
        assert list(zip(found["timestamps"], found["data"], listed, strict=True)) == [
            (10, 1, HALL), (10, 100, ROOM), (15, 0, {}), (20, 200, ROOM), (30, 3, HALL),
        ]  # fmt: skip

    play(story)


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("?tag.room=hall", [1, 3]),
        ("?tag.floor=1", [100, 200]),
        ("?tag.floor=1&tag.room=kitchen", [100, 200]),
        ("?tag.floor=1&tag.room=hall", []),
        ("?tag.kind=air", [1, 100, 200, 3]),
        ("?tag.kind=air&limit=3&order=newest", [3, 200, 100]),
    ],
)
def test_tags_choose_series(play: Play, query: str, data: list[int]) -> None:
    async def story(store: Running) -> None:
        await write(store, [10, 30], [1, 3], kind="air", **HALL)
        await write(store, [10, 20], [100, 200], kind="air", **ROOM)
        await write(store, [15], [0])
        assert (await points(store, query))["data"] == data

    play(story)


def test_members_are_chosen_by_name(play: Play) -> None:
    async def story(store: Running) -> None:
        await write(store, [1, 2, 3], [{"b": 2, "a": 1, "c": [1.0]}, {"b": 5}, 7])
        assert (await points(store, "?fields=a,c"))["data"] == [{"a": 1, "c": [1.0]}, {}, {}]

    play(story)


def test_binary_columns_go_both_ways(play: Play) -> None:
    async def story(store: Running) -> None:
        body = b"DBXC\1\0\0\0" + struct.pack("<I3q3d", 3, 30, 10, 20, 0.5, -1.25, 7.0)
        response = await store.ask(
            "POST", "/load/ts/columns", raw=body, caller=DRIVER, headers={"content-type": BINARY}
        )
        assert answer(response) == {"written": 3}
        assert (await points(store))["data"] == [-1.25, 7.0, 0.5]
        response = await store.ask("GET", "/load/ts/points", headers={"accept": BINARY})
        assert response.content_type == BINARY
        assert response.body == b"DBXC\1\0\0\0" + struct.pack(
            "<I3q3d", 3, 10, 20, 30, -1.25, 7.0, 0.5
        )

    play(story)


def test_binary_columns_may_have_tags(play: Play) -> None:
    async def story(store: Running) -> None:
        body = b"DBXC\1\0\0\0" + struct.pack("<Iqd", 1, 30, 0.5)
        path = "/load/ts/columns?tag.room=" + quote("Große Küche")
        response = await store.ask(
            "POST", path, raw=body, caller=DRIVER, headers={"content-type": BINARY}
        )
        assert answer(response) == {"written": 1}
        assert answer(await store.ask("GET", "/load/ts/series")) == {
            "series": [{"room": "Große Küche"}]
        }

    play(story)


def test_documents_do_not_fit_into_binary_columns(play: Play) -> None:
    async def story(store: Running) -> None:
        await write(store, [1], [{"a": 1}])
        response = await store.ask("GET", "/load/ts/points", headers={"accept": BINARY})
        assert refusal(response) == (400, "not-numbers", "accept")

    play(story)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"", "columns", "body"),
        (b"[]", "columns", "body"),
        (b'{"timestamps":[1],"data":[1],"more":1}', "columns", "body"),
        (b'{"timestamps":[1,2],"data":[1]}', "columns", "data"),
        (b'{"timestamps":[1,2],"data":["a"]}', "columns", "data"),
        (b'{"timestamps":[1.5],"data":[1]}', "columns", "body"),
        (b'{"timestamps":[253402300800000],"data":[1]}', "columns", "body"),
        (b'{"timestamps":[1e400],"data":[1]}', "columns", "body"),
        (b'{"timestamps":[1],"data":[1],"tags":{"Room":"x"}}', "tags", "tags"),
        (b'{"timestamps":[1],"data":[1],"tags":{"room":1}}', "columns", "body"),
        (b'{"timestamps":[1],"data":[NaN]}', "columns", "body"),
        (b'{"timestamps":[1],"data":[1e400]}', "columns", "body"),
        (b'{"timestamps":[1],"data":[{"a":1e400}]}', "columns", "body"),
        (b'{"timestamps":[1],"data":["\xff"]}', "columns", "body"),
        (b'{"timestamps":[1],"data":["\\ud800"]}', "columns", "body"),
        (b'{"timestamps":[1],"data":[' + b"[" * 5000 + b"]" * 5000 + b"]}", "columns", "body"),
        (b'{"timestamps":[1],"data":[1', "columns", "body"),
    ],
)
def test_a_malformed_body_is_refused_by_name(
    play: Play, body: bytes, code: str, field: str
) -> None:
    async def story(store: Running) -> None:
        response = await store.ask("POST", "/load/ts/columns", raw=body, caller=DRIVER)
        assert refusal(response) == (400, code, field)
        assert await points(store) == {"timestamps": [], "data": [], "next": None}

    play(story)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"DBXC\1\0\0\0", "body"),
        (b"DBXC\2\0\0\0\0\0\0\0", "body"),
        (b"DBXC\1\0\0\0" + struct.pack("<Iqd", 2, 1, 1.0), "body"),
        (b"DBXC\1\0\0\0" + struct.pack("<I2q2d", 2, 1, 2**62, 1.0, 1.0), "timestamps[1]"),
        (b"DBXC\1\0\0\0" + struct.pack("<I2q2d", 2, 1, 2, 1.0, float("nan")), "data[1]"),
        (b"DBXC\1\0\0\0" + struct.pack("<I2q2d", 2, 1, 2, float("-inf"), 1.0), "data[0]"),
    ],
)
def test_a_malformed_binary_body_is_refused_by_name(play: Play, body: bytes, field: str) -> None:
    async def story(store: Running) -> None:
        response = await store.ask(
            "POST", "/load/ts/columns", raw=body, caller=DRIVER, headers={"content-type": BINARY}
        )
        assert refusal(response)[2] == field

    play(story)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("form=1", "form"),
        ("from=x", "from"),
        ("to=1e3", "to"),
        ("from=5&to=4", "to"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("order=up", "order"),
        ("cursor=o5", "cursor"),
        ("cursor=n5.1", "cursor"),
        ("fields=", "fields"),
        ("fields=a,,b", "fields"),
        ("tag.Room=x", "tags"),
        ("tag.=x", "tag."),
        ("from=99999999999999999999", "from"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(play: Play, query: str, field: str) -> None:
    async def story(store: Running) -> None:
        assert refusal(await store.ask("GET", f"/load/ts/points?{query}"))[2] == field

    play(story)


@pytest.mark.parametrize(
    ("query", "found"),
    [("t=10", [1]), ("t=19", [1]), ("t=20", [{"a": 2}]), ("t=99", [3]), ("t=9", []),
     ("t=99&tag.room=hall", [100]), ("t=24&tag.room=hall", [])],
)  # fmt: skip
def test_at_gives_what_held_then(play: Play, query: str, found: list[Any]) -> None:
    async def story(store: Running) -> None:
        await write(store, [10, 20, 30], [1, {"a": 2}, 3])
        await write(store, [25], [100], **HALL)
        held = answer(await store.ask("GET", f"/load/ts/at?{query}"))
        assert [each["data"] for each in held] == found
        assert all(set(each) == {"datasource_id", "data", "timestamp", "_id"} for each in held)

    play(story)


def test_length_counts(play: Play) -> None:
    async def story(store: Running) -> None:
        await write(store, list(range(100)), list(range(100)))
        await write(store, list(range(50)), list(range(50)), **HALL)
        for query, length in (
            ("", 150), ("?from=90", 10), ("?from=40&to=59", 30), ("?tag.room=hall", 50),
            ("?tag.room=attic", 0), ("?from=200", 0),
        ):  # fmt: skip
            assert answer(await store.ask("GET", f"/load/ts/length{query}")) == {"length": length}

    play(story)


def test_series_lists_the_tags(play: Play) -> None:
    async def story(store: Running) -> None:
        assert answer(await store.ask("GET", "/load/ts/series")) == {"series": []}
        for tags in ({}, HALL, ROOM):
            await write(store, [1], [1], **tags)
        found = answer(await store.ask("GET", "/load/ts/series"))
        assert found == {"series": [{}, ROOM, HALL]}
        assert answer(await store.ask("GET", "/load/ts/series?tag.floor=1")) == {"series": [ROOM]}

    play(story)


def test_the_last_write_of_a_moment_counts(play: Play) -> None:
    async def story(store: Running) -> None:
        await write(store, [1, 1, 2], [1, 2, 3])
        await store.ask("POST", "/load/ts", {"data": "new", "timestamp": 2}, caller=DRIVER)
        assert (await points(store))["data"] == [2, "new"]

    play(story)


def test_deleting_a_stretch_leaves_the_rest(play: Play) -> None:
    async def story(store: Running) -> None:
        await write(store, [10, 20, 30], [1, 2, 3])
        await write(store, [20], [9], **HALL)
        latest = answer(await store.ask("GET", "/load/ts/latest"))
        assert latest[0]["data"] == 3
        for body, deleted, left in (
            ({"from": 20, "to": 25, "tags": {}}, 1, [1, 9, 3]),
            ({"from": 25, "to": 35}, 1, [1, 9]),
            ({"whole": True}, 2, []),
        ):
            response = await store.ask("POST", "/load/ts/delete", body, caller=DRIVER)
            assert answer(response) == {"deleted": deleted}
            assert (await points(store))["data"] == left
            last = answer(await store.ask("GET", "/load/ts/latest"))
            assert [each["data"] for each in last] == left[-1:]

    play(story)


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "from"), ({"from": 1}, "to"), ({"from": 2, "to": 1}, "to"), ([], "body"),
     ({"whole": True, "from": 1}, "whole"), ({"form": 1, "to": 2}, "body"),
     ({"whole": False}, "from")],
)  # fmt: skip
def test_deleting_says_what_in_so_many_words(play: Play, body: Any, field: str) -> None:
    async def story(store: Running) -> None:
        await write(store, [10], [1])
        response = await store.ask("POST", "/load/ts/delete", body, caller=DRIVER)
        assert refusal(response) == (400, "deletion", field)
        assert (await points(store))["data"] == [1]

    play(story)


@pytest.mark.parametrize(("role", "status"), [("owner", 200), ("member", 401)])
@pytest.mark.parametrize("path", ["/load/ts/delete", "/load/kv/delete"])
def test_of_people_only_the_owner_deletes(play: Play, path: str, role: str, status: int) -> None:
    async def story(store: Running) -> None:
        response = await store.ask(
            "POST", path, {"whole": True}, caller="gateway", grant="user",
            caveats=["user = Ada", f"role = {role}", 'datasources = ["load"]'],
        )  # fmt: skip
        assert response.status == status
        if status == 401:
            assert json.loads(response.body)["error"]["code"] == "token-role"

    play(story)


def test_the_latest_reading_is_that_of_the_columns(play: Play) -> None:
    async def story(store: Running) -> None:
        await write(store, [10], [1])
        assert answer(await store.ask("GET", "/load/ts/latest"))[0]["data"] == 1
        await write(store, [30, 20], [3, 2])
        assert answer(await store.ask("GET", "/load/ts/latest"))[0]["data"] == 3

    play(story)


def test_keys_are_listed_counted_and_deleted(play: Play) -> None:
    async def story(store: Running) -> None:
        for key in ("b", "a1", "a2", "a3"):
            await store.ask("POST", f"/{key}/kv", 1, caller=DRIVER)

        async def ask(path: str, *caveats: str) -> Any:
            return answer(await store.ask("GET", path, caveats=caveats))

        assert await ask("/kv") == {"keys": ["a1", "a2", "a3", "b"], "next": None}
        assert await ask("/kv?prefix=a&limit=2") == {"keys": ["a1", "a2"], "next": "a2"}
        assert await ask("/kv?prefix=a&limit=2&after=a2") == {"keys": ["a3"], "next": None}
        assert await ask("/kv/count?prefix=a") == {"count": 3}
        only = 'datasources = ["a2", "b", "zz"]'
        assert await ask("/kv", only) == {"keys": ["a2", "b"], "next": None}
        assert await ask("/kv/count", only) == {"count": 2}
        for deleted in (True, False):
            response = await store.ask("POST", "/a2/kv/delete", caller=DRIVER)
            assert answer(response) == {"deleted": deleted}
        assert (await store.ask("GET", "/a2/kv")).status == 404
        assert await ask("/kv/count") == {"count": 3}

    play(story)


def test_each_kind_of_access_leaves_a_record(play: Play) -> None:
    async def story(store: Running) -> None:
        await write(store, [10, 20, 30], [1.5, 2.5, 3.5])
        await points(store, "?from=15")
        await store.ask("GET", "/load/ts/at?t=15")
        await store.ask("GET", "/load/ts/length")
        await store.ask("POST", "/load/ts/delete", {"from": 5, "to": 15}, caller=DRIVER)
        await store.store.report()
        lines = [
            (each.operation, each.count, each.items, each.earliest, each.latest)
            for each in store.ledger
            if isinstance(each, Access)
        ]
        assert lines == [
            ("write", 1, 3, 10, 30),
            ("read", 3, 2 + 1 + 1, 10, 30),
            ("delete", 1, 0, 5, 15),
        ]

    play(story)


def test_beside_coarse_places_no_tag_is_told(play: Play) -> None:
    """It may be the address, and asking for one tells whether it is."""
    home = {"address": "12 High Street"}

    async def story(store: Running) -> None:
        for t, tags in ((10, home), (20, HALL)):
            await write(store, [t], [{"lat": 52.20531, "lon": 0.12184}], **tags)
        coarse = ["precision >= 1 km"]
        for path in ("points", "since?startTimestamp=0", "at?t=10", "length", "latest"):
            response = await store.ask("GET", f"/load/ts/{path}", caveats=coarse)
            assert response.status == 200
            assert b"High Street" not in response.body
        found = await points(store, "", *coarse)
        assert set(found) == {"timestamps", "data", "next"}
        assert len(found["data"]) == 2
        asked = "tag.address=12+High+Street"
        for path in (f"points?{asked}", f"at?t=10&{asked}", f"length?{asked}", "series",
                     f"tail?{asked}"):  # fmt: skip
            response = await store.ask("GET", f"/load/ts/{path}", caveats=coarse)
            assert refusal(response) == (401, "token-caveat", "tag")

    play(story)
