"""The measurement of the store works, in its smallest size; what it finds is nobody's promise."""

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.store import figures

ROOT = Path(__file__).parents[3]


def test_every_figure_of_the_store_can_be_taken(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    words = ("--tiny", "--alone", "--json", str(file))
    subprocess.run(
        (sys.executable, "-m", "bench.store", *words),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        check=True,
        timeout=100,
    )
    report = json.loads(file.read_text())
    assert report["missing"] == []
    assert {row["name"] for row in report["rows"]} == {goal.name for goal in figures.GOALS}
    assert all(row["value"] > 0 for row in report["rows"])
