"""Retention: for how long a source's single points are kept before only hourly sums remain.

Everything is kept unless the owner says otherwise. A rule drops whole hours that are older than
its days; minimum, maximum, mean and count of each hour stay.
"""

from databox.store.readings import EARLIEST
from databox.wire.errors import BadRequest

DAY, HOUR = 86_400_000, 3_600_000
MOST_DAYS = 36_500
EVERY = HOUR
"""Milliseconds between two looks for what a rule drops."""


def state_of(source: str) -> str:
    """The name under which a source's rule is kept: its days, 0 to keep everything."""
    return f"retention {source}"


def check_days(days: int | None) -> int:
    """The days of a rule as they are kept.

    Raises:
        BadRequest: this is no number of days.
    """
    if days is None:
        return 0
    if not 1 <= days <= MOST_DAYS:
        raise BadRequest(
            "this is not a number of days",
            code="retention-days",
            field="days",
            found=str(days)[:20],
            remedy=f"Give 1 to {MOST_DAYS}, or null to keep everything",
        )
    return days


def dropped_before(now: int, days: int) -> int:
    """The moment, Unix ms, before which a rule of so many days keeps hourly sums alone."""
    return max((now - days * DAY) // HOUR * HOUR, EARLIEST)
