"""`./databox test`: bring what the tests need, then run them in tiers, quick ones first.

All in one run of pytest, also the checks of types, style and imports (tests/unit/project), so its
last line tells everything. What is brought stays in `.cache/`, by the hash of its lock.

Standard library only: runs before anything is installed.
"""

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from databox.cli import packages
from databox.cli.home import SetupError, clean_environment

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache"
LOCKS = ROOT / "requirements"
TIERS = (
    "tests/unit",
    "tests/docs",
    "apps",
    "drivers",
    "tests/conformance",
    "tests/model",
    "tests/isolation",
    "tests/recovery",
    "tests/browser",
)

NODE = (20, 19)
"""The oldest Node that builds the dashboard; Debian 12 has 18."""


def main(words: list[str]) -> int:
    """Run the tests; unknown words go on to pytest."""
    take = argparse.ArgumentParser(prog="databox test")
    take.add_argument("--long", action="store_true", help="everything, also what takes minutes")
    take.add_argument("--yes", action="store_true", help="install system packages without asking")
    known, rest = take.parse_known_args(words)
    try:
        environment = prepare()
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    # Ctrl-C goes to both; pytest then says what it had found so far.
    signal.signal(signal.SIGINT, lambda *_: None)
    return subprocess.run(
        (environment["VIRTUAL_ENV"] + "/bin/python3", "-m", "pytest", *_chosen(known.long, rest)),
        cwd=ROOT,
        env={**environment, "HYPOTHESIS_PROFILE": "long" if known.long else "quick"},
        check=False,
    ).returncode


def _chosen(long: bool, rest: list[str]) -> list[str]:
    folders = [tier for tier in TIERS if any((ROOT / tier).rglob("test_*.py"))]
    paths = [] if any(Path(word.partition("::")[0]).exists() for word in rest) else folders
    return [*([] if long else ["-m", "not slow"]), *rest, *paths]


def prepare() -> dict[str, str]:
    """Make the environment of the tests, or find it made; its variables for a child."""
    venv = _once("test", _make_venv, "Fetching what the tests need.")
    path = f"{venv}/bin:{os.environ['PATH']}:/usr/sbin:/sbin"
    if node_version() < NODE:
        node = _once("node", _make_venv, "Fetching Node, for the dashboard.")
        path = f"{node}/bin:{path}"
    environment = {
        **clean_environment(os.environ),
        "VIRTUAL_ENV": str(venv),
        "PATH": path,
        # For the programs that tests start.
        "PYTHONPATH": str(ROOT / "src"),
    }
    for lock in (ROOT / "ui/package-lock.json", *ROOT.glob("tests/*/*/**/package-lock.json")):
        if "node_modules" not in lock.parts:
            _npm(lock.parent, environment)
    return environment


def _once(name: str, make: Callable[[Path, Path], None], words: str) -> Path:
    lock = LOCKS / f"{name}.txt"
    version = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = CACHE / f"{name}-{version}"
    done = folder / ".complete"
    if not done.exists():
        began = time.monotonic()
        print(words, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        make(folder, lock)
        done.touch()
        print(f"That took {time.monotonic() - began:.0f} s.", flush=True)
    return folder


def _make_venv(folder: Path, lock: Path) -> None:
    subprocess.run((packages.PYTHON, "-m", "venv", "--without-pip", str(folder)), check=True)
    packages.install(lock, LOCKS / "bootstrap.txt", "--python", f"{folder}/bin/python3")


def node_version() -> tuple[int, ...]:
    """The version of the `node` that is found first; all zeros without one."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return (0, 0)
    said = subprocess.run((node, "--version"), capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in said.strip().removeprefix("v").split(".")[:2])


def _npm(folder: Path, environment: dict[str, str]) -> None:
    """Fetch the locked packages of one folder; no package runs a script of its own."""
    version = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    done = folder / "node_modules" / ".databox-lock"
    if done.exists() and done.read_text() == version:
        return
    print(f"Fetching the packages of {folder.relative_to(ROOT)}.", flush=True)
    fetched = subprocess.run(
        ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"),
        cwd=folder,
        env=environment,
        check=False,
    )
    if fetched.returncode != 0:
        raise SetupError(f"npm could not fetch the packages of {folder}; see above.")
    done.parent.mkdir(exist_ok=True)
    done.write_text(version)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
