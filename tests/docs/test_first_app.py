"""The code of the tutorial `first-app.md` runs as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/tutorial/first-app.md").read_text()
PROGRAM, CONFTEST, TEST = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_tutorials_app_is_the_one_that_ships() -> None:
    assert (ROOT / "apps/hello/hello.py").read_text() == PROGRAM


def test_the_tutorials_test_passes(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(PROGRAM)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_hello.py").write_text(TEST)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "1 passed" in run.stdout, run.stdout + run.stderr


def test_every_operation_that_the_page_names_exists() -> None:
    from databox.sdk.readings import Readings
    from databox.sdk.source import Source

    named = re.findall(r"\b(load|readings)\.(\w+)", PAGE)
    assert {name for what, name in named if what == "load"} <= set(dir(Source))
    assert {name for what, name in named if what == "readings"} <= set(dir(Readings()))
