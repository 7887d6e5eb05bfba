"""The table for people, and the same for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.store.figures import Row

from databox.cli.status import table

_HEAD = (
    *("what", "ours", "unit", "beside", "theirs"),
    *("ratio", "windows", "other", "floor", "aim", ""),
)


@dataclass(slots=True, kw_only=True)
class Report:
    """What came of a run. `missing`: what could not be measured, each with its reason."""

    rows: Sequence[Row]
    missing: Sequence[str]
    load: str
    averages: Sequence[tuple[float, float, float]]
    cores: int

    def lines(self) -> list[str]:
        """The table, and what one must know to read it."""
        before, after = (" ".join(f"{n:.1f}" for n in each) for each in self.averages)
        return [
            *table([_HEAD, *map(_line, self.rows)]),
            "",
            "ratio: how many times better than the peer, the median of windows that alternate;",
            "windows: the lowest and the highest of them; other: by the other clock, wall time for",
            "rates and processor time for waits. Ours: encrypted, each request's token checked,",
            "each access durably recorded before the answer leaves. VictoriaMetrics has what was",
            "written last in memory alone.",
            f"{self.cores} cores; the load is written in {self.load}; load average {before} before,"
            f" {after} after.",
            *(f"not measured: {each}" for each in self.missing),
        ]

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


def _line(row: Row) -> tuple[str, ...]:
    spread = "" if row.lowest is None else f"{_number(row.lowest)}-{_number(row.highest)}"
    value, baseline, ratio = _number(row.value), _number(row.baseline), _number(row.ratio)
    bounds = (_number(row.floor), _number(row.aim), row.verdict)
    other = _number(row.other)
    return (row.name, value, row.unit, row.peer, baseline, ratio, spread, other, *bounds)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
