"""Bodies of 2017."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.arbiter import form
from databox.wire.errors import BadRequest

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", {}),
        (b"a=1", {"a": "1"}),
        (b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"a", {"a": ""}),
        (b"a=x+y%20z%3D", {"a": "x y z="}),
        (b"a[b]=1&a[c]=2", {"a": {"b": "1", "c": "2"}}),
        (b"a%5Bb%5D=1", {"a": {"b": "1"}}),
        (b"a[0]=x&a[1]=y", {"a": ["x", "y"]}),
        (b"a[1]=y&a[0]=x", {"a": ["x", "y"]}),
        (b"a[]=x&a[]=y", {"a": ["x", "y"]}),
        (b"a=x&a=y&a=z", {"a": ["x", "y", "z"]}),
        (b"a[b][c]=1", {"a": {"b": {"c": "1"}}}),
        (b"&&a=1&", {"a": "1"}),
    ],
)
def test_a_form_is_read(body: bytes, fields: dict[str, Any]) -> None:
    assert form.read(FORM, body) == fields


@pytest.mark.parametrize(
    "body",
    [
        b"=1",
        b"[a]=1",
        b"a[b=1",
        b"a]b=1",
        b"a[b]c=1",
        b"a=1&a[b]=2",
        b"a[b]=2&a=1",
        b"a[b][c][d][e]=1",
        b"a=%ff",
        b"\xff=1",
        b"a=1&" * 300,
    ],
)
def test_a_malformed_form_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        form.read(FORM, body)


@pytest.mark.parametrize(
    ("kind", "body", "fields"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}),
        ("application/json; charset=utf-8", b'{"a": 1}', {"a": 1}),
        ("Application/JSON", b'{"a": 1}', {"a": 1}),
        ("application/json", b"", {}),
        ("application/json", b"[1]", {}),
        ("text/plain", b'{"a": 1}', {}),
        ("", b"a=1", {}),
    ],
)
def test_a_body_is_read_by_its_type(kind: str, body: bytes, fields: dict[str, Any]) -> None:
    assert form.read(kind, body) == fields


@pytest.mark.parametrize("body", [b"{", b"nonsense", b"\xff", b"[" * 60_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        form.read("application/json", body)


@given(st.binary(max_size=200) | st.text("ab[]=&%0125+", max_size=60).map(str.encode))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    with suppress(BadRequest):
        assert isinstance(form.extended(body), dict)
