"""`databox bench`: run every benchmark, print each figure beside what it is measured against."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from databox.cli.status import table
from databox.wire.errors import NotFound

FOLDER = Path(__file__).parents[3] / "bench"


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One line that a benchmark prints.

    `ratio`: value to `baseline`, the same work by a peer in the same run on this machine;
    `floor`: at least this much is promised; `aim`: this much is wanted.
    """

    name: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    floor: float | None = None
    aim: float | None = None


def bench(*, as_json: bool, folder: Path = FOLDER) -> int:
    """Run the benchmarks one after another; the exit code is 1 if one could not be taken.

    Raises:
        NotFound: this installation has none.
    """
    scripts = sorted(folder.glob("[a-z]*.py"))
    if not scripts:
        raise NotFound("no benchmarks are here", found=str(folder))
    figures: list[Figure] = []
    failed = 0
    for number, script in enumerate(scripts, 1):
        print(f"{number} of {len(scripts)}: {script.stem} …", file=sys.stderr, flush=True)
        done = subprocess.run(
            (sys.executable, str(script)), env=_environment(), stdout=subprocess.PIPE, check=False
        )
        failed += done.returncode != 0
        found = [msgspec.json.decode(line, type=Figure) for line in done.stdout.splitlines()]
        figures += found
        if as_json:
            for figure in found:
                print(msgspec.json.encode(figure).decode(), flush=True)
    if not as_json:
        print("\n".join(as_table(figures)))
    if failed:
        print(f"{failed} of {len(scripts)} benchmarks failed.", file=sys.stderr)
    return 1 if failed else 0


def as_table(figures: list[Figure]) -> list[str]:
    """The figures for people."""
    head = ("name", "value", "unit", "baseline", "ratio", "floor", "aim")
    return table([head, *(_row(figure) for figure in figures)])


def _row(figure: Figure) -> tuple[str, ...]:
    numbers = (figure.baseline, figure.ratio, figure.floor, figure.aim)
    return (figure.name, _number(figure.value), figure.unit, *map(_number, numbers))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _environment() -> dict[str, str]:
    # The same packages as the box itself, wherever this module was found; and, beside those, what
    # lies in the folder of the benchmark.
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONSAFEPATH"}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
