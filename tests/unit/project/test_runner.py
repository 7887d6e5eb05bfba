"""`./databox test` chooses the right tests."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("databox_test_runner", ROOT / "tests/run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_quick_run_leaves_out_what_takes_minutes(runner: ModuleType) -> None:
    assert runner._chosen(False, [])[:2] == ["-m", "not slow"]
    assert "-m" not in runner._chosen(True, [])


def test_quick_tiers_come_first(runner: ModuleType) -> None:
    folders = runner._chosen(True, [])
    assert folders[0] == "tests/unit"
    assert folders == [f for f in runner.TIERS if f in folders]


def test_a_named_test_runs_alone(runner: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert runner._chosen(True, ["tests/unit/cli", "-x"]) == ["tests/unit/cli", "-x"]


def test_every_folder_with_tests_is_in_a_tier(runner: ModuleType) -> None:
    files = [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("apps/**/test_*.py")]
    files += ROOT.glob("drivers/**/test_*.py")
    left_out = [
        file for file in files if not any(file.is_relative_to(ROOT / tier) for tier in runner.TIERS)
    ]
    assert left_out == []
