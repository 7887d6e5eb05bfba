"""A whole box on a machine that lacks something: it says what, and how to get it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.isolation import forbidden
from tests.recovery.running import RunningBox, command, environment

BUBBLEWRAP = "/usr/bin/bwrap"
UP = [sys.executable, "-m", "databox.cli", "up", "--port", "0", "--no-browser"]
INSTALL = "As root: apt-get install bubblewrap"

pytestmark = pytest.mark.root


@pytest.fixture
def hidden(tmp_path: Path) -> list[str]:
    """What to put before a command so that it finds no bubblewrap."""
    nothing = tmp_path / "nothing"
    nothing.touch(mode=0o600)
    script = f'mount --bind "$0" {BUBBLEWRAP}; exec "$@"'
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(nothing)]


def up(home: Path, *before: str) -> subprocess.CompletedProcess[str]:
    """`databox up`, which must refuse."""
    done = subprocess.run(
        [*before, *UP],
        env={**environment(), "DATABOX_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    return done


def left(home: Path) -> list[str]:
    """What there is in the home folder."""
    return sorted(str(path.relative_to(home)) for path in home.rglob("*"))


def test_without_bubblewrap_up_names_the_package(home: Path, hidden: list[str]) -> None:
    said = up(home, *hidden).stderr
    assert said.startswith("The box cannot start here:")
    assert f"bubblewrap: {BUBBLEWRAP} is not there" in said
    assert INSTALL in said
    assert left(home) == []


def test_where_user_namespaces_are_forbidden_up_names_the_setting(home: Path) -> None:
    # Its own user database counts in there: the home is this machine's root's.
    os.chown(home, 0, 0)
    said = up(home, sys.executable, forbidden.__file__).stderr
    assert "user.max_user_namespaces is 0" in said
    assert "sysctl -w user.max_user_namespaces=" in said
    assert left(home) == []


def test_bubblewrap_that_goes_away_is_told_and_nothing_is_installed(
    home: Path, hidden: list[str]
) -> None:
    with RunningBox(home, start=[*hidden, *command(home)]) as box:
        box.set_up()
        before = {folder: left(home / folder) for folder in ("packages", "instances", "stores")}
        package = box.get("/api/offers/os-monitor")["package"]
        request = {"name": "os-monitor", "package": package, "choices": {}, "text": "agreed"}
        status, answer = box.call("POST", "/api/install", request)
        assert (status, answer["error"]["code"]) == (503, "bubblewrap-missing")
        assert answer["error"]["found"] == BUBBLEWRAP
        assert "bubblewrap" in answer["error"]["remedy"]
        assert box.get("/api/components")["components"] == []
        assert box.get("/api/grants")["grants"] == []
        assert {folder: left(home / folder) for folder in before} == before
