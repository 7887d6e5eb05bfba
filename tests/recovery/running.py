"""A whole box in a process of its own, and its owner's browser reduced to calls."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec

from databox.cli.proof import Asked, make_proof, public_jwk

PASSPHRASE = "four plain words here"
CHECKOUT = Path(__file__).resolve().parents[2]
Answer = tuple[int, Any]


class RunningBox:
    """One run of the box on `home`; it ends with `stop` or `kill`."""

    def __init__(
        self, home: Path, *, user: int | None = None, start: list[str] | None = None
    ) -> None:
        """`user`: the uid it runs as, where this is root. `start`: another command than ours."""
        self.home = home
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._session = ""
        self.process = subprocess.Popen(
            start or command(home),
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
            user=user,
            group=user,
            extra_groups=None if user is None else (),
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        assert self.address, "the box did not start"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def call(self, method: str, path: str, body: object = None) -> Answer:
        """One call of the public API."""
        port = int(self.address.rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Host": self.address.removeprefix("http://"), "Content-Type": "application/json"}
        if self._session:
            headers |= self.proof(method, path)
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    @property
    def session(self) -> str:
        """The session that calls are made with."""
        return self._session

    def get(self, path: str) -> Any:
        """The answer to a GET that must go well."""
        status, answer = self.call("GET", path)
        assert status == 200, (path, status, answer)
        return answer

    def set_up(
        self, mode: str = "locked", *, name: str = "Ann", passphrase: str = PASSPHRASE
    ) -> str:
        """Become the owner; gives the recovery code."""
        code = (self.home / "run" / "code").read_text().strip()
        body = {"code": code, "name": name, "passphrase": passphrase, "mode": mode}
        status, answer = self.call("POST", "/api/setup", body | {"key": public_jwk(self._key)})
        assert status == 200, answer
        self._session = answer["session"]
        return str(answer["recovery_code"])

    def log_in(self, passphrase: str = PASSPHRASE) -> Answer:
        """Sign in, which unlocks a locked box."""
        body = {"passphrase": passphrase, "key": public_jwk(self._key)}
        status, answer = self.call("POST", "/api/login", body)
        if status == 200:
            self._session = answer["session"]
        return status, answer

    def recover(self, code: str, passphrase: str) -> Answer:
        """Set a new passphrase by the recovery code."""
        body = {"recovery_code": code, "passphrase": passphrase, "key": public_jwk(self._key)}
        status, answer = self.call("POST", "/api/recover", body)
        if status == 200:
            self._session = answer["session"]
        return status, answer

    def install(self, name: str, **choices: object) -> None:
        """Install a package of the release."""
        package = self.get(f"/api/offers/{name}")["package"]
        body = {"name": name, "package": package, "choices": choices, "text": "agreed"}
        status, answer = self.call("POST", "/api/install", body)
        assert status == 200, answer

    def readings(self) -> dict[int, float]:
        """Every processor load that the store has, by its time."""
        path = "/api/stores/os-monitor-store/cpu-load/ts/since?startTimestamp=0"
        return {each["timestamp"]: each["data"] for each in self.get(path)}

    def states(self) -> dict[str, str]:
        """Where every part and instance is."""
        return {part["name"]: part["state"] for part in self.get("/api/parts")["parts"]}

    def pid_of(self, part: str) -> int:
        """The process of a part, or of the zygote."""
        for path in Path("/proc").glob("[0-9]*"):
            try:
                name = (path / "comm").read_text().strip()
                parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if name == part[:15] and int(parent) == self.process.pid:
                return int(path.name)
        raise AssertionError(f"{part} does not run")

    def processes(self) -> set[int]:
        """The box and every process below it."""
        found = {self.process.pid}
        parents: dict[int, int] = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                stat = (path / "stat").read_text()
            except OSError:
                continue
            parents[int(path.name)] = int(stat.rpartition(")")[2].split()[1])
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found

    def stop(self) -> int:
        """Ctrl-C; gives the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self._over()

    def kill(self) -> None:
        """What a power cut is to a process."""
        self.process.kill()
        self._over()

    def _over(self) -> int:
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def proof(self, method: str, path: str) -> dict[str, str]:
        """The headers that make a call the signed-in owner's."""
        asked = Asked(
            method=method,
            url=self.address + path.partition("?")[0],
            session=self._session,
            now=int(time.time()),
            identifier=uuid.uuid4().hex,
        )
        proof = make_proof(self._key, asked)
        return {"Authorization": f"DPoP {self._session}", "DPoP": proof}


def command(home: Path, port: int = 0) -> list[str]:
    """How a box is started."""
    words = [sys.executable, "-P", "-m", "databox.box", "--home", str(home)]
    return [*words, "--port", str(port)]


def environment() -> dict[str, str]:
    """What a box is started with."""
    return {"PYTHONPATH": str(CHECKOUT / "src"), "PATH": os.environ["PATH"]}


def refused(home: Path, port: int = 0) -> str:
    """Start a box that must refuse; gives what it says."""
    ended = subprocess.run(
        command(home, port),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env=environment(),
    )
    assert ended.returncode == 1, ended
    return ended.stderr


def soon(true: Callable[[], object], *, within: float = 5.0) -> float:
    """Wait until something holds; gives the seconds that it took."""
    began = time.monotonic()
    while True:
        try:
            if true():
                return time.monotonic() - began
        except (OSError, AssertionError, http.client.HTTPException):
            pass
        assert time.monotonic() - began < within, f"not within {within:g} s"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    return not Path(f"/proc/{pid}").exists()
