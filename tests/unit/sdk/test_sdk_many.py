"""What the SDK does with many points, apart from a store."""

import asyncio
import json
import sys
from array import array
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.sdk.test_sdk_weight import HEAVY, loaded

from databox.sdk import columns, questions
from databox.sdk import source as sources
from databox.sdk.columns import Columns
from databox.sdk.events import Event, Message, Parser, event_of
from databox.sdk.invented import InventedReader
from databox.sdk.source import Source
from databox.wire.errors import BadRequest, Unavailable

NOW = 1_777_630_000
HOUR = 3_600_000


def invented(exact: str = "raw") -> Source:
    """A source that the owner has not allowed."""
    asked = sources.ask("cpu-load", exact=exact, why="", required=True, days=None, name="")
    word = {"raw": "raw", "hour": "PT1H"}[exact]
    return Source(asked, lambda: InventedReader("cpu-load", word, lambda: NOW), now=lambda: NOW)


# Events.

STREAM = b'id: a\ndata: {"x": 1}\n\n:\n\nevent: gap\ndata: {}\n\ndata: {\ndata: }\n\n'
TOLD = [Message("", "a", '{"x": 1}'), Message("gap", "a", "{}"), Message("", "a", "{\n}")]


@given(st.lists(st.integers(0, len(STREAM))))
def test_events_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(STREAM)]
    parser = Parser()
    pieces = [STREAM[a:b] for a, b in pairwise(bounds)]
    assert [message for piece in pieces for message in parser.feed(piece)] == TOLD


def test_event_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("databox.sdk.events.MOST_WAITING", 10)
    with pytest.raises(Unavailable):
        list(Parser().feed(b"data: 123456"))


def test_event_of_a_kind_that_is_not_known_is_passed_over() -> None:
    assert event_of(Message("later", "", "{}"), windows=False) is None


@given(st.text(max_size=20))
def test_event_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(Unavailable):
        event_of(Message("", "", text), windows=False)


def test_event_has_the_tags_of_its_series() -> None:
    told = json.dumps({"timestamp": 5, "data": 1.5, "tags": {"room": "hall"}})
    event = event_of(Message("", "id", told), windows=False)
    assert event == Event("reading", "id", 5, 1.5, {"room": "hall"})


# Questions.


@given(st.text(max_size=20))
def test_quoted_text_is_plain_and_can_be_read_again(text: str) -> None:
    from urllib.parse import unquote

    found = questions.quoted(text)
    assert unquote(found) == text
    assert not set(found) & set("&=?#/ +\r\n")


@pytest.mark.parametrize(
    ("word", "length"),
    [("minute", 60_000), ("15 minutes", 900_000), ("day", 24 * HOUR), ("P1DT6H", 30 * HOUR)],
)
def test_length_of_windows_is_read(word: str, length: int) -> None:
    assert questions.length(word) == length


@pytest.mark.parametrize("word", ["", "P", "PT0S", "raw", "1 km", "week"])
def test_length_that_is_none_is_refused_with_the_words_there_are(word: str) -> None:
    with pytest.raises(BadRequest, match="minute, 15 minutes, hour, day"):
        questions.length(word)


# Columns.


def test_page_that_cannot_be_read_is_refused() -> None:
    for body in (b"", b"[]", b"{}", b'{"timestamps":[1],"data":[],"next":null}'):
        with pytest.raises(Unavailable):
            columns.read_page(body)


def test_page_knows_the_tags_of_each_point() -> None:
    body = b'{"timestamps":[1,2],"data":[3,4],"series":[{},{"a":"b"}],"of":[1,0],"next":"c"}'
    page, cursor = columns.read_page(body)
    assert (page.times, page.values, page.tags, cursor) == ([1, 2], [3, 4], [{"a": "b"}, {}], "c")


def test_pages_with_and_without_tags_become_one() -> None:
    found = columns.joined([Columns([1], [2]), Columns([3], [4], [{"a": "b"}])])
    assert (found.times, found.values, found.tags) == ([1, 3], [2, 4], [{}, {"a": "b"}])


def test_packed_numbers_are_written_in_binary() -> None:
    (body,) = columns.bodies(array("q", [1, 2]), array("d", [0.5, 1.5]), {})
    assert body.binary
    assert body.body[:12] == b"DBXC\x01\0\0\0\x02\0\0\0"
    assert len(body.body) == 12 + 32


def test_times_may_be_moments() -> None:
    (body,) = columns.bodies([datetime.fromtimestamp(5, UTC)], ["x"], {"a": "b"})
    assert json.loads(body.body) == {"tags": {"a": "b"}, "timestamps": [5000], "data": ["x"]}


@given(st.lists(st.text(max_size=30) | st.integers() | st.booleans(), max_size=30))
def test_bodies_together_hold_each_point_once(values: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "MOST_TEXT", 40)
        told = [json.loads(each.body) for each in columns.bodies(range(len(values)), values, {})]
    assert [value for each in told for value in each["data"]] == values
    assert [t for each in told for t in each["timestamps"]] == list(range(len(values)))


