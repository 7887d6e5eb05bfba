"""Windows: what they come to, by member, by series, and no more than a token shows."""

import asyncio
import json
import random
import statistics
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.store.running import DRIVER, KEY, Running, answer, running

from databox.kit.clock import FixedClock
from databox.store.engine.points import pack_columns
from databox.store.file import NewColumns, StoreFile

Story = Callable[[Running], Awaitable[None]]
Play = Callable[[Story], None]
MINUTE, HOUR = 60_000, 3_600_000
START = 1_500_000_000_000 // HOUR * HOUR
NOW = START + 5 * HOUR
EVERYTHING = "count,sum,min,max,mean,median,sd,p10,p90"


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run a story against a fresh store whose clock stands still."""

    def run(story: Story) -> None:
        async def whole() -> None:
            async with running(tmp_path, FixedClock(NOW)) as store:
                await story(store)

        asyncio.run(whole())

    return run


def fill(folder: Path, points: Iterable[tuple[int, float]], tags: str = "") -> None:
    found = list(points)
    packed = pack_columns([t for t, _ in found], [value for _, value in found])
    assert packed
    file = StoreFile(folder / "store.db", KEY)
    file.commit({}, [NewColumns("load", tags, *packed)], 0)
    while file.maintain():
        pass
    file.close()


async def write(store: Running, times: list[int], data: list[Any], **tags: str) -> None:
    body = {"timestamps": times, "data": data, "tags": tags}
    assert (await store.ask("POST", "/load/ts/columns", body, caller=DRIVER)).status == 200


async def windows(store: Running, query: str, *caveats: str) -> list[dict[str, Any]]:
    found = answer(await store.ask("GET", f"/load/ts/windows?{query}", caveats=caveats))
    assert isinstance(found["every"], int)
    return found["windows"]  # type: ignore[no-any-return]


def expected(values: list[float], start: int) -> dict[str, Any]:
    def percentile(rank: float) -> float:
        ordered, place = sorted(values), (len(values) - 1) * rank / 100
        low = ordered[int(place)]
        high = ordered[min(int(place) + 1, len(values) - 1)]
        return low + (high - low) * (place - int(place))

    return {
        "start": start,
        "field": "",
        "count": len(values),
        "sum": pytest.approx(sum(values)),
        "min": min(values),
        "max": max(values),
        "mean": pytest.approx(statistics.fmean(values)),
        "median": pytest.approx(statistics.median(values)),
        "sd": pytest.approx(statistics.pstdev(values), abs=1e-6),
        "p10": pytest.approx(percentile(10), abs=1e-9),
        "p90": pytest.approx(percentile(90), abs=1e-9),
    }


def test_each_window_is_what_its_points_say(play: Play) -> None:
    async def story(store: Running) -> None:
        chance = random.Random(1)
        points = [(START + n * 7_001, chance.uniform(-5, 5)) for n in range(1000)]
        await write(store, [t for t, _ in points], [value for _, value in points])
        first, last = START + 500_000, START + 6_000_000
        found = await windows(store, f"every=PT15M&of={EVERYTHING}&from={first}&to={last}")
        starts = sorted({t // (15 * MINUTE) * 15 * MINUTE for t, _ in points if first <= t <= last})
        assert found == [
            expected(
                [v for t, v in points if start <= t < start + 15 * MINUTE and first <= t <= last],
                start,
            )
            for start in starts
        ]

    play(story)


def test_packed_points_come_to_the_same(tmp_path: Path) -> None:
    chance = random.Random(2)
    points = [(START + n * 1000, round(chance.gauss(20, 3), 2)) for n in range(12_000)]
    fill(tmp_path, points)

    async def story() -> None:
        async with running(tmp_path, FixedClock(NOW)) as store:
            found = await windows(
                store, f"every=PT1H&of=count,sum,min,max,mean,sd,p90&from={START}"
            )
            for each in found:
                start = each["start"]
                values = [value for t, value in points if start <= t < start + HOUR]
                whole = expected(values, start)
                rank = whole.pop("p90").expected
                approximate = each.pop("approximate", False)
                assert each.pop("p90") == pytest.approx(rank, rel=0.011 if approximate else 1e-9)
                assert each == {name: whole[name] for name in each}
            assert [each["start"] for each in found] == [START + n * HOUR for n in range(4)]

    asyncio.run(story())


def test_members_are_summed_by_name(play: Play) -> None:
    async def story(store: Running) -> None:
        data = [{"a": n, "b": n * 2.5, "c": "text", "d": {"e": 1}} for n in range(4)]
        await write(store, [START + n for n in range(4)], [*data])
        found = await windows(store, "every=PT1M&of=count,mean")
        assert [(each["field"], each["count"], each["mean"]) for each in found] == [
            ("a", 4, 1.5), ("b", 4, 3.75),
        ]  # fmt: skip
        found = await windows(store, "every=PT1M&of=max&field=b")
        assert found == [{"start": START // MINUTE * MINUTE, "field": "b", "max": 7.5}]

    play(story)


def test_series_are_summed_together_or_apart(play: Play) -> None:
    async def story(store: Running) -> None:
        for value, room in ((1, "hall"), (3, "attic"), (8, "cellar")):
            await write(store, [START], [value], room=room, house="old")
        await write(store, [START], [100])
        for query, told in (
            ("", [(4, None)]),
            ("&tag.house=old", [(3, None)]),
            ("&tag.room=hall", [(1, None)]),
            ("&tag.room=none", []),
            ("&by=series&tag.room=hall", [(1, {"house": "old", "room": "hall"})]),
        ):
            found = await windows(store, f"every=PT1H&of=count{query}")
            assert [(each["count"], each.get("tags")) for each in found] == told
        found = await windows(store, "every=PT1H&of=sum&by=series")
        assert {each["tags"].get("room"): each["sum"] for each in found} == {
            None: 100, "attic": 3, "cellar": 8, "hall": 1,
        }  # fmt: skip

    play(story)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "every"),
        ("every=1h", "every"),
        ("every=PT0S", "every"),
        ("every=P", "every"),
        ("every=PT", "every"),
        ("every=P999D", "every"),
        ("every=PT1H&of=mode", "of"),
        ("every=PT1H&of=p100", "of"),
        ("every=PT1H&of=" + ",".join(f"p{n}" for n in range(10, 20)), "of"),
        ("every=PT1H&of=", "of"),
        ("every=PT1H&by=room", "by"),
        ("every=PT1H&length=5", "length"),
        ("every=PT1H&field=", "field"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(play: Play, query: str, field: str) -> None:
    async def story(store: Running) -> None:
        response = await store.ask("GET", f"/load/ts/windows?{query}")
        error = json.loads(response.body)["error"]
        assert (response.status, error["field"]) == (400, field)
        assert error["remedy"]

    play(story)


# What a token with a granularity sees.

BY_MINUTE = "granularity >= PT1M"


async def fill_minutes(store: Running) -> None:
    """Minutes of 0, 1, 2, … 9 points, and so on, for three hours."""
    times, data = [], []
    for minute in range(180):
        for n in range(minute % 10):
            times.append(START + minute * MINUTE + n * 1000)
            data.append(minute + n / 10)
    await write(store, times, data)


@pytest.mark.parametrize("every", ["PT1M", "PT7M", "PT1H", "P1D"])
def test_longer_windows_tell_nothing_of_hidden_minutes(play: Play, every: str) -> None:
    async def story(store: Running) -> None:
        await fill_minutes(store)
        minutes = await windows(store, "every=PT1M&of=count,sum,min,max", BY_MINUTE)
        assert {each["count"] for each in minutes} == {5, 6, 7, 8, 9}
        found = await windows(store, f"every={every}&of=count,sum,min,max", BY_MINUTE)
        assert sum(each["count"] for each in found) == sum(each["count"] for each in minutes)
        assert sum(each["sum"] for each in found) == pytest.approx(
            sum(each["sum"] for each in minutes)
        )

    play(story)


def test_without_a_length_it_is_the_tokens_own(play: Play) -> None:
    async def story(store: Running) -> None:
        await fill_minutes(store)
        assert await windows(store, "", BY_MINUTE) == await windows(store, "every=PT1M", BY_MINUTE)

    play(story)


@pytest.mark.parametrize("edge", [1, 30_000, MINUTE - 1])
def test_no_choice_of_bounds_cuts_a_window(play: Play, edge: int) -> None:
    async def story(store: Running) -> None:
        await fill_minutes(store)
        whole = await windows(store, "every=PT1M", BY_MINUTE)
        first, last = START + 5 * MINUTE + edge, START + 100 * MINUTE + edge
        found = await windows(store, f"every=PT1M&from={first}&to={last}", BY_MINUTE)
        assert found == [
            each for each in whole if first <= each["start"] and each["start"] + MINUTE - 1 <= last
        ]

    play(story)


def test_open_windows_are_not_shown(tmp_path: Path) -> None:
    async def story() -> None:
        clock = FixedClock(START + 30 * 1000)
        async with running(tmp_path, clock) as store:
            await write(store, [START + n for n in range(10)], [1.0] * 10)
            assert await windows(store, "every=PT1M", BY_MINUTE) == []
            clock.advance(31_999)
            assert await windows(store, "every=PT1M", BY_MINUTE) == []
            clock.advance(1)
            assert len(await windows(store, "every=PT1M", BY_MINUTE)) == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("every=PT30S", "every"),
        ("every=PT90S", "every"),
        ("every=PT1M&of=median", "of"),
        ("every=PT1M&of=p95", "of"),
        ("every=PT1M&of=sd", "of"),
        ("every=PT1M&tag.room=hall", "tag.room"),
        ("every=PT1M&by=series", "by"),
    ],
)
def test_what_would_narrow_a_window_is_refused_by_name(play: Play, query: str, field: str) -> None:
    async def story(store: Running) -> None:
        response = await store.ask("GET", f"/load/ts/windows?{query}", caveats=[BY_MINUTE])
        error = json.loads(response.body)["error"]
        assert (response.status, error["code"], error["field"]) == (401, "token-caveat", field)

    play(story)


@pytest.mark.parametrize(
    "path", ["points", "points?limit=1", "points?order=newest", "length", "series"]
)
def test_single_points_are_refused_by_name(play: Play, path: str) -> None:
    async def story(store: Running) -> None:
        await fill_minutes(store)
        response = await store.ask("GET", f"/load/ts/{path}", caveats=[BY_MINUTE])
        error = json.loads(response.body)["error"]
        assert (response.status, error["found"]) == (401, "PT1M")
        assert "windows" in error["remedy"]

    play(story)


def test_at_gives_the_whole_window_or_one_before(play: Play) -> None:
    async def story(store: Running) -> None:
        await fill_minutes(store)
        for minute, shown in ((5, 5), (9, 9), (12, 9), (15, 15)):
            for edge in (0, 3_000, MINUTE - 1):
                t = START + minute * MINUTE + edge
                found = answer(await store.ask("GET", f"/load/ts/at?t={t}", caveats=[BY_MINUTE]))
                assert [each["timestamp"] for each in found] == [START + shown * MINUTE]
                assert found[0]["data"]["count"] == shown % 10
        response = await store.ask("GET", f"/load/ts/at?t={START}&tag.room=x", caveats=[BY_MINUTE])
        assert response.status == 401

    play(story)


# Bounds of time, and lists of sources, on each of the new questions.

SINCE, UNTIL = f"startTimestamp >= {START + HOUR}", f"endTimestamp <= {START + 2 * HOUR}"
ONLY = 'datasources = ["other"]'


@pytest.mark.parametrize("path", ["points", "length", "windows?every=PT1M&of=count"])
def test_what_is_not_stated_is_what_the_token_shows(play: Play, path: str) -> None:
    async def story(store: Running) -> None:
        await fill_minutes(store)
        mark = "&" if "?" in path else "?"
        stated = f"/load/ts/{path}{mark}from={START + HOUR}&to={START + 2 * HOUR}"
        bounded = answer(await store.ask("GET", f"/load/ts/{path}", caveats=[SINCE, UNTIL]))
        assert bounded == answer(await store.ask("GET", stated))
        assert bounded == answer(await store.ask("GET", stated, caveats=[SINCE, UNTIL]))

    play(story)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (f"points?from={START + HOUR - 1}", "from"),
        (f"points?to={START + 2 * HOUR + 1}", "to"),
        (f"length?from={START}", "from"),
        (f"windows?every=PT1M&to={NOW}", "to"),
        (f"at?t={START}", "from"),
        (f"at?t={NOW}", "to"),
    ],
)
def test_what_is_stated_beyond_is_refused_by_name(play: Play, path: str, field: str) -> None:
    async def story(store: Running) -> None:
        response = await store.ask("GET", f"/load/ts/{path}", caveats=[SINCE, UNTIL])
        error = json.loads(response.body)["error"]
        assert (response.status, error["field"]) == (401, field)
        assert error["code"] in ("token-since", "token-until")

    play(story)


def test_at_finds_nothing_before_what_the_token_shows(play: Play) -> None:
    async def story(store: Running) -> None:
        await write(store, [START], [1])
        response = await store.ask("GET", f"/load/ts/at?t={START + HOUR}", caveats=[SINCE])
        assert answer(response) == []

    play(story)


def test_a_cursor_leads_nowhere_else(play: Play) -> None:
    async def story(store: Running) -> None:
        await fill_minutes(store)
        path = f"/load/ts/points?cursor=o{START}.1"
        found = answer(await store.ask("GET", path, caveats=[SINCE, UNTIL]))
        assert found["timestamps"][0] >= START + HOUR
        assert found["timestamps"][-1] <= START + 2 * HOUR

    play(story)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "points"),
        ("GET", "at?t=5"),
        ("GET", "length"),
        ("GET", "series"),
        ("GET", "windows?every=PT1H"),
        ("GET", "tail"),
        ("POST", "columns"),
        ("POST", "delete"),
    ],
)
def test_another_source_is_refused(play: Play, method: str, path: str) -> None:
    async def story(store: Running) -> None:
        response = await store.ask(method, f"/load/ts/{path}", caveats=[ONLY])
        error = json.loads(response.body)["error"]
        assert (response.status, error["code"]) == (401, "token-source")

    play(story)


@pytest.mark.parametrize("caveat", [BY_MINUTE, SINCE, UNTIL])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/load/ts/columns"),
        ("POST", "/load/ts/delete"),
        ("POST", "/load/kv/delete"),
        ("GET", "/kv"),
        ("GET", "/kv/count"),
    ],
)
def test_a_bounded_token_neither_writes_nor_deletes_nor_lists(
    play: Play, caveat: str, method: str, path: str
) -> None:
    async def story(store: Running) -> None:
        response = await store.ask(method, path, {"whole": True}, caveats=[caveat])
        assert response.status == 401

    play(story)
