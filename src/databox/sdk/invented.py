"""Invented data: what a screen shows before the owner allowed anything.

The same type and time always give the same value, so a picture does not flicker and tests can
rely on it. It looks plausible and says nothing about anybody.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from zlib import crc32

from databox.sdk.readings import Reading, windows
from databox.wire.exactness import WINDOWS_MS

MOST_READINGS = 400
HOUR = 3_600_000


class Shape(NamedTuple):
    """How values of a type move: around `middle`, by `swing`, in a round of `period` ms."""

    middle: float
    swing: float
    period: int


SHAPES = {
    "cpu-load": Shape(22, 14, 90_000),
    "load-average": Shape(0.6, 0.3, 300_000),
    "memory-used": Shape(2_900, 350, 600_000),
}
NUMBER = Shape(50, 20, HOUR)

PEOPLE = ("Ana", "Ben", "Chi", "Dara", "Eli")
SENTENCES = ("See you tomorrow", "Did you eat?", "On my way", "Good night", "Call me back")
EVENTFUL = ("message", "event", "photo", "transaction", "document")


class InventedReader:
    """Answers an ask that the owner has not answered yet."""

    allowed = False
    unit = ""

    def __init__(self, type: str, exact: str, now: Callable[[], float]) -> None:
        self._type = type
        self.exact = exact
        self._now = now

    def objects(self) -> None:
        """There are none."""

    def latest(self) -> Reading | None:
        """The newest invented reading of the last day."""
        end = int(self._now() * 1000)
        near = list(readings(self._type, self.exact, end - 5000, end))
        found = near or list(readings(self._type, self.exact, end - 24 * HOUR, end))
        return found[-1] if found else None

    def between(self, start: int, end: int) -> Iterator[Reading]:
        """Invented readings, oldest first."""
        return readings(self._type, self.exact, start, end)


def readings(type: str, exact: str, start: int, end: int) -> Iterator[Reading]:
    """Readings of an invented source from `start` to `end`, Unix ms, both included.

    `exact`: as the app asked; windows are closed, as real ones are.
    """
    length = WINDOWS_MS.get(exact)
    values = _events(type, start, end) if type in EVENTFUL else _numbers(type, start, end)
    if length is None:
        yield from values
        return
    yield from (w for w in windows(values, length) if w.t >= start and w.t + length <= end)


def _numbers(type: str, start: int, end: int) -> Iterator[Reading]:
    """A wave with some roughness, at a step that keeps the number of readings bounded."""
    shape = SHAPES.get(type, NUMBER)
    step = max(1000, -(-(end - start) // MOST_READINGS) // 1000 * 1000)
    for t in range(-(-start // step) * step, end + 1, step):
        wave = math.sin(2 * math.pi * t / shape.period)
        rough = _chance(type, t) * 2 - 1
        yield Reading(t, round(shape.middle + shape.swing * (0.7 * wave + 0.3 * rough), 2))


def _events(type: str, start: int, end: int) -> Iterator[Reading]:
    """Up to four an hour, more of them in the evening, at most a month of them."""
    first = max(start, end - 31 * 24 * HOUR)
    for hour in range(first - first % HOUR, end + 1, HOUR):
        evening = 0.5 + 0.5 * math.cos(2 * math.pi * (hour / HOUR % 24 - 21) / 24)
        for turn in range(round(4 * evening * _chance(type, hour))):
            t = hour + int(_chance(type, hour + turn + 1) * HOUR)
            if start <= t <= end:
                yield Reading(t, _event(type, t))


def _event(type: str, t: int) -> Any:
    who = PEOPLE[int(_chance("who", t) * len(PEOPLE))]
    text = SENTENCES[int(_chance("text", t) * len(SENTENCES))]
    return {"from": who, "text": text} if type == "message" else {"title": text, "by": who}


def _chance(type: str, t: int) -> float:
    """A number from 0 up to 1 that depends on its arguments alone."""
    return crc32(f"{type} {t}".encode()) / 2**32
