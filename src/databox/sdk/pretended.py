"""Much at once of what is no store: invented data, and the readings that a test gives.

The readings are few, so all is computed here from `Reader.between`.
"""

import math
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from typing import cast

from databox.sdk import questions
from databox.sdk.columns import Columns
from databox.sdk.events import Event
from databox.sdk.line import Sleep
from databox.sdk.questions import Question, Window, WindowQuestion
from databox.sdk.readings import Reading
from databox.sdk.source import Reader
from databox.wire.errors import BadRequest

DAY = 86_400_000
TICK = 5.0
"""Seconds between two invented events."""


class PretendedMany:
    """Much of a reader's at once. `now`: Unix time in seconds."""

    def __init__(self, reader: Reader, now: Callable[[], float], sleep: Sleep) -> None:
        self._sleep = sleep
        self._reader = reader
        self._now = now

    async def pages(self, asked: Question) -> AsyncGenerator[Columns, None]:
        """One page."""
        questions.refuse_windows_only(self._reader.exact, "points")
        found = self._between(asked.since, asked.until)
        found = (found[::-1] if asked.newest_first else found)[: asked.limit]
        values = [_shown(reading.value, asked.fields) for reading in found]
        if found and not asked.tags:
            yield Columns([reading.t for reading in found], values)

    async def numbers(self, asked: Question) -> Columns | None:
        """None: there is nothing to gain."""
        del asked
        return None

    async def at(self, t: int, tags: tuple[tuple[str, str], ...]) -> Reading | None:
        """The newest reading up to a moment, of the day before it."""
        found = [] if tags else self._between(t - DAY, t)
        return found[-1] if found else None

    async def length(self, asked: Question) -> int:
        """How many there are."""
        questions.refuse_windows_only(self._reader.exact, "length")
        return 0 if asked.tags else len(self._between(asked.since, asked.until))

    async def windows(self, asked: WindowQuestion) -> AsyncGenerator[Window, None]:
        """Windows of the numbers."""
        found = [] if asked.tags else self._between(asked.since, asked.until)
        gathered: dict[tuple[int, str], list[Reading]] = {}
        for reading in found:
            for field, number in _numbers(reading.value, asked.fields):
                key = (reading.t - reading.t % asked.every, field)
                gathered.setdefault(key, []).append(reading._replace(value=number))
        for (start, field), members in sorted(gathered.items()):
            yield Window(start, field, {name: _told(name, members) for name in asked.of})

    async def follow(
        self, after: str | int | None, tags: tuple[tuple[str, str], ...]
    ) -> AsyncGenerator[Event, None]:
        """The newest reading every few seconds, as a store tells of it."""
        heard = int(after) if after else int(self._now() * 1000)
        while True:
            await self._sleep(TICK)
            until = int(self._now() * 1000)
            found = [] if tags else self._between(heard + 1, until)
            for reading in found[-1:]:
                heard = reading.t
                yield Event("reading", str(reading.t), reading.t, reading.value, {}, *reading[2:])

    def _between(self, since: int | None, until: int | None) -> list[Reading]:
        end = int(self._now() * 1000)
        last = end if until is None else min(until, end)
        # Of invented data there is no beginning; a month is enough to look at.
        return list(self._reader.between(last - 31 * DAY if since is None else since, last))


def _shown(value: object, fields: Sequence[str]) -> object:
    if not fields or not isinstance(value, dict):
        return value
    return {name: part for name, part in value.items() if name in fields}


def _numbers(value: object, fields: Sequence[str]) -> Iterator[tuple[str, float]]:
    parts: Iterable[tuple[str, object]] = (
        value.items() if isinstance(value, dict) else [("", value)]
    )
    for name, part in parts:
        number = isinstance(part, int | float) and not isinstance(part, bool)
        if number and (not fields or name in fields):
            yield name, cast("float", part)


def _told(name: str, members: Sequence[Reading]) -> float:
    """What readings of numbers, or windows of them, come to."""
    numbers = [each.value for each in members]
    count = sum(each.weight for each in members)
    total = sum(each.value * each.weight for each in members)
    match name:
        case "count":
            return count
        case "sum":
            return float(total)
        case "min":
            return min(each.value if each.least is None else each.least for each in members)
        case "max":
            return max(each.value if each.most is None else each.most for each in members)
        case "mean":
            return float(total / count)
        case "sd":
            return math.sqrt(sum((each - total / count) ** 2 for each in numbers) / len(numbers))
        case "median":
            return _percentile(numbers, 50)
        case _ if name[:1] == "p" and name[1:].replace(".", "", 1).isdecimal():
            return _percentile(numbers, float(name[1:]))
        case _:
            raise BadRequest("windows do not tell this", field="of", found=repr(name))


def _percentile(numbers: Sequence[float], rank: float) -> float:
    ordered = sorted(numbers)
    at = rank / 100 * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)
