"""Tokens go both ways between us and the libraries that clients of 2017 use."""

from collections.abc import Callable
from typing import Any

import pymacaroons  # type: ignore[import-untyped]
import pytest

from databox.wire import tokens

SECRET = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF"
CAVEATS = ["target = os-monitor-store", "path = /load/*", "method = GET", "startTimestamp >= 5"]
IDENTIFIER = "graph:g7:c29tZSBub25jZQ"
Ask = Callable[[str, Any], Any]


def ours(secret: str = SECRET) -> str:
    return tokens.mint(
        secret, location="https://arbiter:8080", identifier=IDENTIFIER, caveats=CAVEATS
    )


def theirs() -> pymacaroons.Macaroon:
    macaroon = pymacaroons.Macaroon(
        location="https://arbiter:8080", identifier=IDENTIFIER, key=SECRET
    )
    for caveat in CAVEATS:
        macaroon.add_first_party_caveat(caveat)
    return macaroon


def test_pymacaroons_mints_the_same_text() -> None:
    assert theirs().serialize() == ours()


def test_pymacaroons_verifies_ours() -> None:
    verifier = pymacaroons.Verifier()
    for caveat in CAVEATS:
        verifier.satisfy_exact(caveat)
    assert verifier.verify(pymacaroons.Macaroon.deserialize(ours()), SECRET)


def test_ours_verifies_what_pymacaroons_narrowed() -> None:
    macaroon = pymacaroons.Macaroon.deserialize(ours()).add_first_party_caveat("time < 9")
    read = tokens.parse(macaroon.serialize())
    tokens.verify(read, SECRET)
    assert read.caveats == (*CAVEATS, "time < 9")


def test_pymacaroons_shows_the_lines_in_the_known_order() -> None:
    lines = pymacaroons.Macaroon.deserialize(ours()).inspect().split("\n")
    expected = ["location https://arbiter:8080", f"identifier {IDENTIFIER}"]
    assert lines[:-1] == [*expected, *(f"cid {caveat}" for caveat in CAVEATS)]


def test_macaroons_js_mints_the_same_text(ask_node: Ask) -> None:
    minted = ask_node(
        "tokens.mjs",
        {
            "do": "mint",
            "location": "https://arbiter:8080",
            "secret": SECRET,
            "identifier": IDENTIFIER,
            "caveats": CAVEATS,
        },
    )
    assert minted == ours()


def test_macaroons_js_reads_and_verifies_ours(ask_node: Ask) -> None:
    assert ask_node("tokens.mjs", {"do": "check", "token": ours(), "secret": SECRET}) == {
        "location": "https://arbiter:8080",
        "identifier": IDENTIFIER,
        "caveats": CAVEATS,
        "holds": True,
    }


def test_macaroons_js_refuses_ours_under_another_secret(ask_node: Ask) -> None:
    answer = ask_node("tokens.mjs", {"do": "check", "token": ours("x" * 43), "secret": SECRET})
    assert answer["holds"] is False


def test_ours_verifies_what_macaroons_js_narrowed(ask_node: Ask) -> None:
    question = {"do": "restrict", "token": ours(), "caveats": ["time < 9"]}
    read = tokens.parse(ask_node("tokens.mjs", question))
    tokens.verify(read, SECRET)
    assert read.caveats == (*CAVEATS, "time < 9")


def test_a_token_narrowed_by_us_and_by_them_is_the_same(ask_node: Ask) -> None:
    question = {"do": "restrict", "token": ours(), "caveats": ["a = b", "time < 9"]}
    narrowed = tokens.parse(ours()).restrict("a = b", "time < 9").serialize()
    assert ask_node("tokens.mjs", question) == narrowed


@pytest.mark.parametrize("padding", ["", "=", "=="])
def test_both_libraries_read_a_token_of_each_length(padding: str, ask_node: Ask) -> None:
    text = tokens.mint(SECRET, location="l", identifier="i" + padding, caveats=())
    assert pymacaroons.Macaroon.deserialize(text).identifier == "i" + padding
    answer = ask_node("tokens.mjs", {"do": "check", "token": text, "secret": SECRET})
    assert answer["identifier"] == "i" + padding
