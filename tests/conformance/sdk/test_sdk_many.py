"""Much at once through the SDK, both ways, against a store that really runs."""

import asyncio
import threading
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.sdk.test_sdk_and_store import HOUR, MINUTE, NOW, Meeting

from databox.sdk import Driver, many
from databox.sdk.columns import Columns
from databox.sdk.driver import DriverSource
from databox.sdk.events import Event
from databox.wire.errors import BadRequest, Denied, Unavailable

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
    with pytest.raises(BadRequest, match=r"shows windows only.*minute"):
        source.points().all()
    with pytest.raises(BadRequest, match=r"shows windows only.*minute"):
        source.length()


def test_question_beyond_the_grant_is_told_from_access_that_was_stopped(meeting: Meeting) -> None:
    meeting.write((T, 1))
    source = meeting.source("granularity >= PT1M", exact="PT1M")
    with pytest.raises(Denied, match="minimum, maximum, mean, count and sum"):
        list(source.windows("hour", of=["p95"]))
    assert source.allowed


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
    events.close()


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


def test_followed_source_goes_on_where_it_was_when_the_store_starts_again(
    meeting: Meeting,
) -> None:
    meeting.write((T, 1))
    events = meeting.source().follow(after=T - 1)
    gap, first = next(events), next(events)
    assert (gap.kind, gap.id != "", first.value) == ("gap", True, 1)
    meeting.stop_store()
    threading.Timer(0.5, meeting.start_store).start()
    later = threading.Timer(1, meeting.write, ((T + 1, 2), (T + 2, 3)))
    later.start()
    found = [event.value for event in _few(events, 2)]
    later.join()
    assert found == [2, 3]
    events.close()


def test_followed_source_goes_on_asynchronously_when_the_store_starts_again(
    meeting: Meeting,
) -> None:
    async def hear() -> list[object]:
        heard: list[object] = []
        events = meeting.source().aio.follow(after=T - 1)
        async for event in events:
            if event.kind == "reading":
                heard.append(event.value)
            if event.value == 1:
                await asyncio.to_thread(meeting.stop_store)
                await asyncio.to_thread(meeting.start_store)
                await asyncio.to_thread(meeting.write, (T + 1, 2), (T + 2, 3))
            if event.value == 3:
                break
        await events.aclose()
        return heard

    meeting.write((T, 1))
    assert asyncio.run(hear()) == [1, 2, 3]


def test_nothing_is_lost_when_the_store_starts_again_before_the_first_event(
    meeting: Meeting,
) -> None:
    meeting.write((T, 1))

    def between() -> None:
        meeting.stop_store()
        meeting.start_store()
        meeting.write((T + 1, 2))

    timer = threading.Timer(0.5, between)
    timer.start()
    events = meeting.source().follow()
    assert [event.value for event in _few(events, 1)] == [2]
    timer.join()
    events.close()


def test_following_ends_clearly_when_access_was_stopped(meeting: Meeting) -> None:
    meeting.write((T, 1))
    source = meeting.source()
    events = source.follow(after=T - 1)
    assert [next(events).value, next(events).value] == [None, 1]
    meeting.end_grants()
    with pytest.raises(Denied, match=r"app\.ask"):
        next(events)
    assert not source.allowed


def test_windows_are_followed_as_they_close(meeting: Meeting) -> None:
    start = NOW // MINUTE * MINUTE - 5 * MINUTE
    meeting.write(*((start + at * 1000, at) for at in range(60)))
    events = meeting.source("granularity >= PT1M", exact="PT1M").follow(after=start)
    event = next(events)
    assert (event.t, event.value, event.weight) == (start, 29.5, 60)
    events.close()


@pytest.fixture
def writer(meeting: Meeting) -> DriverSource:
    """A driver's source, in reach of the store."""
    return meeting.driver_source()


def test_driver_writes_many_as_lists(meeting: Meeting, writer: DriverSource) -> None:
    assert writer.write_many([T, T + 1, T + 2], [1, 2.5, {"a": "é"}], tags={"room": "hall"}) == 3
    found = meeting.source().points(tags={"room": "hall"}).all()
    assert (found.times, found.values) == ([T, T + 1, T + 2], [1, 2.5, {"a": "é"}])
    assert found.tags == [{"room": "hall"}] * 3
    assert meeting.source().points(tags={"room": "attic & more"}).all().values == []


def test_driver_writes_many_packed(
    meeting: Meeting, writer: DriverSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("databox.sdk.columns.MOST_AT_ONCE", 4)
    times, values = array("q", range(T, T + 10)), array("d", [0.5] * 10)
    tags = {"room": "a & b"}
    assert writer.write_many(times, values, tags=tags) == 10
    assert writer.write_many(times.tobytes(), values.tobytes()) == 10
    found = meeting.source().points(tags=tags).all()
    assert (found.times, found.values) == (times.tolist(), values.tolist())


def test_driver_writes_one_with_tags(meeting: Meeting) -> None:
    driver = Driver("Test driver", now=lambda: NOW / 1000)
    source = driver.source("cpu-load")
    source.write(7, tags={"room": "hall"})
    meeting.start(driver)
    assert driver.flush(10)
    found = meeting.source().points().all()
    assert (found.times, found.values, found.tags) == ([NOW], [7], [{"room": "hall"}])


def test_driver_deletes(meeting: Meeting, writer: DriverSource) -> None:
    writer.write_many(range(T, T + 10), range(10))
    assert writer.delete(T + 2, T + 8) == 7
    assert meeting.source().points().all().values == [0, 1, 9]


def test_driver_writes_and_deletes_asynchronously(meeting: Meeting, writer: DriverSource) -> None:
    async def go() -> tuple[int, int]:
        written = await writer.aio.write_many(range(T, T + 10), range(10))
        return written, await writer.aio.delete(T, T + 4)

    assert asyncio.run(go()) == (10, 5)
    assert meeting.source().length() == 5


def test_many_numbers_come_as_arrays(meeting: Meeting, writer: DriverSource) -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is not there")
    times = numpy.arange(T, T + 20_000)
    writer.write_many(times, times / 2)
    source = meeting.source()
    found = source.points(since=T + 5)._quickly()
    assert (found.times == times[5:]).all()
    assert (found.values == times[5:] / 2).all()
    assert len(source.points().all()) == 20_000


@pytest.mark.parametrize("tags", [None, {"room": "hall"}])
def test_what_is_not_one_series_of_numbers_comes_as_lists(
    meeting: Meeting, writer: DriverSource, tags: dict[str, str] | None
) -> None:
    writer.write_many([T, T + 1], [1, {"a": 2}])
    writer.write_many([T], [5], tags=tags)
    assert meeting.source().points()._quickly().values == meeting.source().points().all().values


def test_a_driver_that_does_not_run_yet_writes_not_many() -> None:
    with pytest.raises(Unavailable, match="does not run yet"):
        Driver("Test driver").source("x").write_many([1], [1])


def _few(events: Iterator[Event], count: int) -> list[Event]:
    """The next events that tell readings."""
    found: list[Event] = []
    while len(found) < count:
        event = next(events)
        if event.kind == "reading":
            found.append(event)
    return found
