"""The stage for attacks: an engine, a network of our own around it, and controls beside it.

Everything here runs in a network namespace that the tests make. Its loopback interface owns the
addresses that attacks aim at (a metadata service, a name server, a neighbour in the house), so a
control reaches a real listener, and nothing a control or a failed wall lets out leaves the machine.

As an ordinary user the process gives itself a user namespace, which is for good: run this folder in
a process of its own.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import itertools
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest
import uvloop

from databox.engines import Engine, Outcome, Run
from databox.engines.sandbox.engine import SandboxEngine
from databox.engines.sandbox.namespaces import CLONE_NEWNET, become_parent_namespace
from databox.wire.errors import Unavailable
from databox.wire.runspec import Limits, RunSpec

T = TypeVar("T")
Story = Callable[[Engine], Awaitable[T]]

HERE = Path(__file__).parent
PYTHON = ("/usr/bin/python3", "-S", "-E")
LAN, METADATA, PUBLIC, NAME_SERVER = (
    "192.168.77.10",
    "169.254.169.254",
    "203.0.113.7",
    "198.51.100.5",
)
UNIQUE_LOCAL = "fd00:77::10"
FIRST_UID = 310_000
PR_SET_CHILD_SUBREAPER = 36
SIOCSIFFLAGS, SIOCSIFADDR = 0x8914, 0x8916
IFF_UP = 1

_libc = ctypes.CDLL(None, use_errno=True)


class World:
    """What lies outside the sandbox: a network, files with a canary, and scripts."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.attacks = base / "attacks"
        self.canary = base / "canary"
        self.canary.write_text("canary")
        shutil.copytree(
            HERE / "attacks", self.attacks, ignore=shutil.ignore_patterns("__pycache__")
        )
        for path in (base, *base.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)

    @contextlib.contextmanager
    def listener(self, host: str, port: int = 0) -> Iterator[int]:
        """A TCP listener outside; gives its port."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as server:
            server.bind((host, port))
            server.listen()
            yield server.getsockname()[1]

    @contextlib.contextmanager
    def answerer(self, host: str) -> Iterator[int]:
        """A UDP socket outside that answers everything; gives its port."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind((host, 0))
            server.settimeout(0.1)
            stop = threading.Event()
            thread = threading.Thread(target=_answer, args=(server, stop))
            thread.start()
            try:
                yield server.getsockname()[1]
            finally:
                stop.set()
                thread.join()

    @contextlib.contextmanager
    def unix(self, address: str) -> Iterator[None]:
        """A unix listener that everybody may use; a leading @ makes it abstract."""
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("\0" + address[1:] if address.startswith("@") else address)
            if not address.startswith("@"):
                Path(address).chmod(0o777)
            server.listen()
            yield

    def control(self, script: str, argument: object, *around: str) -> dict[str, Any]:
        """Run an attack outside the sandbox, where it must succeed; `around`: a command before."""
        command = (*around, *PYTHON, str(self.attacks / script), json.dumps(argument))
        done = subprocess.run(command, capture_output=True, check=False, timeout=30, text=True)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def alone(self, script: str, argument: object, setup: str = "true") -> dict[str, Any]:
        """A control as root of a network of its own, after a line of shell."""
        shell = ("sh", "-c", f'{setup}; exec "$@"', "sh")
        return self.control(
            script, argument, "unshare", "--user", "--map-root-user", "--net", *shell
        )


class Stage:
    """An engine to run things in, opened anew for each story."""

    def __init__(self, engine: str, world: World, base: Path) -> None:
        self.engine = engine
        self.world = world
        self._base = base
        self._numbers = itertools.count()

    def tell(self, story: Story[T], *, loop: Callable[[], Any] = uvloop.new_event_loop) -> T:
        """Open the engine, run the story, close the engine; everything must be gone then."""
        before = (_children(), _descriptors())
        with asyncio.Runner(loop_factory=loop) as runner:
            result = runner.run(self._within(story))
        assert (_children(), _descriptors()) == before
        assert not _groups()
        return result

    async def _within(self, story: Story[T]) -> T:
        engine = await open_engine(self.engine)
        try:
            return await story(engine)
        finally:
            await engine.close()

    def spec(self, *command: str, **other: Any) -> RunSpec:
        """A run of `command` with the attack scripts as its code, under a uid of its own."""
        number = next(self._numbers)
        var = self._base / f"var{number}"
        var.mkdir()
        uid = FIRST_UID + number if os.geteuid() == 0 else None
        fields: dict[str, Any] = {
            "name": f"run{number}",
            "code": self.world.attacks,
            "var": var,
            "uid": uid,
            "log": self._base / f"run{number}.log",
            "limits": Limits(memory_mb=128, processes=64, cpu=1.0, disk_mb=256),
        }
        return RunSpec(command=command, **{**fields, **other})

    def attack(
        self, script: str, argument: object, *listening: tuple[str, int], **other: Any
    ) -> dict[str, Any]:
        """Run an attack inside, with listeners at `listening` there, and give its report."""
        spec = self.spec(*PYTHON, script, json.dumps(argument), **other)

        async def story(engine: Engine) -> Outcome:
            with contextlib.ExitStack() as listeners:

                async def prepare(run: Run) -> None:
                    for address, port in listening:
                        listeners.enter_context(await run.listen(address, port))

                return await engine.run_once(spec, b"", 60, prepare)

        outcome = self.tell(story)
        assert outcome.exit.code == 0, (outcome.exit, outcome.stderr.decode())
        return dict(json.loads(outcome.stdout))


