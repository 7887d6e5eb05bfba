"""Which bytes a request asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.store.objects.ranges import Asked, asked

ETAG = '"e1"'
ALL = Asked(200, 0, 10)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", Asked(206, 0, 1)),
        ("bytes=2-5", Asked(206, 2, 6)),
        ("bytes=2-", Asked(206, 2, 10)),
        ("bytes=-3", Asked(206, 7, 10)),
        ("bytes=-30", Asked(206, 0, 10)),
        ("bytes=5-500", Asked(206, 5, 10)),
        ("Bytes=5-5", Asked(206, 5, 6)),
        ("bytes=10-", Asked(416)),
        ("bytes=10-12", Asked(416)),
        ("bytes=-0", Asked(416)),
        ("bytes=5-4", ALL),
        ("bytes=-", ALL),
        ("bytes=0-1,3-4", ALL),
        ("lines=0-1", ALL),
        ("bytes=a-b", ALL),
        ("bytes=99999999999999999999-", ALL),
        ("", ALL),
    ],
)
def test_a_range_of_ten_bytes(header: str, expected: Asked) -> None:
    assert asked({"range": header}, ETAG, 10) == expected


def test_nothing_of_an_empty_object_can_be_a_range() -> None:
    assert asked({"range": "bytes=0-"}, ETAG, 0) == Asked(416)
    assert asked({"range": "bytes=-5"}, ETAG, 0) == Asked(200)
    assert asked({}, ETAG, 0) == Asked(200, 0, 0)


@pytest.mark.parametrize("tag", [ETAG, '"e0", "e1"', "*", 'W/"e1"'])
def test_what_the_caller_has_is_not_sent(tag: str) -> None:
    assert asked({"if-none-match": tag, "range": "bytes=0-0"}, ETAG, 10).status == 304


def test_a_range_of_something_older_is_answered_with_the_whole() -> None:
    assert asked({"if-range": ETAG, "range": "bytes=1-2"}, ETAG, 10) == Asked(206, 1, 3)
    assert asked({"if-range": '"e0"', "range": "bytes=1-2"}, ETAG, 10) == ALL
    assert asked({"if-range": 'W/"e1"', "range": "bytes=1-2"}, ETAG, 10) == ALL


@given(st.text(max_size=30), st.integers(0, 1 << 40))
def test_whatever_is_asked_what_is_given_is_within_the_object(header: str, size: int) -> None:
    found = asked({"range": f"bytes={header}"}, ETAG, size)
    assert 0 <= found.first <= found.end <= size
