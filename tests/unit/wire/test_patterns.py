"""Path patterns: the cases of the language, and that no pattern can hold up its checker."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from databox.wire import patterns
from databox.wire.patterns import BadPattern, compile_pattern

CASES = [
    # Checked with path-to-regexp 1.7.0 itself; see the conformance tests.
    ("/lp/export/", "/lp/export", True),
    ("/lp/export", "/lp/export/", True),
    ("/ds/*", "/ds", False),
    ("/ds/*", "/ds/", True),
    ("/ds/*", "/ds/ts/latest", True),
    ("/ds/*", "/DS/ts/latest", True),
    ("/ds/*", "/ds2/ts", False),
    ("/ds", "/ds/ts", False),
    ("/*", "/", True),
    ("/*", "/anything/at/all", True),
    ("/*", "anything", False),
    ("/foo/*", "/foo/*", True),
    ("/:a/ts", "/x/ts", True),
    ("/:a/ts", "/x/y/ts", False),
    ("/:a/ts", "//ts", False),
    ("/(a|b)/kv", "/b/kv", True),
    ("/(a|b)/kv", "/c/kv", False),
    ("/a.b", "/aXb", False),
    ("/a.b", "/a.b", True),
    ("/:a?", "/", True),
    ("/:a?/x", "/x", True),
    ("/:a+", "/x/y/z", True),
    ("/:a+", "/", False),
    ("/:a*", "", True),
    ("/:n(\\d+)/x", "/42/x", True),
    ("/:n(\\d+)/x", "/4b/x", False),
    ("/a\\*", "/a*", True),
    ("/a\\*", "/ab", False),
    ("/a", "//a", False),
    ("/a", "/a//", False),
    ("/([a-f]+)/x", "/AbC/x", True),
    ("/([^a]+)", "/bcd", True),
    ("/([^a]+)", "/bad", False),
]


@pytest.mark.parametrize(("pattern", "path", "fits"), CASES)
def test_pattern_case(pattern: str, path: str, fits: bool) -> None:
    assert compile_pattern(pattern).matches(path) is fits


@pytest.mark.parametrize(
    "pattern",
    [
        "/x" * 200,
        "/*" * 9,
        "/(^a)",
        "/(a{3})",
        "/(a$\\b)",
        "/([b-a])",
        "/([a)",
        "/(?=a)",
        "/(a++)",
        "/(\\1)",
        "/(é)",
        "/a\nb",
        "/a\ud800",
    ],
)
def test_a_pattern_outside_the_language_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        compile_pattern(pattern)


@given(st.text(max_size=60))
def test_an_escaped_path_matches_itself(path: str) -> None:
    if path.isprintable() and len(patterns.escape(path)) <= patterns.MAX_PATTERN:
        assert compile_pattern(patterns.escape(path)).matches(path)


@given(st.text("ab/:*().-", max_size=8), st.text("ab/:*().-", max_size=8))
def test_an_escaped_path_matches_no_other_but_for_a_slash_at_the_end(path: str, other: str) -> None:
    if compile_pattern(patterns.escape(path)).matches(other):
        assert path.removesuffix("/") == other.removesuffix("/")


@given(st.text("ab/.-", max_size=8))
def test_plain_means_no_wildcard(text: str) -> None:
    assert patterns.is_plain(text)
    assert not patterns.is_plain(text + "*")


@given(st.text("/:ax*()[]^|\\?+.d", max_size=24), st.text("/ax", max_size=12))
@example("/:a*/:a*", "/a/x")
def test_a_pattern_is_refused_or_gives_an_answer(pattern: str, path: str) -> None:
    try:
        compiled = compile_pattern(pattern)
    except BadPattern:
        return
    assert compiled.matches(path) in (True, False)


@pytest.mark.parametrize(
    "pattern",
    ["/*" * 8 + "x", "/:a*" * 8 + "/x", "(a+)+" * 8 + "x", "/(a*)*" * 8 + "x", "(.*)" * 8 + "x"],
)
def test_a_hostile_pattern_takes_no_longer_than_its_lengths_allow(pattern: str) -> None:
    path = "/a" * (patterns.MAX_PATH // 2)
    compiled = compile_pattern(pattern)
    before = time.process_time()
    assert not compiled.matches(path)
    # A backtracking matcher would need years; this one takes about a millisecond.
    assert time.process_time() - before < 0.25


def test_a_path_that_is_too_long_matches_nothing() -> None:
    assert not compile_pattern("/*").matches("/" + "a" * patterns.MAX_PATH)


@pytest.mark.parametrize(
    "other", ["/\N{LATIN SMALL LETTER LONG S}ource", "/\N{KELVIN SIGN}ey", "/É"]
)
def test_only_ascii_letters_lose_their_case(other: str) -> None:
    folded = other.lower().replace("\N{LATIN SMALL LETTER LONG S}", "s")
    assert not compile_pattern(folded).matches(other)
