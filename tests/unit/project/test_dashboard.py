"""The dashboard's own checks, and that the committed bundle is what its sources say."""

import shutil
import subprocess
from pathlib import Path

import pytest

UI = Path(__file__).parents[3] / "ui"

needs_npm = pytest.mark.skipif(
    shutil.which("npm") is None or not (UI / "node_modules").is_dir(),
    reason="needs npm, and `npm ci` in ui; ./databox test brings both",
)


@needs_npm
@pytest.mark.timeout(300)
@pytest.mark.parametrize("script", ["check", "test", "bundle:check"])
def test_the_dashboard_passes_its(script: str) -> None:
    done = subprocess.run(
        ("npm", "run", "--silent", script), cwd=UI, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
