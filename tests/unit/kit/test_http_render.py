"""No header of an answer or request can become two."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.kit.http import Response, Stream
from databox.kit.http.render import KEEP, render, render_head, render_opening

DATE = b"Date: now\r\n"


async def nothing() -> AsyncIterator[bytes]:
    return
    yield


@pytest.mark.parametrize(
    "header",
    [
        ("X", "a\r\nSet-Cookie: b"),
        ("X", "a\nb"),
        ("X", "a\rb"),
        ("X", "a\x00b"),
        ("X", "a\x7fb"),
        ("X", "\u010d\u010a"),
        ("X\r\nY", "a"),
        ("X Y", "a"),
        ("X:", "a"),
        ("", "a"),
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
        ("CONNECTION", "close"),
        ("Content-Type", "text/html"),
    ],
)
def test_a_header_that_breaks_the_head_is_refused(header):
    response = Response(200, b"", headers=(header,))
    stream = Stream(200, "text/plain", nothing(), (header,))
    with pytest.raises(ValueError, match="header"):
        render(response, DATE, KEEP)
    with pytest.raises(ValueError, match="header"):
        render_head(stream, DATE, KEEP, chunked=True)
    with pytest.raises(ValueError, match="header"):
        render_opening("x", (header,))


def test_a_content_type_that_breaks_the_head_is_refused():
    with pytest.raises(ValueError, match="Content-Type"):
        render(Response(200, b"", "text/html\r\nX: y"), DATE, KEEP)


@pytest.mark.parametrize("status", [0, 100, 101, 600, -1])
def test_a_status_that_is_not_final_is_refused(status):
    with pytest.raises(ValueError, match="final"):
        render(Response(status), DATE, KEEP)


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_has_no_length(status):
    raw = render(Response(status, b"ignored"), DATE, KEEP)
    assert raw.endswith(b"\r\n\r\n")
    assert b"Content-" not in raw


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_header_that_is_taken_stays_one_line(name, value):
    try:
        raw = render(Response(200, b"", headers=((name, value),)), DATE, KEEP)
    except ValueError:
        return
    assert len(raw.split(b"\r\n")) == 7
    assert raw.count(b"\r") == raw.count(b"\n") == 6
