"""Values that are not JSON are kept as they are sent; JSON is as it always was."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.conformance.store.running import APP, DRIVER, Running, answer, running

from databox.kit.http.message import Response

JPEG = bytes(range(256)) * 100


def play(folder: Path, story: Callable[[Running], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with running(folder) as store:
            await story(store)

    asyncio.run(whole())


async def put(store: Running, kind: str | None, raw: bytes, key: str = "key") -> Response:
    headers = {} if kind is None else {"content-type": kind}
    return await store.ask("POST", f"/{key}/kv", raw=raw, caller=DRIVER, headers=headers)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text/plain", b"four degrees"),
        ("text/plain; charset=utf-8", "vier Grad, ä".encode()),
        ("text/plain; charset=latin1", "ä".encode("latin-1")),
        ("text/csv", b"a,b\r\n1,2\r\n"),
        ("image/jpeg", JPEG),
        ("application/octet-stream", b""),
        ("application/ld+json", b'{ "@id": "x" }'),
    ],
)
def test_a_value_comes_back_as_it_was_sent(tmp_path: Path, kind: str, value: bytes) -> None:
    async def story(store: Running) -> None:
        assert answer(await put(store, kind, value)) == {"size": len(value)}
        found = await store.ask("GET", "/key/kv")
        assert (found.status, found.content_type, found.body) == (200, kind, value)
        assert found.header("x-content-type-options") == "nosniff"

    play(tmp_path, story)


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/x-www-form-urlencoded",
    ],
)
def test_json_is_as_it_always_was(tmp_path: Path, kind: str | None) -> None:
    async def story(store: Running) -> None:
        assert (await put(store, kind, b'{"a": [1,  2.0]}')).body == b'{"a":[1,2.0]}'
        found = await store.ask("GET", "/key/kv")
        assert (found.content_type, found.body) == ("application/json", b'{"a":[1,2.0]}')
        assert (await put(store, kind, b"not json")).status == 400

    play(tmp_path, story)


def test_a_value_takes_the_place_of_one_of_another_type(tmp_path: Path) -> None:
    async def story(store: Running) -> None:
        await put(store, "image/jpeg", JPEG)
        await put(store, None, b"1")
        found = await store.ask("GET", "/key/kv")
        assert (found.content_type, found.body) == ("application/json", b"1")

    play(tmp_path, story)


@pytest.mark.parametrize(
    "kind",
    ["jpeg", "image/", "image/jpeg; x", 'text/plain; charset="a', "text/a\x80", "a/" + "b" * 300],
)
def test_what_is_no_type_is_refused(tmp_path: Path, kind: str) -> None:
    async def story(store: Running) -> None:
        refused = await put(store, kind, b"x")
        assert refused.status == 400
        assert json.loads(refused.body)["error"]["field"] == "content-type"
        assert (await store.ask("GET", "/key/kv")).status == 404

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("application/json", b'{"a":1}', {"data": {"a": 1}}),
        ("text/plain", "vier Grad, ä".encode(), {"data": "vier Grad, ä", "type": "text/plain"}),
        (
            "text/plain",
            b"\xff\xfe",
            {"data": "//4=", "type": "text/plain", "encoding": "base64"},
        ),
        ("image/png", b"\x89P", {"data": "iVA=", "type": "image/png", "encoding": "base64"}),
    ],
)
def test_an_event_tells_the_type_and_how_it_is_written(
    tmp_path: Path, kind: str, value: bytes, told: dict[str, object]
) -> None:
    async def story(store: Running) -> None:
        socket = await store.websocket(APP)
        assert (await store.ask("GET", "/sub/key/kv")).status == 200
        await put(store, kind, value)
        async with asyncio.timeout(5):
            event = json.loads(await socket.receive() or "")
        assert event == {"datasource_id": "key", **told}
        socket.close()

    play(tmp_path, story)
