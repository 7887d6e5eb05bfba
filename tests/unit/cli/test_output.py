"""New lines in the end of a file that is looked at again and again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.cli.output import new_lines, whole_lines


def test_a_line_that_is_still_written_waits() -> None:
    assert whole_lines("one\ntw") == ["one"]
    assert whole_lines("one") == []


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        ([], ["a"], ["a"]),
        (["a"], ["a"], []),
        (["a", "b"], ["a", "b", "c"], ["c"]),
        (["first", "b", "c"], ["rst", "b", "c", "d"], ["d"]),
        (["first", "b", "c"], ["c", "d"], ["d"]),
        (["a", "b"], ["x", "y"], ["x", "y"]),
    ],
)
def test_only_what_came_since_is_new(before: list[str], now: list[str], new: list[str]) -> None:
    assert list(new_lines(before, now)) == new


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 40))
def test_each_line_is_told_once_while_the_ends_overlap(old: int, more: int, most: int) -> None:
    lines = [str(number) for number in range(old + more)]
    before, now = lines[max(0, old - most) : old], lines[max(0, old + more - most) :]
    expected = lines[max(old, old + more - most) :]
    assert list(new_lines(before, now)) == expected
