"""Clocks speak Unix milliseconds."""

import time

from databox.kit.clock import FixedClock, SystemClock


def test_the_system_clock_gives_unix_milliseconds():
    before = int(time.time() * 1000) - 1
    assert before <= SystemClock().now() <= int(time.time() * 1000) + 1


def test_a_fixed_clock_moves_only_when_told():
    clock = FixedClock(1000)
    assert clock.now() == clock.now() == 1000
    clock.advance(5)
    assert clock.now() == 1005