@pytest.mark.parametrize(
    ("times", "values"),
    [
        ([1], []),
        ([1], [float("nan")]),
        ([1], [object()]),
        (array("q", [1]), array("d")),
        (b"1234", b"1234"),
        (b"12345678", [1]),
        ([1], b"12345678"),
    ],
)
def test_what_is_not_one_value_a_time_is_refused(times: Any, values: Any) -> None:
    with pytest.raises(BadRequest):
        list(columns.bodies(times, values, {}))


# The hand-over.


@pytest.mark.parametrize("name", ["pandas", "polars", "pyarrow"])
def test_package_that_is_missing_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    found = Columns([1], [2])
    hand = {"pandas": found.to_pandas, "polars": found.to_polars, "pyarrow": found.to_arrow}
    with pytest.raises(Unavailable, match=f"the package {name}, which the app has not brought"):
        hand[name]()


def given_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pandas that shows what it was given."""
    pandas: Any = ModuleType("pandas")
    pandas.DataFrame = lambda table: table
    pandas.to_datetime = lambda times, **how: SimpleNamespace(times=times, how=how)
    monkeypatch.setitem(sys.modules, "pandas", pandas)


def test_members_and_tags_are_columns_of_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    given_pandas(monkeypatch)
    table = Columns([1, 2, 3], [{"x": 1, "time": 9}, {"y": 2}, 7], [{}, {"room": "a"}, {}])
    found = table.to_pandas()
    assert list(found) == ["time", "x", "y", "value", "room"]
    assert (found["x"], found["y"]) == ([1, None, None], [None, 2, None])
    assert (found["value"], found["room"]) == ([None, None, 7], [None, "a", None])
    assert found["time"].times == [1, 2, 3]
    assert found["time"].how == {"unit": "ms", "utc": True}


def test_numbers_are_one_column_of_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    given_pandas(monkeypatch)
    assert Columns([1, 2], [3, 4]).to_pandas()["value"] == [3, 4]


@pytest.mark.parametrize(
    ("package", "hand_over"),
    [
        ("pandas", lambda table: table.to_pandas().to_dict("list")),
        ("polars", lambda table: table.to_polars().to_dict(as_series=False)),
        ("pyarrow", lambda table: table.to_arrow().to_pydict()),
    ],
)
def test_table_of_a_library_has_what_there_was(
    package: str, hand_over: Callable[[Columns], dict[str, list[Any]]]
) -> None:
    pytest.importorskip(package, reason=f"{package} is large, and the SDK does not need it")
    found = hand_over(Columns([0, 1000], [1.5, 2.5], [{"room": "a"}, {"room": "b"}]))
    assert [at.timestamp() for at in found["time"]] == [0, 1]
    assert (found["value"], found["room"]) == ([1.5, 2.5], ["a", "b"])


# Invented data.


def test_invented_points_are_those_of_the_readings() -> None:
    source = invented()
    found = source.points(since=(NOW - 60) * 1000)
    assert found.all().times == source.last(minutes=1).times
    assert [len(page) for page in found] == [len(found.all())]
    assert source.length(since=(NOW - 60) * 1000) == len(found.all())
    assert source.invented_reads > 0


def test_invented_windows_are_those_of_the_readings() -> None:
    start = NOW * 1000 // HOUR * HOUR - HOUR
    (found,) = invented().windows(
        "hour", of=["count", "min", "median", "p100", "max"], since=start, until=start + HOUR - 1
    )
    readings = invented().between(start, start + HOUR - 1)
    assert (found.t, found.values["count"]) == (start, len(readings))
    assert found.values["min"] == readings.min()
    assert found.values["p100"] == found.values["max"] == readings.max()
    assert found.values["min"] < found.values["median"] < found.values["max"]


def test_invented_windows_tell_no_single_points() -> None:
    with pytest.raises(BadRequest, match=r"shows windows only.*hour"):
        invented("hour").points().all()


def test_invented_source_is_followed_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = [NOW], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += int(seconds)

    monkeypatch.setattr("time.sleep", sleep)
    source = Source(
        invented().ask,
        lambda: InventedReader("cpu-load", "raw", lambda: now[0]),
        now=lambda: now[0],
    )
    events = source.follow()
    assert [next(events).t for _ in range(2)] == [(NOW + 5) * 1000, (NOW + 10) * 1000]
    assert slept == [5.0, 5.0]


def test_invented_data_are_the_same_asynchronously() -> None:
    source = invented()
    found = asyncio.run(source.aio.points(since=(NOW - 60) * 1000).all())
    assert found.times == source.last(minutes=1).times


# The weight.


def test_reading_many_points_loads_nothing_heavy() -> None:
    found = loaded(
        "from databox.sdk.source import Source, ask\n"
        "from databox.sdk.invented import InventedReader\n"
        "a = ask('x', exact='raw', why='', required=True, days=None, name='')\n"
        "s = Source(a, lambda: InventedReader('x', 'raw', lambda: 9), now=lambda: 9)\n"
        "s.points(since=0).all(), list(s.windows('hour', since=0))\n"
        "from databox.sdk import many, writing"
    )
    assert "databox.sdk.many" in found
    assert found & (HEAVY | {"numpy", "msgspec", "dataclasses"}) == set()
