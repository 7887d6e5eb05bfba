"""Keys open by what wrapped them, under their own name, and by nothing else."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.box import wrapping
from databox.wire.errors import BadRequest, Unauthenticated

KEY = bytes(range(32))
BOX_KEY = bytes(32)


def test_key_opens_by_the_box_key() -> None:
    wrapped = wrapping.wrap("hue-store", KEY, BOX_KEY, secrets.token_bytes)
    assert wrapping.unwrap("hue-store", wrapped, BOX_KEY) == KEY


def test_key_put_in_place_of_another_does_not_open() -> None:
    wrapped = wrapping.wrap("hue-store", KEY, BOX_KEY, secrets.token_bytes)
    with pytest.raises(Unauthenticated):
        wrapping.unwrap("other-store", wrapped, BOX_KEY)


def test_key_does_not_open_by_another_key() -> None:
    wrapped = wrapping.wrap("hue-store", KEY, BOX_KEY, secrets.token_bytes)
    with pytest.raises(Unauthenticated):
        wrapping.unwrap("hue-store", wrapped, bytes([1] * 32))


def test_box_key_opens_by_its_passphrase_alone() -> None:
    wrapped = wrapping.wrap_by_passphrase("box", KEY, "four plain words here", secrets.token_bytes)
    assert wrapping.unwrap_by_passphrase("box", wrapped, "four plain words here") == KEY
    with pytest.raises(Unauthenticated):
        wrapping.unwrap_by_passphrase("box", wrapped, "four plain words Here")


def test_wrapped_key_does_not_hold_the_key() -> None:
    assert KEY not in wrapping.wrap("hue-store", KEY, BOX_KEY, secrets.token_bytes)


def test_recovery_code_is_eight_groups_of_four() -> None:
    groups = wrapping.new_recovery_code(secrets.token_bytes).split("-")
    assert [len(group) for group in groups] == [4] * 8


@given(st.binary(min_size=20, max_size=20))
def test_recovery_code_gives_the_same_key_however_it_is_typed(entropy: bytes) -> None:
    code = wrapping.new_recovery_code(lambda _: entropy)
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert wrapping.recovery_key(typed) == wrapping.recovery_key(code)


@given(st.binary(min_size=20, max_size=20), st.integers(0, 159))
def test_another_recovery_code_gives_another_key(entropy: bytes, bit: int) -> None:
    other = (int.from_bytes(entropy) ^ 1 << bit).to_bytes(20)
    one, two = (wrapping.new_recovery_code(lambda _, e=e: e) for e in (entropy, other))
    assert wrapping.recovery_key(one) != wrapping.recovery_key(two)


@pytest.mark.parametrize("code", ["", "ABCD", "ABCD-" * 8 + "X", "U" * 32, "é" * 32])
def test_what_is_no_recovery_code_is_refused(code: str) -> None:
    with pytest.raises(BadRequest):
        wrapping.recovery_key(code)
