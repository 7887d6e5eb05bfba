"""Wrong passphrases cost time."""

import pytest

from databox.box.tries import FREE, LONGEST_SECONDS, Tries
from databox.wire.errors import Unauthenticated


def test_first_tries_are_free() -> None:
    tries = Tries()
    for _ in range(FREE):
        tries.begin(0.0)


def test_later_tries_wait() -> None:
    tries = Tries()
    for _ in range(FREE):
        tries.begin(0.0)
    with pytest.raises(Unauthenticated):
        tries.begin(0.5)
    tries.begin(1.0)


def test_wait_has_a_bound() -> None:
    tries, now = Tries(), 0.0
    # So many that the power of two would be no number any more.
    for _ in range(2000):
        tries.begin(now)
        now += LONGEST_SECONDS


def test_right_try_forgives() -> None:
    tries = Tries()
    for _ in range(FREE):
        tries.begin(0.0)
    tries.right()
    tries.begin(0.0)
