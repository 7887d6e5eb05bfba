"""The dashboard's own checks, by its own tools: types, tests, and bundle against sources."""

import subprocess
from pathlib import Path

import pytest

UI = Path(__file__).parents[2] / "ui"

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("script", ["check", "test", "bundle:check"])
def test_dashboard_passes(script: str) -> None:
    done = subprocess.run(
        ("npm", "run", "--silent", script), cwd=UI, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
