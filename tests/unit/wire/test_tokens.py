"""Tokens: what is minted can be read and checked, and nothing else."""

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.wire import tokens
from databox.wire.tokens import BadToken

SECRET = "s" * 43
PRINTABLE = st.text(st.characters(min_codepoint=0x20, exclude_characters="\x7f", codec="utf-8"))
SECRETS = st.text(string.ascii_letters + string.digits, min_size=43, max_size=43)


def example(*caveats: str, secret: str = SECRET) -> str:
    return tokens.mint(
        secret, location="https://arbiter:8080", identifier="app:g1:n", caveats=caveats
    )


@given(PRINTABLE, st.lists(PRINTABLE, max_size=8), SECRETS)
def test_whatever_is_minted_reads_back_and_verifies(
    identifier: str, caveats: list[str], secret: str
) -> None:
    text = tokens.mint(secret, location="l", identifier=identifier, caveats=caveats)
    macaroon = tokens.parse(text)
    assert (macaroon.identifier, list(macaroon.caveats)) == (identifier, caveats)
    tokens.verify(macaroon, secret)


@given(SECRETS)
def test_a_token_does_not_verify_under_another_secret(secret: str) -> None:
    if secret != SECRET:
        with pytest.raises(BadToken, match="signature"):
            tokens.verify(tokens.parse(example("a = b")), secret)


@given(st.lists(PRINTABLE, min_size=1, max_size=5), st.data())
def test_taking_a_caveat_away_breaks_the_token(caveats: list[str], data: st.DataObject) -> None:
    whole = tokens.parse(example(*caveats))
    left_out = data.draw(st.integers(0, len(caveats) - 1))
    rest = tuple(caveat for index, caveat in enumerate(caveats) if index != left_out)
    with pytest.raises(BadToken):
        tokens.verify(
            tokens.Macaroon(whole.location, whole.identifier, rest, whole.signature), SECRET
        )


@given(st.integers(min_value=0), st.integers(1, 255))
def test_any_changed_byte_breaks_the_token(position: int, change: int) -> None:
    text = example("target = a", "path = /x")
    raw = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    inside = raw.index(b"identifier") + position % (len(raw) - raw.index(b"identifier"))
    raw[inside] ^= change
    with pytest.raises(BadToken):
        tokens.verify(tokens.parse(base64.urlsafe_b64encode(raw).decode()), SECRET)


@given(st.integers(1, 200))
def test_a_token_that_is_cut_off_is_refused(missing: int) -> None:
    text = example("target = a", "path = /x")
    with pytest.raises(BadToken):
        tokens.parse(text[:-missing])


def test_a_holder_can_add_a_caveat_without_the_secret() -> None:
    narrowed = tokens.parse(example("target = a")).restrict("time < 5").serialize()
    macaroon = tokens.parse(narrowed)
    tokens.verify(macaroon, SECRET)
    assert macaroon.caveats == ("target = a", "time < 5")


def test_padding_makes_no_difference() -> None:
    text = example("target = a")
    assert tokens.parse(text + "=" * (-len(text) % 4)) == tokens.parse(text)


def packed(*packets: bytes) -> str:
    return base64.urlsafe_b64encode(b"".join(packets)).decode()


def packet(key: bytes, value: bytes) -> bytes:
    return b"%04x%s %s\n" % (len(key) + len(value) + 6, key, value)


HEAD = packet(b"location", b"l") + packet(b"identifier", b"i")
TAIL = packet(b"signature", bytes(32))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64!",
        "QUJD",
        "a" * (tokens.MAX_TOKEN + 1),
        "x" * 1_000_000,
        packed(HEAD),
        packed(TAIL),
        packed(packet(b"identifier", b"i"), packet(b"location", b"l"), TAIL),
        packed(HEAD, packet(b"cid", b"x"), packet(b"vid", b"v"), packet(b"cl", b"c"), TAIL),
        packed(HEAD, packet(b"signature", bytes(31))),
        packed(HEAD, TAIL, packet(b"cid", b"x")),
        packed(HEAD, packet(b"cid", b"\xff\xfe"), TAIL),
        packed(HEAD, packet(b"cid", b"a = b\nrole = owner"), TAIL),
        packed(HEAD, *[packet(b"cid", b"x")] * (tokens.MAX_CAVEATS + 1), TAIL),
        packed(HEAD, b"0000cid x\n", TAIL),
        packed(HEAD, b"+009cid x\n", TAIL),
        packed(HEAD, b"ffffcid x\n", TAIL),
        packed(HEAD, b"00", TAIL),
    ],
)
def test_what_is_not_a_token_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        tokens.parse(text)


@st.composite
def broken_tokens(draw: st.DrawFn) -> bytes:
    """The packets of a token with pieces taken out, put in twice, or replaced by any bytes."""
    caveats = [b"target = s", b"path = /a/*", b"granularity >= PT1H", b"time < 12"]
    raw = HEAD + b"".join(packet(b"cid", each) for each in caveats) + TAIL
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        end = draw(st.integers(start, min(len(raw), start + 40)))
        middle = draw(st.sampled_from([b"", raw[start:end] * 2]) | st.binary(max_size=24))
        raw = raw[:start] + middle + raw[end:]
    return raw


@given(st.text() | st.binary().map(packed) | broken_tokens().map(packed))
def test_any_text_is_a_token_that_can_be_written_again_or_is_refused(text: str) -> None:
    try:
        token = tokens.parse(text)
    except BadToken:
        return
    assert tokens.parse(token.serialize()) == token
    with pytest.raises(BadToken):
        tokens.verify(token, SECRET)


@pytest.mark.parametrize("part", ["a\nb", "a\x00b", "a\x7fb", "x" * 70_000])
def test_a_part_that_could_not_be_read_back_is_not_minted(part: str) -> None:
    with pytest.raises(BadToken):
        example(part)


def test_a_secret_is_43_letters_and_digits() -> None:
    assert tokens.is_secret(SECRET)
    assert not tokens.is_secret(SECRET[1:])
    assert not tokens.is_secret("-" + SECRET[1:])
