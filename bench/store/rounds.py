"""Windows that alternate: each of several servers in turn, again and again."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bench.store.load import Outcome
from bench.store.machine import Meter


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who takes part in a round. `window`: one window, by its number.

    `meter`: of the processes whose time counts.
    """

    name: str
    meter: Meter
    window: Callable[[int], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Window:
    """What came of one window. `cpu`: seconds of processor time.

    Counted until the same server's next window begins, so that work put off counts as well.
    """

    outcome: Outcome
    cpu: float


async def alternate(
    contestants: Sequence[Contestant], windows: int, settle: float
) -> dict[str, list[Window]]:
    """Give each its window in turn, `windows` times, after one to warm up that does not count.

    `settle`: seconds after the last window in which work put off still counts.
    """
    outcomes: dict[str, list[Outcome]] = {each.name: [] for each in contestants}
    marks: dict[str, list[float]] = {each.name: [] for each in contestants}
    for number in range(windows + 1):
        for each in contestants:
            marks[each.name].append(each.meter.seconds())
            outcomes[each.name].append(await each.window(number))
    await asyncio.sleep(settle)
    for each in contestants:
        marks[each.name].append(each.meter.seconds())
    return {name: _windows(outcomes[name], marks[name])[1:] for name in outcomes}


def _windows(outcomes: Sequence[Outcome], marks: Sequence[float]) -> list[Window]:
    spans = itertools.pairwise(marks)
    return [
        Window(outcome, end - start) for outcome, (start, end) in zip(outcomes, spans, strict=True)
    ]
