"""Much at once through the SDK, both ways, against a store that really runs."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.sdk.test_sdk_and_store import HOUR, MINUTE, NOW, Meeting

from databox.sdk import many
from databox.sdk.columns import Columns
from databox.wire.errors import BadRequest

T = NOW - 10_000


@pytest.fixture
def meeting(tmp_path: Path) -> Iterator[Meeting]:
    """A store with a driver and an app in reach of it."""
    made = Meeting(tmp_path)
    yield made
    made.close()


def test_points_come_page_by_page(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "PAGE", 3)
    meeting.write(*((T + at, at) for at in range(8)))
    pages = list(meeting.source().points())
    assert [list(page.values) for page in pages] == [[0, 1, 2], [3, 4, 5], [6, 7]]


def test_points_are_as_many_as_were_asked_for(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "PAGE", 3)
    meeting.write(*((T + at, at) for at in range(8)))
    found = meeting.source().points(limit=4, newest_first=True).all()
    assert found.values == [7, 6, 5, 4]
    assert meeting.source().points(since=T + 2, until=T + 5).all().values == [2, 3, 4, 5]


def test_points_show_the_members_that_were_asked_for(meeting: Meeting) -> None:
    meeting.write((T, {"a": 1, "b": 2}))
    assert meeting.source().points(fields=["b"]).all().values == [{"b": 2}]


def test_at_is_the_reading_that_held(meeting: Meeting) -> None:
    meeting.write((T, 1), (T + 100, 2))
    found = meeting.source().at(T + 99)
    assert found is not None
    assert (found.t, found.value) == (T, 1)
    assert meeting.source().at(T - 1) is None


def test_length_counts(meeting: Meeting) -> None:
    meeting.write(*((T + at, at) for at in range(8)))
    assert meeting.source().length(since=T + 1, until=T + 3) == 3


def test_windows_are_computed_by_the_store(meeting: Meeting) -> None:
    start = NOW // HOUR * HOUR - HOUR
    meeting.write(*((start + at * MINUTE, at) for at in range(60)))
    (found,) = meeting.source().windows("hour", of=["count", "mean", "p50"], since=start)
    assert (found.t, found.values["count"], found.values["mean"]) == (start, 60, 29.5)


def test_points_are_refused_plainly_where_windows_are_allowed_only(meeting: Meeting) -> None:
    meeting.write((T, 1))
    source = meeting.source("granularity >= PT1M", exact="PT1M")
    with pytest.raises(BadRequest, match="windows of a minute only"):
        source.points().all()
    with pytest.raises(BadRequest, match="windows of a minute only"):
        source.length()


def test_points_reach_as_far_back_as_the_grant(meeting: Meeting) -> None:
    meeting.write((NOW - 2 * HOUR, 1), (T, 2))
    source = meeting.source(f"startTimestamp >= {NOW - HOUR}")
    assert source.points(since=0).all().values == [2]
    assert source.points(until=NOW - 2 * HOUR).all().values == []


def test_asynchronous_form_gives_the_same(meeting: Meeting) -> None:
    meeting.write(*((T + at, at) for at in range(8)))
    source = meeting.source().aio

    async def ask() -> tuple[Columns, list[int], int, object, list[float]]:
        found = await source.points(limit=3)
        pages = [len(page) async for page in source.points()]
        windows = [each.values["count"] async for each in source.windows("day")]
        return found, pages, await source.length(), await source.at(T + 3), windows

    found, pages, length, at, windows = asyncio.run(ask())
    assert (found.values, pages, length, windows) == ([0, 1, 2], [8], 8, [8])
    assert at == meeting.source().at(T + 3)


def test_followed_source_tells_what_is_written(meeting: Meeting) -> None:
    meeting.write((T, 1))
    events = meeting.source().follow(after=T - 1)
    kinds = [(each.kind, each.value) for each in (next(events), next(events))]
    assert kinds == [("gap", None), ("reading", 1)]
    meeting.write((T + 1, 2))
    event = next(events)
    assert (event.t, event.value) == (T + 1, 2)
    events.close()  # type: ignore[attr-defined]


def test_followed_source_tells_what_is_written_asynchronously(meeting: Meeting) -> None:
    async def hear() -> list[object]:
        heard = []
        events = meeting.source().aio.follow(after=T - 1)
        async for event in events:
            heard.append(event.value)
            if len(heard) == 2:
                await asyncio.to_thread(meeting.write, (T + 1, 2))
            if len(heard) == 3:
                break
        await events.aclose()
        return heard

    meeting.write((T, 1))
    assert asyncio.run(hear()) == [None, 1, 2]
