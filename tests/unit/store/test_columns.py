"""Columns are read as they were written, and whatever else comes is refused."""

import json
import struct
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.store import columns
from databox.store.engine.points import Position, Run, pack_columns
from databox.store.parts import gathered, joined
from databox.store.readings import EARLIEST, LATEST
from databox.store.writes import NewColumns, NewDocuments
from databox.wire.errors import BadRequest

TIMES = st.integers(EARLIEST, LATEST)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
POINTS = st.lists(st.tuples(TIMES, NUMBERS), max_size=50)
HEAD = b"DBXC\x01\0\0\0"


def run_of(points: list[tuple[int, Any]], tags: str = "") -> Run:
    packed = pack_columns([t for t, _ in points], [value for _, value in points])
    assert packed
    times, values, whole = packed
    end = Position(points[-1][0], 1)
    return Run((tags,), (1,), None, array("q", times), array("d", values), whole, None, end)


@given(POINTS)
def test_numbers_are_read_as_they_were_sent(points: list[tuple[int, Any]]) -> None:
    body = {"timestamps": [t for t, _ in points], "data": [value for _, value in points]}
    write = columns.read_json(json.dumps(body).encode(), "load")
    assert isinstance(write, NewColumns)
    assert array("q", write.times).tolist() == body["timestamps"]
    assert array("d", write.values).tolist() == body["data"]
    whole = write.whole or bytes(len(points))
    assert [bool(each) for each in whole] == [isinstance(value, int) for value in body["data"]]


@given(st.lists(st.tuples(TIMES, JSON), min_size=1, max_size=20))
def test_documents_are_read_as_they_were_sent(points: list[tuple[int, Any]]) -> None:
    body = {"timestamps": [t for t, _ in points], "data": [value for _, value in points]}
    write = columns.read_json(json.dumps(body).encode(), "load")
    if isinstance(write, NewDocuments):
        assert [(t, json.loads(data)) for t, data in write.points] == points


@given(POINTS)
def test_binary_columns_come_back_as_they_were_written(points: list[tuple[int, Any]]) -> None:
    if points:
        (part,) = columns.binary_parts([run_of(points)])
        write = columns.read_binary(part.body, "load", {})
        assert array("q", write.times).tolist() == [t for t, _ in points]
        assert array("d", write.values).tolist() == [value for _, value in points]
        assert (part.items, part.earliest) == (len(points), min(points[0][0], points[-1][0]))


@given(st.lists(POINTS.filter(bool), max_size=6), st.none() | st.text("on0123456789."))
def test_a_page_is_one_object_however_it_is_cut(
    runs: list[list[tuple[int, Any]]], cursor: str | None
) -> None:
    parts = list(gathered(columns.json_parts(map(run_of, runs), lambda _: cursor)))
    found = json.loads(joined(parts).body)
    every = [point for run in runs for point in run]
    assert found == {
        "timestamps": [t for t, _ in every],
        "data": [value for _, value in every],
        "next": cursor if runs else None,
    }
    assert sum(part.items for part in parts) == len(every)


def test_series_are_listed_once_for_all_runs() -> None:
    runs = [run_of([(1, 1)], '{"a":"x"}'), run_of([(2, 2)]), run_of([(3, 3)], '{"a":"x"}')]
    found = json.loads(joined(columns.json_parts(runs, lambda _: None)).body)
    assert found["series"] == [{"a": "x"}, {}]
    assert found["of"] == [0, 1, 0]


@given(st.binary(max_size=200))
def test_whatever_comes_is_refused_by_name(body: bytes) -> None:
    for read in (columns.read_json, lambda raw, source: columns.read_binary(raw, source, {})):
        try:
            read(body, "load")
        except BadRequest as error:
            assert error.field
            assert error.remedy


@given(st.binary(max_size=64), st.integers(0, 2**32 - 1))
def test_whatever_follows_a_binary_head_is_refused_or_read(body: bytes, count: int) -> None:
    try:
        write = columns.read_binary(HEAD + struct.pack("<I", count) + body, "load", {})
    except BadRequest:
        return
    assert len(write.times) == len(write.values) == 8 * count


@pytest.mark.parametrize(
    "text",
    ['{"timestamps":%s,"data":[1]}', '{"timestamps":[1],"data":%s}', "%s"],
)
@given(value=JSON)
def test_json_of_another_shape_is_refused(text: str, value: Any) -> None:
    try:
        columns.read_json((text % json.dumps(value)).encode(), "load")
    except BadRequest as error:
        assert error.field
