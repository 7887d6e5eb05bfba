"""The driver reads this computer rightly, and its manifest says what its code does."""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from databox.wire import manifest

FOLDER = Path(__file__).parent
STAT = "cpu  100 5 45 800 50 0 0 0 7 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
LATER = "cpu  160 5 65 900 70 0 0 0 9 0\n"
MEMINFO = "MemTotal:       2097152 kB\nMemFree:  9 kB\nMemAvailable:   1048576 kB\nHugePages: 0\n"

computer = SimpleNamespace(**runpy.run_path(str(FOLDER / "computer.py")))


def test_load_is_the_share_of_busy_ticks_between_two_looks() -> None:
    # 80 busy ticks of 200.
    assert computer.load(computer.ticks(STAT), computer.ticks(LATER)) == 40.0


def test_load_is_unknown_when_no_time_passed() -> None:
    assert computer.load(computer.ticks(STAT), computer.ticks(STAT)) is None


def test_load_stays_within_bounds_when_the_busy_count_goes_back() -> None:
    before = computer.Ticks(busy=50, all=100)
    assert computer.load(before, computer.Ticks(busy=20, all=200)) == 0.0


def test_memory_is_in_mebibytes() -> None:
    assert computer.memory(MEMINFO) == computer.Memory(used=1024, free=1024)


def test_load_average_is_that_of_one_minute() -> None:
    assert computer.load_average("0.42 0.30 0.20 1/200 4242\n") == 0.42


def test_manifest_provides_what_the_code_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    program = runpy.run_path(str(FOLDER / "main.py"))
    sys.modules.pop("computer", None)
    described = manifest.decode(program["driver"].manifest(["main.py"]).encode())
    shipped = manifest.decode((FOLDER / "databox-manifest.json").read_bytes())
    assert shipped.provides == described.provides
    assert (shipped.name, shipped.databox_type) == (described.name, described.databox_type)


def test_sample_writes_every_source_after_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    program = runpy.run_path(str(FOLDER / "main.py"))
    sys.modules.pop("computer", None)
    texts = iter((STAT, LATER))
    files = {"loadavg": "0.42 0 0 1/2 3", "meminfo": MEMINFO}
    sample = program["sample"]
    sample.__globals__["read"] = lambda name: next(texts) if name == "stat" else files[name]
    written: list[tuple[str, float]] = []
    for source in program["driver"].sources:
        source.write = lambda value, id=source.offer.id: written.append((id, value))
    sample()
    sample()
    assert ("cpu-load", 40.0) in written
    assert {id for id, _ in written} == {"cpu-load", "load-average", "memory-used", "memory-free"}
