import json
from pathlib import Path

import pytest

from databox.cli import bench as benches
from databox.cli.bench import bench
from databox.wire.errors import NotFound

FIGURE = {
    "name": "start",
    "value": 1.5,
    "unit": "s",
    "baseline": 3,
    "ratio": 0.5,
    "floor": 60,
    "aim": 15,
}


def benchmark(folder: Path, name: str, code: str) -> None:
    (folder / f"{name}.py").write_text(code)


def test_each_figure_is_a_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark(tmp_path, "start", f"print('''{json.dumps(FIGURE)}''')")
    assert bench(to="-", folder=tmp_path) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line) == FIGURE


def test_figures_for_people_stand_in_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark(tmp_path, "start", f"print('''{json.dumps(FIGURE)}''')")
    bench(folder=tmp_path)
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "value", "unit", "baseline", "ratio", "floor", "aim"]
    assert row.split() == ["start", "1.5", "s", "3", "0.5", "60", "15"]


def test_a_benchmark_that_fails_is_told_and_the_others_still_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark(tmp_path, "a", "raise SystemExit(3)")
    benchmark(tmp_path, "b", f"print('''{json.dumps(FIGURE)}''')")
    assert bench(to="-", folder=tmp_path) == 1
    said = capsys.readouterr()
    assert "start" in said.out
    assert "a ended with exit code 3\n2 of 2: b" in said.err
    assert said.err.endswith("1 of 2 benchmarks failed: a.\n")


def test_how_long_it_takes_is_said_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark(tmp_path, "a", "")
    benchmark(tmp_path, "b", "")
    bench(to="-", folder=tmp_path)
    first, *_ = capsys.readouterr().err.splitlines()
    assert first == "2 benchmarks, about 30 s in all: a, b."


def test_a_benchmark_that_runs_too_long_puts_away_what_it_began_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benches, "LONGEST", 2.0)
    left = tmp_path / "left"
    code = f"import pathlib, time\nleft = pathlib.Path({str(left)!r})\nleft.touch()\n"
    benchmark(tmp_path, "a", code + "try: time.sleep(60)\nfinally: left.unlink()")
    benchmark(tmp_path, "b", f"print('''{json.dumps(FIGURE)}''')")
    assert bench(to="-", folder=tmp_path) == 1
    said = capsys.readouterr()
    assert "a ran for over 2 s and was stopped" in said.err
    assert "start" in said.out
    assert not left.exists()


def test_a_benchmark_that_prints_something_else_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark(tmp_path, "a", "print('hello')")
    assert bench(to="-", folder=tmp_path) == 1
    assert "a printed something else than figures" in capsys.readouterr().err


def test_a_benchmark_uses_the_packages_of_the_box(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "import databox, msgspec, json\n"
    benchmark(tmp_path, "a", code + "print(json.dumps({'name': 'a', 'value': 1, 'unit': ''}))")
    assert bench(to="-", folder=tmp_path) == 0


def test_a_benchmark_may_use_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    benchmark(tmp_path, "a", "import b")
    benchmark(tmp_path, "b", "")
    assert bench(to="-", folder=tmp_path) == 0


def test_without_benchmarks_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no benchmarks"):
        bench(to="-", folder=tmp_path)
