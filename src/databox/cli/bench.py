"""`databox bench`: run every benchmark, print each figure beside what it is measured against.

`databox bench store` is longer and apart: the store beside databases and servers, `bench/store`.
"""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from databox.cli.status import table
from databox.wire.errors import NotFound

USUAL = 15
"""Seconds that a benchmark takes, on average over those there are."""
LONGEST = 45.0
"""Seconds after which one is stopped, so that the others get their turn."""
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


TERMINAL = "-"
"""In place of a file for JSON: standard output."""


def store(place: Path, *, quick: bool, to: str | None, folder: Path = FOLDER) -> int:
    """Measure the store beside others; the exit code is 1 if that did not come to its end.

    `place`: where programs and packages of the others are fetched to, for this alone. `to`: a file
    for JSON.

    Raises:
        NotFound: this installation does not have it.
    """
    if not (folder / "store" / "__main__.py").exists():
        raise NotFound("this benchmark is not here", found=str(folder))
    words = ["--place", str(place), *(["--quick"] if quick else [])]
    if to is not None:
        words += ["--json", "/dev/stdout" if to == TERMINAL else str(Path(to).absolute())]
    process = subprocess.Popen(
        (sys.executable, "-P", "-m", "bench.store", *words), env=_environment(folder.parent)
    )
    try:
        return process.wait()
    finally:
        _end(process)


def bench(*, to: str | None = None, folder: Path = FOLDER) -> int:
    """Run the benchmarks one after another; the exit code is 1 if one could not be taken.

    `to`: a file for JSON.

    Raises:
        NotFound: this installation has none.
    """
    scripts = sorted(folder.glob("[a-z]*.py"))
    if not scripts:
        raise NotFound("no benchmarks are here", found=str(folder))
    names = ", ".join(script.stem for script in scripts)
    _say(f"{len(scripts)} benchmarks, about {len(scripts) * USUAL} s in all: {names}.")
    figures: list[Figure] = []
    failed: list[str] = []
    for number, script in enumerate(scripts, 1):
        _say(f"{number} of {len(scripts)}: {script.stem} …")
        try:
            found = _figures(script)
        except _Failed as error:
            _say(f"{script.stem} {error}")
            failed.append(script.stem)
            continue
        figures += found
        if to == TERMINAL:
            print(as_lines(found), end="", flush=True)
    if to != TERMINAL:
        print("\n".join(as_table(figures)))
    if to not in (None, TERMINAL):
        Path(to).write_text(as_lines(figures))
    if failed:
        _say(f"{len(failed)} of {len(scripts)} benchmarks failed: {', '.join(failed)}.")
    return 1 if failed else 0


class _Failed(Exception):
    """A benchmark gave no figures; the text goes on after its name."""


def _figures(script: Path) -> list[Figure]:
    process = subprocess.Popen(
        (sys.executable, str(script)), env=_environment(), stdout=subprocess.PIPE
    )
    try:
        output, _ = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired as error:
        raise _Failed(f"ran for over {LONGEST:g} s and was stopped") from error
    finally:
        _end(process)
    if process.returncode:
        raise _Failed(f"ended with exit code {process.returncode}")
    try:
        return [msgspec.json.decode(line, type=Figure) for line in output.splitlines()]
    except msgspec.DecodeError as error:
        raise _Failed(f"printed something else than figures: {error}") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have it put away what it started, as on Ctrl-C; it has ten seconds for that."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def as_lines(figures: list[Figure]) -> str:
    """The figures for programs, a line each."""
    return "".join(f"{msgspec.json.encode(figure).decode()}\n" for figure in figures)


def as_table(figures: list[Figure]) -> list[str]:
    """The figures for people."""
    head = ("name", "value", "unit", "baseline", "ratio", "floor", "aim")
    return table([head, *(_row(figure) for figure in figures)])


def _row(figure: Figure) -> tuple[str, ...]:
    numbers = (figure.baseline, figure.ratio, figure.floor, figure.aim)
    return (figure.name, _number(figure.value), figure.unit, *map(_number, numbers))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _environment(*more: Path) -> dict[str, str]:
    # The same packages as the box itself, wherever this module was found; and, beside those, what
    # lies in the folder of the benchmark.
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONSAFEPATH"}
    folders = [*filter(None, sys.path), *map(str, more)]
    return {**kept, "PYTHONPATH": os.pathsep.join(folders)}
