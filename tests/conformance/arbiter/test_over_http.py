"""The arbiter as a client of 2017 meets it: over HTTP, on an encrypted file, with a real ledger."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from databox.arbiter.launch import Setting
from databox.arbiter.passphrase import Cost, Passphrases
from databox.arbiter.service import Arbiter
from databox.arbiter.state import State
from databox.kit.clock import SystemClock
from databox.kit.database import open_database
from databox.kit.http import Response, Server
from databox.kit.http.client import Connection
from databox.ledger.chain import Ledger
from databox.ledger.check import Check

KEYS = {name: base64.b64encode(name.encode().ljust(32)).decode() for name in ("cm", "app", "store")}
ROUTE = {"target": "test-store", "path": "/load/*", "method": "GET"}
FORM = "application/x-www-form-urlencoded"


class Peer:
    """A client on one pair, which sends what it is told to."""

    def __init__(self, connection: Connection, key: str) -> None:
        self._connection = connection
        self._key = key

    async def post(self, path: str, body: Any) -> Response:
        """Post JSON."""
        return await self._send("POST", path, "application/json", json.dumps(body).encode())

    async def form(self, path: str, fields: dict[str, str]) -> Response:
        """Post a form, as the container manager of 2017 always does."""
        return await self._send("POST", path, FORM, urlencode(fields).encode())

    async def get(self, path: str) -> Response:
        """Get."""
        return await self._send("GET", path, "application/json", b"")

    async def _send(self, method: str, path: str, kind: str, body: bytes) -> Response:
        headers = {"x-api-key": self._key, "content-type": kind}
        return await self._connection.request(method, path, headers, body)


class Running:
    """An arbiter that serves pairs of a development box."""

    def __init__(self, folder: Path) -> None:
        connection = open_database(folder / "authority.db", b"k" * 32)
        self.ledger = Ledger(connection, b"l" * 32, SystemClock())
        self.state = State(connection)
        self.arbiter = Arbiter(
            self.state,
            lambda event: self.ledger.append("arbiter", (event,)),
            self.state.steady(SystemClock()),
            setting=Setting(pairs=False, manager="container-manager"),
            location="https://arbiter:8080",
            passphrases=Passphrases(Cost(64, 1, 1)),
        )
        with self.state.transaction():
            self.state.records.put("container-manager", "CM", KEYS["cm"])
        self.server = Server(self.arbiter.router)
        self._folder = folder

    def peer(self, name: str) -> Peer:
        """A client that shows the key of `name`."""
        ours, theirs = socket.socketpair()
        self.server.serve_connection(ours, "", "plain")
        return Peer(Connection(theirs), KEYS.get(name, name))


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Running]:
    """Serve until the test is done with it."""
    box = Running(folder)
    try:
        yield box
    finally:
        await box.server.drain()


@pytest.fixture
def story(tmp_path: Path) -> Callable[[Callable[[Running], Awaitable[None]]], None]:
    """Run a story against an arbiter on the same file each time."""

    def run(told: Callable[[Running], Awaitable[None]]) -> None:
        async def main() -> None:
            async with running(tmp_path) as box:
                await told(box)

        asyncio.run(main())

    return run


Story = Callable[[Callable[[Running], Awaitable[None]]], None]


async def set_up(box: Running) -> Response:
    """What a container manager of 2017 does for a store and an app; gives the app's token."""
    manager = box.peer("cm")
    for name, kind in (("test-store", "store"), ("test-app", "app")):
        fields = {"name": name, "type": kind, "key": KEYS["store" if kind == "store" else "app"]}
        assert (await manager.form("/cm/upsert-container-info", fields)).status == 200
    granted = {"name": "test-app", "caveats[0]": "startTimestamp >= 5"}
    granted |= {f"route[{key}]": value for key, value in ROUTE.items()}
    reply = await manager.form("/cm/grant-container-permissions", granted)
    assert reply.body == b'["startTimestamp >= 5"]'
    assert (await box.peer("store").get("/store/secret")).status == 200
    return await box.peer("app").post("/token", ROUTE | {"path": "/load/ts/latest"})


def test_the_way_from_upsert_to_token(story: Story, ask_node: Callable[[str, Any], Any]) -> None:
    async def told(box: Running) -> None:
        token = (await set_up(box)).body.decode()
        secret = (await box.peer("store").get("/store/secret")).body.decode()
        answer = ask_node("tokens.mjs", {"do": "check", "token": token, "secret": secret})
        assert answer["holds"] is True
        assert answer["location"] == "https://arbiter:8080"
        assert answer["caveats"] == [
            "target = test-store",
            "path = /load/ts/latest",
            "method = GET",
            "startTimestamp >= 5",
        ]

    story(told)


def test_texts_come_as_text_and_objects_as_json(story: Story) -> None:
    async def told(box: Running) -> None:
        await set_up(box)
        kinds = [
            (await box.peer("app").get(path)).header("content-type") for path in ("/status", "/cat")
        ]
        assert kinds == ["text/plain; charset=utf-8", "application/json"]

    story(told)


def test_all_of_it_is_there_after_a_restart(story: Story) -> None:
    secrets = []

    async def before(box: Running) -> None:
        await set_up(box)
        secrets.append((await box.peer("store").get("/store/secret")).body)

    async def after(box: Running) -> None:
        secrets.append((await box.peer("store").get("/store/secret")).body)
        assert (await box.peer("app").post("/token", ROUTE)).status == 200
        assert (await box.peer("app").post("/token", ROUTE | {"path": "/x"})).status == 401

    story(before)
    story(after)
    assert secrets[0] == secrets[1]


def test_the_ledger_tells_the_story_and_holds(story: Story) -> None:
    async def told(box: Running) -> None:
        await set_up(box)
        await box.peer("app").post("/token", ROUTE | {"path": "/x"})
        check = Check(box.ledger)
        lines = [line for batch in box.ledger.lines() for line in batch]
        kinds = [json.loads(line.leaf)["event"]["type"] for line in lines]
        assert kinds == ["granted", "token", "refused"]
        assert all(check.take(batch) for batch in box.ledger.lines())
        assert check.verdict().ok

    story(told)


def test_a_development_box_serves_nothing_between_parts(story: Story) -> None:
    async def told(box: Running) -> None:
        for path in ("/owner", "/sessions", "/grants", "/components", "/user-token", "/api/grants"):
            assert (await box.peer("cm").post(path, {})).status == 404

    story(told)
