"""A path means one thing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.kit.http.target import parameters, split_target
from databox.wire.errors import BadRequest


@pytest.mark.parametrize(
    ("raw", "path", "query"),
    [
        (b"/", "/", ""),
        (b"/a/b?x=1&y", "/a/b", "x=1&y"),
        (b"/a%20b", "/a b", ""),
        (b"/caf%C3%A9", "/café", ""),
        (b"/a%2Fb", "/a%2Fb", ""),
        (b"/a%2fb", "/a%2Fb", ""),
        (b"/a%252Fb", "/a%2Fb", ""),
        (b"/a?b?c%00", "/a", "b?c%00"),
    ],
)
def test_a_target_is_split_and_its_path_decoded(raw, path, query):
    assert split_target(raw) == (path, query)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"a",
        b"*",
        b"http://x/",
        b"/a#b",
        b"/%",
        b"/%4",
        b"/%zz",
        b"/%ff",
        b"/%00",
        b"/%0a",
        b"/%7f",
    ],
)
def test_an_unclear_target_is_refused(raw):
    with pytest.raises(BadRequest):
        split_target(raw)


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=60)
)
def test_decoding_never_adds_a_slash(text):
    raw = ("/" + text).encode()
    try:
        path, _ = split_target(raw)
    except BadRequest:
        return
    assert path.count("/") == raw.partition(b"?")[0].count(b"/")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {}),
        ("a=1&b=", {"a": "1", "b": ""}),
        ("a", {"a": ""}),
        ("a=b=c&&", {"a": "b=c"}),
        ("a+b=%2B+%C3%A9", {"a b": "+ é"}),
    ],
)
def test_parameters_are_decoded(query, found):
    assert parameters(query) == found


@pytest.mark.parametrize("query", ["a=1&a=2", "a=%", "a=%ff", "&".join(f"a{n}" for n in range(65))])
def test_unclear_parameters_are_refused(query):
    with pytest.raises(BadRequest):
        parameters(query)
