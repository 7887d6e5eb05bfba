"""A whole box as an owner has it: started by `./databox up` in a home folder of its own."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives.asymmetric import ec

from databox.cli.client import exchange
from databox.cli.proof import public_jwk

SCRIPT = Path(__file__).parents[1] / "databox"
PASSPHRASE = "correct horse battery staple"
START_SECONDS = 60.0


class BoxByScript:
    """One home folder, and the box in it. `address`: where it answers, once it is up."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.address = ""
        self._process: subprocess.Popen[str] | None = None

    def up(self, *words: str) -> list[str]:
        """Start it; gives what it said, the address last."""
        command = (str(SCRIPT), "up", "--port", "0", "--no-browser", *words)
        self._process = subprocess.Popen(
            command,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        said: list[str] = []
        for line in self._process.stdout:
            said.append(line.rstrip("\n"))
            if line.startswith("http://"):
                self.address = said[-1]
                return said
        raise AssertionError(f"it did not come up: {said} {self._process.communicate()[1]}")

    def set_up(self, mode: str = "automatic") -> None:
        """Become its owner by the one-time code, as the browser does."""
        request = {
            "code": (self.home / "run" / "code").read_text().strip(),
            "name": "Ana",
            "passphrase": PASSPHRASE,
            "mode": mode,
            "key": public_jwk(ec.generate_private_key(ec.SECP256R1())),
        }
        headers = {"Content-Type": "application/json"}
        status, answer = exchange(
            self.address, "POST", "/api/setup", headers, json.dumps(request).encode()
        )
        assert status == 200, answer

    def verb(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a verb of the command line for this box."""
        done = subprocess.run(
            (str(SCRIPT), *words),
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    @contextmanager
    def running(self, *words: str) -> Iterator["Lines"]:
        """Run a verb that goes on until Ctrl-C, which is pressed at the end."""
        process = subprocess.Popen(
            (str(SCRIPT), *words),
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            yield Lines(process.stdout)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)

    @property
    def pid(self) -> int:
        """The process that was started."""
        assert self._process is not None
        return self._process.pid

    def wait(self, seconds: float = 30.0) -> int:
        """Wait until it has ended; gives its exit code."""
        assert self._process is not None
        self._process.communicate(timeout=seconds)
        return self._process.returncode

    def end(self) -> None:
        """Press Ctrl-C, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self._process.kill()
                self.wait()
                raise

    def _environment(self) -> dict[str, str]:
        hidden = ("DISPLAY", "WAYLAND_DISPLAY")
        mine = {name: text for name, text in os.environ.items() if name not in hidden}
        return {**mine, "DATABOX_HOME": str(self.home)}


class Lines:
    """What a verb says, line by line."""

    def __init__(self, output: IO[str]) -> None:
        self._output = output

    def until(self, words: str) -> str:
        """The next line with these words in it."""
        for line in self._output:
            if words in line:
                return line.strip()
        raise AssertionError(f"it never said: {words}")


@contextmanager
def box_by_script() -> Iterator[BoxByScript]:
    """A new home folder with a short path that other users can pass through, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="databox-", dir="/tmp"))
    folder.chmod(0o755)
    box = BoxByScript(folder / "home")
    try:
        yield box
    finally:
        box.end()
        subprocess.run(("chmod", "-R", "u+w", str(folder)), check=True)
        shutil.rmtree(folder)


def wait_for(seconds: float, found: object) -> None:
    """Wait until `found()` is true."""
    assert callable(found)
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)
