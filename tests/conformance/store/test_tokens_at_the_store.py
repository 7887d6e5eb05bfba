"""What a token lets pass, where the data is."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.conformance.store.running import (
    APP,
    DRIVER,
    NAME,
    NOTHING,
    Running,
    answer,
    running,
    token,
)

from databox.kit.clock import FixedClock

Story = Callable[[Running], Awaitable[None]]
Play = Callable[[Story], None]
START = 1_500_000_000_000
MISSING, INVALID = (401, b"Missing API key/token"), (401, b"Invalid API key/token")


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run a story against a store with readings at 10, 20, … 50 ms."""

    def run(story: Story) -> None:
        async def whole() -> None:
            async with running(tmp_path, FixedClock(START)) as store:
                for t in range(10, 60, 10):
                    body = {"data": t, "timestamp": t}
                    await store.ask("POST", "/load/ts", body, caller=DRIVER)
                await store.ask("POST", "/load/kv", 1, caller=DRIVER)
                await story(store)

        asyncio.run(whole())

    return run


@pytest.mark.parametrize(
    ("key", "refusal"),
    [
        ("", MISSING),
        ("nonsense", INVALID),
        ("x" * 8000, INVALID),
        (token(APP, "GET", "/load/ts/latest")[:-4], INVALID),
        (token(APP, "GET", "/load/ts/latest", target="other-store"), INVALID),
        (token(APP, "POST", "/load/ts/latest"), INVALID),
        (token(APP, "GET", "/other/*"), INVALID),
        (token("thief", "GET", "/load/ts/latest"), INVALID),
        (token(APP, "GET", "/load/ts/latest", f"time < {START}"), INVALID),
        (token(APP, "GET", "/load/ts/latest", "colour = blue"), INVALID),
        (token(APP, "GET", "/load/ts/latest", 'destination = ["https://a.example/"]'), INVALID),
        (token(APP, "GET", "/load/ts/latest", "role = owner", "user = Ada"), INVALID),
        (token(APP, "GET", "/load/ts/latest", 'datasources = ["memory"]'), INVALID),
    ],
)
def test_anything_but_a_good_token_is_refused(
    play: Play, key: str, refusal: tuple[int, bytes]
) -> None:
    async def story(store: Running) -> None:
        response = await store.ask("GET", "/load/ts/latest", key=key)
        assert (response.status, response.body) == refusal

    play(story)


@pytest.mark.parametrize("path", ["/*", "/load/*", "/load/ts/:command", "/LOAD/ts/latest"])
def test_a_pattern_that_matches_lets_pass(play: Play, path: str) -> None:
    async def story(store: Running) -> None:
        response = await store.ask("GET", "/load/ts/latest", key=token(APP, "GET", path))
        assert response.status == 200

    play(story)


@pytest.mark.parametrize(
    ("path", "body", "passes"),
    [
        ("/load/ts/since", {"startTimestamp": 30}, True),
        ("/load/ts/since", {"startTimestamp": 29}, False),
        ("/load/ts/range", {"startTimestamp": 30, "endTimestamp": 99}, True),
        ("/load/ts/range", {"startTimestamp": 0, "endTimestamp": 99}, False),
        ("/load/ts/since?startTimestamp=29", NOTHING, False),
        ("/load/kv", NOTHING, False),
    ],
)
def test_how_far_back_holds(play: Play, path: str, body: object, passes: bool) -> None:
    async def story(store: Running) -> None:
        response = await store.ask("GET", path, body, caveats=["startTimestamp >= 30"])
        assert response.status == (200 if passes else 401)

    play(story)


@pytest.mark.parametrize(
    ("path", "body", "passes"),
    [
        ("/load/ts/range", {"startTimestamp": 0, "endTimestamp": 30}, True),
        ("/load/ts/range", {"startTimestamp": 0, "endTimestamp": 31}, False),
        # The request cannot say where it ends, so the caveat cannot be satisfied.
        ("/load/ts/since", {"startTimestamp": 0}, False),
    ],
)
def test_until_when_holds(play: Play, path: str, body: object, passes: bool) -> None:
    async def story(store: Running) -> None:
        response = await store.ask("GET", path, body, caveats=["endTimestamp <= 30"])
        assert response.status == (200 if passes else 401)

    play(story)


@pytest.mark.parametrize(
    ("caveats", "seen"),
    [
        (["startTimestamp >= 50"], [50]),
        (["startTimestamp >= 51"], []),
        (["endTimestamp <= 49"], [40]),
        (["endTimestamp <= 9"], []),
        (["startTimestamp >= 30", "endTimestamp <= 39"], [30]),
        (["startTimestamp >= 31", "endTimestamp <= 39"], []),
    ],
)
def test_latest_shows_the_newest_that_the_token_allows(
    play: Play, caveats: list[str], seen: list[int]
) -> None:
    async def story(store: Running) -> None:
        found = answer(await store.ask("GET", "/load/ts/latest", caveats=caveats))
        assert [one["data"] for one in found] == seen

    play(story)


@pytest.mark.parametrize("caveat", ["startTimestamp >= 1", "granularity >= PT1M"])
def test_a_token_for_reading_only_a_part_does_not_write(play: Play, caveat: str) -> None:
    async def story(store: Running) -> None:
        for path in ("/load/ts", "/load/kv", "/cat"):
            response = await store.ask("POST", path, 1, caller=DRIVER, caveats=[caveat])
            assert (response.status, response.body) == INVALID

    play(story)


def test_only_the_manager_ends_grants(play: Play) -> None:
    async def story(store: Running) -> None:
        told = {"epoch": 1, "ended": ["g1"]}
        for caller in (APP, DRIVER, "gateway"):
            assert (await store.ask("POST", "/epoch", told, caller=caller)).status == 403
        assert (await store.ask("GET", "/load/ts/latest")).status == 200
        await store.ask("POST", "/epoch", told, caller="manager", key="")
        response = await store.ask("GET", "/load/ts/latest")
        assert (response.status, response.body) == INVALID
        assert response.header("x-databox-reason") == "grant-ended"
        assert (await store.ask("GET", "/load/ts/latest", grant="g2")).status == 200

    play(story)


def test_the_owner_reads_through_the_gateway_and_by_name(play: Play) -> None:
    async def story(store: Running) -> None:
        caveats = ["user = Ada", "role = owner", f"time < {START + 300_000}"]
        path = "/load/ts/range?startTimestamp=20&endTimestamp=30"
        found = await store.ask("GET", path, caller="gateway", caveats=caveats, grant="user")
        assert [one["data"] for one in answer(found)] == [20, 30]
        await store.store.report()
        lines = [event for event in store.ledger if getattr(event, "user", "") == "Ada"]
        assert [(line.operation, line.items) for line in lines] == [("read", 2)]  # type: ignore[union-attr]

    play(story)


def test_a_token_of_another_store_does_not_pass_here(play: Play) -> None:
    async def story(store: Running) -> None:
        key = token(APP, "GET", "/load/ts/latest", f"target = {NAME}", target="other-store")
        assert (await store.ask("GET", "/load/ts/latest", key=key)).status == 401

    play(story)
