"""Numbers, sizes and days as people read them. Pure."""

from datetime import UTC, datetime, timedelta

_YEAR = timedelta(days=330)
"""From here on a day without its year could be taken for another."""


def count(number: int, one: str, many: str) -> str:
    """So many of something."""
    return f"{number:,} {one if number == 1 else many}"


def often(number: int) -> str:
    """How many times."""
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def size(bytes_: int) -> str:
    """A number of bytes, rounded."""
    if bytes_ < 1000:
        return count(bytes_, "byte", "bytes")
    value = float(bytes_)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.5:
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{value:,.0f} GB"


def day_word(day: int, today: int) -> str:
    """How a day is spoken of; both are days since 1970."""
    if day == today:
        return "today"
    if day == today - 1:
        return "yesterday"
    return f"on {_spelled(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day))} {_year(day)}"


def date(moment: int, told: int, zone: int) -> str:
    """The day of a moment, with its year if it is far from the moment this is told of.

    `moment`, `told`: Unix ms; `zone`: minutes east of UTC. A moment no calendar has is itself.
    """
    try:
        day = datetime.fromtimestamp(moment / 1000, UTC) + timedelta(minutes=zone)
        far = abs(day - datetime.fromtimestamp(told / 1000, UTC)) > _YEAR
    except (OverflowError, ValueError, OSError):
        return str(moment)
    return f"{_spelled(day)} {day.year}" if far else _spelled(day)


def _spelled(day: datetime) -> str:
    return f"{day.day} {day:%B}"


def _year(day: int) -> int:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).year
