"""What was promised, what was measured, and how the two stand to one another. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal


class Unit(Enum):
    """What a figure counts, and whether more of it is better."""

    RATE = "requests per CPU-second"
    POINTS = "points per CPU-second"
    WAIT = "ms"
    BYTES = "bytes per point"
    MEMORY = "MB"
    SHORT_WAIT = "us"

    @property
    def more_is_better(self) -> bool:
        """Whether a greater value is the better one."""
        return self in (Unit.RATE, Unit.POINTS)


@dataclass(frozen=True, slots=True)
class Bound:
    """`floor`: this much is promised; `aim`: this much is wanted."""

    floor: float
    aim: float


@dataclass(frozen=True, slots=True)
class Goal:
    """One line to measure. `beside`: the peers, with what is promised in proportion to each.

    `own`: what is promised in the unit itself. A peer without a bound is shown for comparison.
    """

    name: str
    unit: Unit
    beside: dict[str, Bound | None] = field(default_factory=dict)
    own: Bound | None = None


NGINX, INFLUX, VICTORIA, UVICORN = "nginx", "influxdb", "victoria-metrics", "uvicorn"
SQLITE, DUCKDB = "sqlite", "duckdb"
PLAIN: dict[str, Bound | None] = {SQLITE: None, DUCKDB: None}
"""In the program itself, without a server: only for comparison."""
OURS = "ours"

LATEST = "GET latest, 32 connections"
POINT_1, POINT_32, POINT_256 = (
    f"durable POST of a point, {number} connection{'s' if number > 1 else ''}"
    for number in (1, 32, 256)
)
JSON_COLUMNS = "ingest, JSON columns of 10k"
BINARY_COLUMNS = "ingest, binary columns of 10k"
RANGE = "range of a tenth of all points, JSON"
HOURS_ALL, HOURS_DAY = "hourly aggregates of all points", "hourly aggregates of 24 h"
P95_ALL, P95_DAY = "hourly p95 of all points", "hourly p95 of 24 h"
SIZE = "size on disk"
WAKE = "start of a sleeping store, to its first answer"
WAKE_FULL = "the same with all points stored"
IDLE_MEMORY = "memory (PSS) of an idle store"
CHECK_WARM, CHECK_COLD = "check of a token seen before", "check of a new token"
SCAN_MEMORY = "memory above idle while all points are read"

GOALS = (
    Goal(LATEST, Unit.RATE, {NGINX: Bound(0.30, 0.45), UVICORN: None}),
    Goal(POINT_32, Unit.RATE, {INFLUX: Bound(4, 7), VICTORIA: None, UVICORN: None}),
    Goal(POINT_256, Unit.RATE, {INFLUX: None, VICTORIA: None}),
    Goal(POINT_1, Unit.WAIT, {INFLUX: None, VICTORIA: None, **PLAIN}),
    Goal(JSON_COLUMNS, Unit.POINTS, {INFLUX: Bound(4, 7), VICTORIA: Bound(1.2, 1.6)}),
    Goal(BINARY_COLUMNS, Unit.POINTS, {INFLUX: Bound(10, 16), VICTORIA: None, **PLAIN}),
    Goal(RANGE, Unit.WAIT, {INFLUX: Bound(8, 16), VICTORIA: None, **PLAIN}),
    Goal(HOURS_ALL, Unit.WAIT, {VICTORIA: Bound(50, 150), INFLUX: None, **PLAIN}),
    Goal(HOURS_DAY, Unit.WAIT, {VICTORIA: None, INFLUX: None, **PLAIN}),
    Goal(P95_ALL, Unit.WAIT, {VICTORIA: None, INFLUX: None, DUCKDB: None}),
    Goal(P95_DAY, Unit.WAIT, {VICTORIA: None, INFLUX: None, DUCKDB: None}),
    Goal(SIZE, Unit.BYTES, {VICTORIA: Bound(1 / 2, 1 / 1.1), INFLUX: None, **PLAIN}),
    Goal(WAKE, Unit.WAIT, own=Bound(20, 10)),
    Goal(WAKE_FULL, Unit.WAIT, own=Bound(20, 10)),
    Goal(IDLE_MEMORY, Unit.MEMORY, own=Bound(8, 5)),
    Goal(SCAN_MEMORY, Unit.MEMORY, own=Bound(64, 32)),
    Goal(CHECK_WARM, Unit.SHORT_WAIT, own=Bound(10, 1)),
    Goal(CHECK_COLD, Unit.SHORT_WAIT),
)

_BY_NAME = {each.name: each for each in GOALS}

Samples = dict[str, dict[str, list[float]]]
"""By goal and by who was measured, a value a window, in the order of the windows."""

Verdict = Literal["reached", "kept", "missed", "narrowly missed", ""]
NARROWLY = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure beside one peer. `ratio`: how many times better than the peer we are.

    `other`: the same by the other clock: processor time of waits, wall time of rates. `lowest`,
    `highest`: of the single windows. `floor`, `aim`: of the ratio, or of the value where
    there is no peer.
    """

    name: str
    unit: str
    value: float
    peer: str = ""
    baseline: float | None = None
    ratio: float | None = None
    lowest: float | None = None
    highest: float | None = None
    floor: float | None = None
    aim: float | None = None
    verdict: Verdict = ""
    other: float | None = None


