"""An id leads back to its place, and tells nothing else."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.store import marks
from databox.store.marks import Mark, Marks
from databox.wire.errors import BadRequest

NUMBERS, TIMES = st.integers(0, 2**63), st.integers(-(10**14), 10**15)
KEY, OTHER = bytes(32), bytes([1] * 32)


@given(NUMBERS, TIMES)
def test_an_id_leads_back_to_its_place(number: int, t: int) -> None:
    here = Marks(KEY)
    assert here.read(here.of(number, t)) == Mark(number, t)


@given(NUMBERS, TIMES)
def test_of_another_run_only_the_time_counts(number: int, t: int) -> None:
    assert Marks(OTHER).read(Marks(KEY).of(number, t)) == Mark(None, t)
    assert Marks(KEY).read(marks.by_time(t)) == Mark(None, t)


def test_numbers_in_a_row_look_like_any_others() -> None:
    veiled = [int(Marks(KEY).of(number, 0).split(".")[1], 16) for number in range(1000)]
    assert len(set(veiled)) == 1000
    rising = sum(one < other for one, other in pairwise(veiled))
    assert 400 < rising < 600
    assert min(veiled) < 2**56 < 2**63 < max(veiled)


@given(TIMES)
def test_a_window_is_known_by_its_end(end: int) -> None:
    assert marks.window_end(marks.of_window(end)) == end


@given(st.text(max_size=60))
def test_any_text_is_an_id_or_refused(text: str) -> None:
    for read in (Marks(KEY).read, marks.window_end):
        try:
            read(text)
        except BadRequest as error:
            assert error.field == "after"


@pytest.mark.parametrize("text", ["", "1", "00000000.0.5", "w", "W5", "w5 ", "x.1.1"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="id of an event"):
        Marks(KEY).read(text)
