"""A box in which one of our own parts has been taken over, and what that part found."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests import box_with_stand_ins
from tests.recovery.running import RunningBox, soon

STAND_INS = Path(__file__).with_name("stand_ins")
STORE = "os-monitor-store"
REPORT = "what-a-hostile-part-found"
FILES = {
    "the box's keys": "keys",
    "the authority's folder": "parts/authority",
    "the manager's folder": "parts/manager",
    "the exports": "parts/export-service",
    "the stores": "stores",
    "the command line's session": "run",
    "an app's own folder": "instances",
    "a package": "packages",
    "the logs": "logs",
}
"""What is to be protected: folders of the home, with a canary in each."""


@dataclass
class Hostile:
    """A running box, and what its hostile part told."""

    box: RunningBox
    part: str
    world: dict[str, Any]
    folder: Path

    @cached_property
    def found(self) -> dict[str, Any]:
        """Attempt -> `done`, or how it was refused."""
        log = self.box.home / "logs" / f"{self.part}.log"
        soon(lambda: len(_reports(log)) >= 2, within=20)
        first, second = _reports(log)[:2]
        return first | second

    @cached_property
    def control(self) -> dict[str, str]:
        """The same attempts by a process of root's outside of any wall."""
        file = self.folder / "control.json"
        own = self.folder / "own"
        own.mkdir(exist_ok=True)
        told = self.world | {"box": self.box.process.pid, "own": str(own)}
        file.write_text(json.dumps(told))
        # Mounting is tried, so not where others would see it.
        words = ("unshare", "--mount", "--propagation", "private", sys.executable)
        done = subprocess.run(
            (*words, str(STAND_INS / "attempts.py"), str(file)),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return dict(json.loads(done.stdout))


def _reports(log: Path) -> list[dict[str, Any]]:
    lines = log.read_text().splitlines() if log.exists() else []
    return [json.loads(line.partition(REPORT)[2]) for line in lines if REPORT in line]


@contextlib.contextmanager
def hostile(home: Path, part: str, *without: str, user: int | None = None) -> Iterator[Hostile]:
    """Run a box whose `part` is hostile.

    `without`: steps of the confinement that are left out. `user`: whom the box runs as.
    """
    with _folder() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        files = {name: home / path / "canary" for name, path in FILES.items()}
        for path in files.values():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("canary")
        if user is not None:
            for path in (home, *home.rglob("*")):
                os.chown(path, user, user)
        world = {
            "files": {name: str(path) for name, path in files.items()},
            "plant": str(home / "instances" / "planted"),
            "code": str(folder / "planted.py"),
            "port": listener.getsockname()[1],
            "part": part,
            "without": without,
        }
        for file in STAND_INS.glob("*.py"):
            shutil.copy(file, folder)
        (folder / "world.json").write_text(json.dumps(world))
        for path in folder.iterdir():
            path.chmod(0o644)
        stand_in = f"{'store' if part == STORE else part}=box_test_hostile"
        words = [sys.executable, "-P", box_with_stand_ins.__file__, "--home", str(home)]
        start = [*words, "--folder", str(folder), stand_in]
        with RunningBox(home, user=user, start=start) as box:
            box.set_up()
            if part == STORE:
                box.install("os-monitor")
            yield Hostile(box, part, world, folder)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="databox-hostile-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