async def open_engine(name: str) -> Engine:
    """Each engine of the project by its name."""
    match name:
        case "sandbox":
            return await SandboxEngine.open()
        case _:
            raise AssertionError(f"no engine {name}")


@pytest.fixture(params=["sandbox"])
def stage(request: pytest.FixtureRequest, world: World) -> Iterator[Stage]:
    """An engine, by turns each of those that this machine can run."""
    with _folder() as base:
        yield Stage(request.param, world, base)


def _as_long_as_possible(fixture_name: str, config: pytest.Config) -> Literal["session", "module"]:
    # Who is not root cannot come back from the network of its own, and runs nothing else.
    return "module" if os.geteuid() == 0 else "session"


@pytest.fixture(scope=_as_long_as_possible)
def world() -> Iterator[World]:
    """The surroundings of all sandboxes. What runs after them has the machine's network again."""
    with _folder() as base, _own_network():
        # As in the box: orphans come to us, so one that nobody reaps is seen.
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
        # The first loop makes a pipe that stays for the life of the process.
        uvloop.new_event_loop().close()
        yield World(base)
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 0)


@pytest.fixture
def answer() -> Callable[[Run, int], Awaitable[bytes]]:
    """Ask an instance's own web port for `/`, as soon as it serves."""
    return ask


async def ask(run: Run, port: int) -> bytes:
    """One GET, tried for ten seconds."""
    async with asyncio.timeout(10):
        while True:
            try:
                client = await run.dial(port)
                break
            except Unavailable:
                await asyncio.sleep(0.02)
        loop = asyncio.get_running_loop()
        with client:
            await loop.sock_sendall(client, b"GET / HTTP/1.0\r\n\r\n")
            return await loop.sock_recv(client, 4096)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder that every uid may pass, unlike pytest's own."""
    base = Path(tempfile.mkdtemp(prefix="databox-isolation-"))
    base.chmod(0o755)
    try:
        yield base
    finally:
        shutil.rmtree(base)


@contextlib.contextmanager
def _own_network() -> Iterator[None]:
    """Move this thread, and all threads and processes it starts, to a new network."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if os.geteuid() != 0:
        become_parent_namespace()
    if _libc.unshare(CLONE_NEWNET) != 0:
        pytest.skip("this machine forbids network namespaces, so no sandbox can run")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))
        for number, address in enumerate((LAN, METADATA, PUBLIC, NAME_SERVER)):
            name = f"lo:{number}".encode()
            inet = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(any_socket, SIOCSIFADDR, struct.pack("16s16s8x", name, inet))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
        inet6 = socket.inet_pton(socket.AF_INET6, UNIQUE_LOCAL)
        request = struct.pack("=16sIi", inet6, 128, socket.if_nametoindex("lo"))
        fcntl.ioctl(any_socket, SIOCSIFADDR, request)
    try:
        yield
    finally:
        if os.geteuid() == 0:
            _libc.setns(home, CLONE_NEWNET)
        os.close(home)


def _answer(server: socket.socket, stop: threading.Event) -> None:
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            server.sendto(b"answer", server.recvfrom(100)[1])


def _children() -> set[int]:
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        # A thread that has just ended may still be listed.
        with contextlib.suppress(FileNotFoundError):
            found.update(int(pid) for pid in (task / "children").read_text().split())
    return found


def _descriptors() -> list[str]:
    """What is open, by kind: numbers of pipes and sockets do not matter."""
    files = tuple(Path("/proc/self/fd").iterdir())
    return sorted(re.sub(r"\d+", "", str(file.readlink())) for file in files if file.is_symlink())


def _groups() -> list[Path]:
    """Control groups that this process made and left."""
    return list(Path("/sys/fs/cgroup").glob(f"**/databox.{os.getpid()}*"))
