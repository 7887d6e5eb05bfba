"""Ten stores under a mixed load stay as they were: no error, no growing memory, no lost descriptor.

Fifty requests a second by two callers of each store, points and columns written, points and windows
read, values kept, and every source followed all the while. What a wait comes to is printed, not
asserted: another machine has other waits.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LONG = 1200


def soak(seconds: int) -> dict[str, Any]:
    done = subprocess.run(
        (sys.executable, "-m", "bench.store.soak", "--seconds", str(seconds)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdout=subprocess.PIPE,
        check=True,
        timeout=2 * seconds + 60,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    for name, kind in report["kinds"].items():
        print(f"{name}: {kind['count']} asked, p50 {kind['p50']:.1f} ms, p99 {kind['p99']:.1f} ms")
    print(f"all: p50 {report['p50']:.1f} ms, p99 {report['p99']:.1f} ms")
    return report


def check(report: dict[str, Any], most: float) -> None:
    """`most`: MB by which a process may have grown over the last three quarters."""
    assert report["wrong"] == {}
    assert report["answered"] == report["seconds"] * 50
    grown = {name: each["growth"] for name, each in report["processes"].items()}
    assert {name: mb for name, mb in grown.items() if mb > most} == {}
    if os.geteuid() == 0:
        files = [(each["files first"], each["files last"]) for each in report["processes"].values()]
        # A reader may have opened a file of SQLite's at this very moment.
        assert [each for each in files if each[1] > each[0] + 2] == []


def test_stores_stay_as_they_were_for_a_while() -> None:
    check(soak(20), most=2.0)


@pytest.mark.slow
@pytest.mark.timeout(3 * LONG)
def test_stores_stay_as_they_were_for_twenty_minutes() -> None:
    check(soak(LONG), most=4.0)
