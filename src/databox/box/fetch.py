"""Runs in a throw-away sandbox: fetches what a package depends on, by npm or pip.

Only the registry that the box found in its owner's settings can be reached. No script of any
package runs. Standard library alone.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

INTO = "site-packages"
"""The folder of the package that pip fills; it is on the PYTHONPATH of every component."""

_NPM = ("--ignore-scripts", "--no-bin-links", "--no-audit", "--no-fund", "--loglevel=error")
_RETRY = {"npm_config_fetch_retry_mintimeout": "500", "npm_config_fetch_retry_maxtimeout": "3000"}
"""Milliseconds. npm would wait for a minute before it says that a host is out of reach."""

_PIP = ("--only-binary=:all:", "--no-compile", "--no-cache-dir", "--progress-bar=off")


def fetch(words: list[str], package: Path) -> None:
    """Carry out `npm …` or `pip install …` in the folder `package`.

    Raises:
        ValueError: the tool is missing or failed; its last words are the message.
    """
    # A hidden file, so no part of the package; and it would choose another registry.
    (package / ".npmrc").unlink(missing_ok=True)
    room = package / ".room"
    room.mkdir()
    commands = _npm(words) if words[0] == "npm" else _pip(words, room / "python")
    ours = {**_RETRY, "HOME": str(room), "npm_config_cache": str(room / "npm")}
    for command in commands:
        _run(command, package, {**os.environ, **ours})
    shutil.rmtree(room)


def _npm(words: list[str]) -> list[list[str]]:
    return [[*words, *_NPM]]


def _pip(words: list[str], python: Path) -> list[list[str]]:
    # The system may have no pip of its own; a fresh environment brings one along.
    make = [sys.executable, "-m", "venv", str(python)]
    return [make, [f"{python}/bin/pip", *words[1:], *_PIP, "--target", INTO]]


def _run(command: list[str], package: Path, surroundings: dict[str, str]) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=package,
            env=surroundings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ValueError(f"there is no {command[0]} on this machine") from error
    if done.returncode != 0:
        raise ValueError(done.stderr.strip() or f"{command[0]} ended with {done.returncode}")