def goal(name: str) -> Goal:
    """The goal of this name."""
    return _BY_NAME[name]


def rows(samples: Samples, others: Samples) -> list[Row]:
    """Every line that could be measured, in the order of the goals."""
    found: list[Row] = []
    for goal in GOALS:
        measured = samples.get(goal.name, {})
        if not measured.get(OURS):
            continue
        peers = [peer for peer in goal.beside if measured.get(peer)]
        other = others.get(goal.name, {})
        found += [_beside(goal, peer, measured, other) for peer in peers]
        if not peers:
            found.append(_alone(goal, measured[OURS]))
    return found


def missing(samples: Samples) -> list[str]:
    """What was to be measured and was not."""
    names = []
    for goal in GOALS:
        measured = samples.get(goal.name, {})
        if not measured.get(OURS):
            names.append(goal.name)
        else:
            names += [f"{goal.name}: {peer}" for peer in goal.beside if not measured.get(peer)]
    return names


def _alone(goal: Goal, values: Sequence[float]) -> Row:
    value = statistics.median(values)
    return Row(
        name=goal.name,
        unit=goal.unit.value,
        value=value,
        lowest=min(values),
        highest=max(values),
        floor=goal.own.floor if goal.own else None,
        aim=goal.own.aim if goal.own else None,
        verdict=_judge(value, goal.own, more_is_better=goal.unit.more_is_better),
    )


def _beside(
    goal: Goal, peer: str, measured: dict[str, list[float]], other: dict[str, list[float]]
) -> Row:
    ratios = _ratios(goal.unit, measured, peer)
    ratio = statistics.median(ratios)
    bound = goal.beside[peer]
    return Row(
        name=goal.name,
        unit=goal.unit.value,
        value=statistics.median(measured[OURS]),
        peer=peer,
        baseline=statistics.median(measured[peer]),
        ratio=ratio,
        lowest=min(ratios),
        highest=max(ratios),
        floor=bound.floor if bound else None,
        aim=bound.aim if bound else None,
        verdict=_judge(ratio, bound, more_is_better=True),
        other=statistics.median(_ratios(goal.unit, other, peer)) if peer in other else None,
    )


def _ratios(unit: Unit, measured: dict[str, list[float]], peer: str) -> list[float]:
    # Window by window: what disturbed one of a pair most likely disturbed the other.
    pairs = zip(measured[OURS], measured[peer], strict=False)
    return [ours / theirs if unit.more_is_better else theirs / ours for ours, theirs in pairs]


def _judge(value: float, bound: Bound | None, *, more_is_better: bool) -> Verdict:
    if bound is None:
        return ""
    # As if more were better in any case.
    share = value / bound.floor if more_is_better else bound.floor / value
    wanted = value >= bound.aim if more_is_better else value <= bound.aim
    if wanted:
        return "reached"
    if share >= 1:
        return "kept"
    return "narrowly missed" if share >= NARROWLY else "missed"
