"""Numbers and days as people read them."""

import pytest

from databox.ledger.amounts import date, day_word, often, size

DAY = 86_400_000


def test_days_are_called_as_people_do() -> None:
    assert [day_word(day, 20_000) for day in (20_000, 19_999, 19_000)] == [
        "today", "yesterday", "on 8 January 2022",
    ]  # fmt: skip


def test_date_has_its_year_only_where_it_could_be_mistaken() -> None:
    told = 20_000 * DAY
    assert date(told + 30 * DAY, told, 0) == "3 November"
    assert date(told + 400 * DAY, told, 0) == "8 November 2025"


def test_date_that_no_calendar_has_is_the_number() -> None:
    assert date(10**16, 0, 0) == str(10**16)


@pytest.mark.parametrize(
    ("bytes_", "words"),
    [(1, "1 byte"), (999, "999 bytes"), (1_234, "1.2 kB"), (56_000_000, "56 MB"),
     (999_600_000, "1.0 GB"), (5 * 10**12, "5,000 GB")],
)  # fmt: skip
def test_size_is_rounded(bytes_: int, words: str) -> None:
    assert size(bytes_) == words


def test_times_are_spoken() -> None:
    assert [often(number) for number in (1, 2, 1200)] == ["once", "twice", "1,200 times"]
