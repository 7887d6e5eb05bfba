"""The checks that a machine can make of the code as it is written."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PYTHON = ["src", "tests", "drivers", "apps", "bench", "docs"]


def check(*command: str) -> None:
    done = subprocess.run(
        (sys.executable, "-m", *command), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_style_is_clean() -> None:
    check("ruff", "check", "--quiet", *PYTHON)


def test_layout_is_what_the_formatter_makes() -> None:
    check("ruff", "format", "--check", "--quiet", *PYTHON)


@pytest.mark.timeout(300)
def test_types_hold() -> None:
    check("mypy")


def test_imports_go_one_way() -> None:
    command = str(Path(sys.executable).with_name("lint-imports"))
    done = subprocess.run(
        (command, "--no-cache", "--no-logo"),
        cwd=ROOT,
        env={"PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
