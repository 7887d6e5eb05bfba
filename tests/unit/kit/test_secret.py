"""A secret is shown by nothing but `reveal`."""

import pickle

import pytest

from databox.kit.secret import Secret


@pytest.mark.parametrize("show", [str, repr, "{}".format, "%s".__mod__, lambda s: f"{[s]!r:>9}"])
def test_no_text_form_shows_the_bytes(show):
    assert "topmost" not in show(Secret(b"topmost"))


def test_reveal_gives_the_bytes():
    assert Secret(b"topmost").reveal() == b"topmost"


def test_a_secret_does_not_pickle():
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(Secret(b"topmost"))


def test_secrets_compare_by_their_bytes_and_with_nothing_else():
    assert Secret(b"a") == Secret(b"a")
    assert Secret(b"a") != Secret(b"b")
    assert Secret(b"a") != b"a"


def test_a_secret_is_no_key_of_a_dictionary():
    with pytest.raises(TypeError, match="unhashable"):
        {Secret(b"a"): 1}
