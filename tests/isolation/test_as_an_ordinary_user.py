"""The same tests as an ordinary user, who needs no right but that of making user namespaces."""

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
UID = 64_123
SEED = 2026
SAMPLE = 12

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
]


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of the user's own with a copy of the code, which may lie where only root can go."""
    base = Path(tempfile.mkdtemp(prefix="databox-user-"))
    shutil.copytree(SOURCE / "databox", base / "src" / "databox")
    shutil.copytree(HERE, base / "isolation")
    for path in (base, *base.rglob("*")):
        os.chown(path, UID, UID)
    try:
        yield base
    finally:
        shutil.rmtree(base)


def run_tests(home: Path, *wanted: str) -> str:
    """Run pytest as the user and give what it printed."""
    become = ("setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups")
    pytest_ = (sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-W", "error")
    options = ("--rootdir", str(home), "--import-mode=importlib", "-o", "markers=root: needs root")
    environment = {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(home / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        (*become, *pytest_, *options, *wanted),
        cwd=home / "isolation",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if "Permission denied" in done.stderr and not done.stdout:
        pytest.skip(f"the user cannot run {sys.executable}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def names() -> list[str]:
    """Every test of the engine. Those of a whole box run as a user in `tests/recovery`."""
    files = [
        path
        for path in sorted(HERE.glob("test_*.py"))
        if path.name != Path(__file__).name and "from tests." not in path.read_text()
    ]
    return [
        f"{path.name}::{name}"
        for path in files
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    ]


def test_a_sample_holds_as_an_ordinary_user(home: Path) -> None:
    sample = random.Random(SEED).sample(names(), SAMPLE)
    print(f"seed {SEED}:", *sample, sep="\n  ")
    assert "passed" in run_tests(home, *sample)


@pytest.mark.slow
def test_everything_holds_as_an_ordinary_user(home: Path) -> None:
    print(run_tests(home, *dict.fromkeys(name.partition("::")[0] for name in names())))
