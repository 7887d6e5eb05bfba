"""What is asked is read as it was meant, and never reaches beyond the token."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.store import questions
from databox.store.engine.points import Position
from databox.store.readings import EARLIEST, LATEST
from databox.wire.caveats import Caveats
from databox.wire.errors import BadRequest
from databox.wire.tokens import BadToken

FREE = Caveats()
DAY, HOUR, MINUTE = 86_400_000, 3_600_000, 60_000
MOMENTS = st.none() | st.integers(-1000, 1000)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("PT1S", 1000),
        ("PT90S", 90_000),
        ("PT15M", 15 * MINUTE),
        ("PT1H", HOUR),
        ("PT1H30M", 90 * MINUTE),
        ("P1D", DAY),
        ("P1DT12H", 36 * HOUR),
        ("P0D", 0),
    ],
)
def test_a_duration_is_read(text: str, length: int) -> None:
    assert questions.duration(text) == length


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "1H", "PT1", "P1M", "P1Y", "PT-1H", "PT1.5H", "pt1h", "P1W"]
)
def test_what_is_no_duration_is_none(text: str) -> None:
    assert questions.duration(text) is None


@pytest.mark.parametrize(
    ("name", "rank"),
    [("median", 50.0), ("p95", 95.0), ("p99.9", 99.9), ("p0", 0.0), ("p100", None), ("mean", None)],
)
def test_a_percentile_is_read(name: str, rank: float | None) -> None:
    assert questions.percentile(name) == rank


@given(MOMENTS, MOMENTS, MOMENTS, MOMENTS)
def test_no_stretch_reaches_beyond_the_token(
    first: int | None, last: int | None, since: int | None, until: int | None
) -> None:
    stated = {"from": first, "to": last}
    query = {name: str(t) for name, t in stated.items() if t is not None}
    try:
        found = questions.stretch(query, Caveats(since=since, until=until))
    except (BadRequest, BadToken):
        return
    assert found.first >= (EARLIEST if since is None else since)
    assert found.last <= (LATEST if until is None else until)
    assert first in (None, found.first)
    assert last in (None, found.last)


@given(st.integers(EARLIEST, LATEST), st.integers(0, 10**6), st.booleans())
def test_a_cursor_leads_back_to_its_place(t: int, series: int, newest_first: bool) -> None:
    text = questions.cursor(Position(t, series), newest_first=newest_first)
    query = {"cursor": text, "order": "newest" if newest_first else "oldest"}
    assert questions.points(query, FREE).after == Position(t, series)


@given(st.text(max_size=40))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    try:
        questions.points({"cursor": text}, FREE)
    except BadRequest as error:
        assert error.field == "cursor"


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=4))
def test_any_query_is_understood_or_refused(query: dict[str, str]) -> None:
    for read in (questions.points, questions.windows, questions.moment, questions.stretch_alone):
        try:
            read(query, FREE)
        except BadRequest as error:
            assert error.field is not None
            assert error.remedy


@given(st.integers(1, 400_000))
def test_a_window_is_a_multiple_of_the_tokens_own(seconds: int) -> None:
    query = {"every": f"PT{seconds}S"}
    allowed = seconds % 3600 == 0
    try:
        found = questions.windows(query, Caveats(exact=HOUR))
    except BadToken:
        assert not allowed
    else:
        assert allowed
        assert found.every == seconds * 1000


def test_what_is_not_asked_has_its_usual_value() -> None:
    found = questions.windows(dict(parse_qsl("every=PT1H")), FREE)
    assert (found.of, found.by_series, found.fields, found.tags) == (
        ("min", "max", "mean", "count"), False, None, {},
    )  # fmt: skip
