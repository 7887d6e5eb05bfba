"""A whole box in a home folder of its own: start, first reading, memory, and an app's screen.

Memory is PSS: each process with its fair share of the pages it has in common with others. Times
are medians where a thing can be done more than once, and hold for this machine alone.
"""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from databox.cli.client import Client, exchange, operator
from databox.cli.install import request
from databox.cli.proof import public_jwk
from databox.wire.errors import DataboxError
from databox.wire.sla import Choices, SourceChoice

STARTS = 5
OPENINGS = 5
PATIENCE = 60.0
SETTLE = 3.0
MEBIBYTE = 1024 * 1024
READING = ("os-monitor-store", "cpu-load")


def main() -> None:
    """Print one line a figure."""
    folder = Path(tempfile.mkdtemp(prefix="databox-bench-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        measure(folder / "home")
    finally:
        shutil.rmtree(folder)


def measure(home: Path) -> None:
    """Everything, in the order in which an owner meets it."""
    home.mkdir(mode=0o711)
    home.chmod(0o711)
    with box(home):
        began = time.monotonic()
        set_up(home)
        client = Client(operator(home))
        first_reading(client)
        show("box.first-reading", time.monotonic() - began, "s after set-up", floor=60, aim=20)
        memory(home, client)
        app_screen(client)
    starts = [start(home) for _ in range(STARTS)]
    show("box.start", statistics.median(starts), "s to the login page", floor=60, aim=15)


@contextmanager
def box(home: Path) -> Iterator[None]:
    """A running box, ended as by Ctrl-C."""
    process = subprocess.Popen(
        (sys.executable, "-m", "databox.cli", "up", "--port", "0", "--no-browser"),
        env={**os.environ, "DATABOX_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        if not any(line.startswith("http://") for line in process.stdout):
            raise SystemExit("the box did not come up")
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)


def start(home: Path) -> float:
    """Seconds from the command to the login page."""
    began = time.monotonic()
    with box(home):
        status, _ = exchange((home / "run" / "address").read_text(), "GET", "/", {}, b"")
        assert status == 200
        return time.monotonic() - began


def set_up(home: Path) -> None:
    """Become the owner."""
    message = {
        "code": (home / "run" / "code").read_text().strip(),
        "name": "Bench",
        "passphrase": "correct horse battery staple",
        "mode": "automatic",
        "key": public_jwk(ec.generate_private_key(ec.SECP256R1())),
    }
    headers = {"Content-Type": "application/json"}
    address = (home / "run" / "address").read_text()
    status, answer = exchange(address, "POST", "/api/setup", headers, json.dumps(message).encode())
    assert status == 200, answer
    until((home / "run" / "operator.json").exists)


def first_reading(client: Client) -> None:
    """Install the source that needs nothing but this computer, and wait for what it brings."""
    install(client, "os-monitor", Choices())
    until(lambda: any((s.store, s.id) == READING for s in client.call("sources").sources))


def memory(home: Path, client: Client) -> None:
    """Every process of the idle core with its one source, supervisor included; and one store."""
    time.sleep(SETTLE)
    parts = {part.name: part.memory / MEBIBYTE for part in client.call("parts").parts}
    if os.geteuid() == 0:
        # The box's own processes show their memory to root alone.
        whole = sum(pss(pid) for pid in tree(int((home / "run" / "lock").read_text())))
        show("box.memory.idle", whole, "MB", floor=170, aim=110)
    else:
        show("box.memory.parts", sum(parts.values()), "MB without the supervisor")
    show("box.memory.store", parts[READING[0]], "MB", floor=8, aim=5)


def tree(root: int) -> set[int]:
    """A process and all below it."""
    found, waiting = set(), [root]
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            waiting.extend(int(child) for child in children.read_text().split())
    return found


def pss(pid: int) -> float:
    """The process's fair share of its pages, MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def app_screen(client: Client) -> None:
    """From the start of an app to the first byte of its screen, through gateway and sandbox."""
    store, source = READING
    now = int(time.time() * 1000)
    choice = SourceChoice(clientid="CPU_LOAD", store=store, source=source, since=now)
    install(client, "computer-graph", Choices(sources=(choice,)))
    until(lambda: answers(client))
    took = []
    for _ in range(OPENINGS):
        began = time.monotonic()
        client.call("restart", name="computer-graph")
        until(lambda: answers(client))
        took.append((time.monotonic() - began) * 1000)
    show("app.first-byte", statistics.median(took), "ms after its start was asked for")


def answers(client: Client) -> bool:
    """Whether the app gives its screen."""
    return bool(client.call("view", name="computer-graph"))


def install(client: Client, name: str, choices: Choices) -> None:
    """Agree to an offer."""
    client.call("install", request(client.call("offer", name=name), choices, "measured"))


def until(done: Callable[[], bool]) -> None:
    """Wait for it; refusals count as not yet."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if done():
                return
        except DataboxError:
            pass
        time.sleep(0.005)
    raise SystemExit("it took too long")


def show(name: str, value: float, unit: str, **bounds: float) -> None:
    """Print one figure."""
    print(json.dumps({"name": name, "value": round(value, 3), "unit": unit, **bounds}), flush=True)


if __name__ == "__main__":
    main()
