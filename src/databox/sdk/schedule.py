"""Runs things again and again, at whole multiples of their period since 1970.

So a component that is restarted keeps its rhythm, and an hourly job runs once an hour however
often that happens.
"""

import threading
import time
import traceback
from collections.abc import Callable
from typing import NamedTuple

from databox.wire.errors import BadRequest

PERIODS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}


class Job(NamedTuple):
    """A function and its period in seconds."""

    period: float
    run: Callable[[], object]


class Schedule:
    """Runs jobs one after another in the calling thread until it is stopped."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self.jobs: list[Job] = []
        self._now = now
        self._stopped = threading.Event()

    def every(self, **period: float) -> Callable[[Callable[[], object]], Callable[[], object]]:
        """Decorate a function to run `every(seconds=…)`, `minutes`, `hours` or `days`.

        Raises:
            BadRequest: another word, or not above zero.
        """
        length = sum(PERIODS.get(word, 0) * number for word, number in period.items())
        if not PERIODS.keys() >= period.keys() or length <= 0:
            raise BadRequest(
                "every does not know this period",
                found=", ".join(f"{word}={number}" for word, number in period.items()),
                remedy=f"Use {', '.join(PERIODS)} above zero",
            )

        def add(function: Callable[[], object]) -> Callable[[], object]:
            self.jobs.append(Job(length, function))
            return function

        return add

    def run(self) -> None:
        """Run due jobs until `stop`. A job that fails is logged and runs again next time."""
        turns = [next_turn(self._now(), job.period) for job in self.jobs]
        if not turns:
            self._stopped.wait()
        while not self._stopped.is_set():
            at = min(range(len(turns)), key=turns.__getitem__)
            if self._stopped.wait(max(0, turns[at] - self._now())):
                return
            try:
                self.jobs[at].run()
            except Exception:  # noqa: BLE001 - an author's mistake must not end the rhythm
                traceback.print_exc()
            turns[at] = next_turn(self._now(), self.jobs[at].period)

    def stop(self) -> None:
        """End `run` soon."""
        self._stopped.set()


def next_turn(now: float, period: float) -> float:
    """The first whole multiple of the period after `now`; missed turns are not made up for."""
    return (now // period + 1) * period
