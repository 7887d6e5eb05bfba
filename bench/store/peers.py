"""The servers beside which the store is measured, each in a folder of its own.

The two databases come as Debian packages, fetched by apt and unpacked aside: nothing is installed,
no service is left behind, and none of them reports to anybody. What cannot be had is told.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.store import machine
from bench.store.load import Request

from databox.cli import packages
from databox.cli.home import SetupError

PACKAGES = {"influxd": "influxdb", "victoria-metrics": "victoria-metrics"}
"""Program, and the Debian package that has it."""
PYTHON = Path("python/bin/python3")
LOCK = Path(__file__).parents[2] / "requirements/bench.txt"
START_SECONDS = 30.0
BODY = b'{"value":21.5,"timestamp":1500000000000}'

NGINX = """
daemon off; worker_processes 1; error_log stderr crit; pid {folder}/pid; {user}
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 1000000000; default_type application/json;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen unix:{folder}/sock; location / {{ return 200 '{body}'; }} }}
}}
"""

INFLUX = """
reporting-disabled = true
bind-address = "127.0.0.1:{other}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  unix-socket-enabled = true
  bind-socket = "{folder}/sock"
[logging]
  level = "error"
"""


@dataclass(slots=True)
class Server:
    """A running one. `address`: path of its Unix socket, or host:port; `folder`: of its files."""

    name: str
    address: str
    folder: Path
    root: int
    pids: list[int] = field(default_factory=list)

    def request(self, method: str, path: str, more: bytes = b"") -> Request:
        """A request. `more`: header lines."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.name}\r\n".encode()
        return Request((self.address,), (head + more,))


def find(program: str, place: Path | None) -> Path | None:
    """Where a database's program is: on this machine, or fetched to `place` before."""
    for path in (shutil.which(program), place and place / "usr/bin" / program):
        if path and Path(path).exists():
            return Path(path)
    return None


def environment(place: Path | None) -> Path | None:
    """The interpreter that has the packages of the peers in Python, if it was made."""
    python = place and place / PYTHON
    return python if python and python.exists() else None


def fetch(place: Path) -> None:
    """Fetch what is missing and can be had, without installing it."""
    place.mkdir(parents=True, exist_ok=True)
    _fetch_programs(place)
    _fetch_packages(place)


def _fetch_packages(place: Path) -> None:
    """Make an environment for this alone, anew when its lock has changed."""
    done = place / "python/.complete"
    if done.exists() and done.read_bytes() == LOCK.read_bytes():
        return
    say(f"Fetching uvicorn and DuckDB to {place}, for this measurement alone.")
    venv = (packages.PYTHON, "-m", "venv", "--without-pip", "--clear", str(place / "python"))
    try:
        subprocess.run(venv, check=True)
        packages.install(LOCK, LOCK.with_name("bootstrap.txt"), "--python", str(place / PYTHON))
    except (SetupError, subprocess.CalledProcessError) as error:
        shutil.rmtree(place / "python", ignore_errors=True)
        say(str(error))
    else:
        done.write_bytes(LOCK.read_bytes())


def _fetch_programs(place: Path) -> None:
    missing = [name for program, name in PACKAGES.items() if not find(program, place)]
    if not missing or not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return
    say(f"Fetching these Debian packages to {place}, without installing them: {missing}.")
    for name in missing:
        done = subprocess.run(
            ("apt-get", "download", "-qq", name), cwd=place, capture_output=True, check=False
        )
        for file in place.glob(f"{name}_*.deb"):
            subprocess.run(("dpkg-deb", "--extract", file.name, "."), cwd=place, check=True)
            file.unlink()
        if done.returncode:
            say(f"{name} could not be fetched.")


def start(
    name: str, place: Path | None, folder: Path, core: int
) -> AbstractContextManager[Server] | None:
    """A peer by its name, None if its program is not here. `folder`: for its files."""
    match name:
        case "nginx" if program := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"):
            return nginx(Path(program), folder, core)
        case "influxdb" if found := find("influxd", place):
            return influx(found, folder, core)
        case "victoria-metrics" if found := find("victoria-metrics", place):
            return victoria(found, folder, core)
        case "uvicorn" if python := environment(place):
            return uvicorn(python, folder, core)
    return None


@contextmanager
def nginx(program: Path, folder: Path, core: int) -> Iterator[Server]:
    """An nginx that answers from memory: how fast the kernel and a good parser can be."""
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, body=BODY.decode(), user=user))
    command = (str(program), "-p", str(folder), "-e", "stderr", "-c", str(config))
    with _running("nginx", command, str(folder / "sock"), folder, core) as server:
        yield server


@contextmanager
def influx(program: Path, folder: Path, core: int) -> Iterator[Server]:
    """InfluxDB with its own settings, which sync every write, and a database `b`."""
    config = folder / "influxdb.conf"
    config.write_text(INFLUX.format(folder=folder, port=free_port(), other=free_port()))
    command = (str(program), "-config", str(config))
    with _running("influxdb", command, str(folder / "sock"), folder, core) as server:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(server.address)
            asked = server.request("POST", "/query?q=CREATE+DATABASE+b")
            line.sendall(asked.heads[0] + b"Content-Length: 0\r\n\r\n")
            assert line.recv(4096).startswith(b"HTTP/1.1 200"), "no database could be made"
        yield server


@contextmanager
def victoria(program: Path, folder: Path, core: int) -> Iterator[Server]:
    """VictoriaMetrics with its own settings: what was written last it has in memory alone."""
    address = f"127.0.0.1:{free_port()}"
    command = (
        str(program),
        f"-storageDataPath={folder}/data",
        f"-httpListenAddr={address}",
        "-retentionPeriod=100y",
        "-search.maxPointsPerTimeseries=100000000",
        "-search.maxSamplesPerQuery=1000000000",
        "-loggerLevel=ERROR",
    )
    with _running("victoria-metrics", command, address, folder, core) as server:
        yield server


@contextmanager
def uvicorn(python: Path, folder: Path, core: int) -> Iterator[Server]:
    """A bare application on uvicorn, with uvloop and httptools: no token, no record, no disk."""
    (folder / "bare.py").write_text(_BARE)
    path = str(folder / "sock")
    words = ("-m", "uvicorn", "bare:app", "--uds", path, "--log-level", "error", "--no-access-log")
    loops = ("--loop", "uvloop", "--http", "httptools", "--app-dir", str(folder))
    with _running("uvicorn", (str(python), *words, *loops), path, folder, core) as server:
        yield server


_BARE = """
import json

POINT = {"value": 21.5, "timestamp": 1500000000000}
HEADERS = [(b"content-type", b"application/json")]

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    while scope["method"] == "POST":
        message = await receive()
        body += message["body"]
        if not message.get("more_body"):
            json.loads(body)
            break
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": json.dumps(POINT).encode()})
"""


@contextmanager
def _running(
    name: str, command: tuple[str, ...], address: str, folder: Path, core: int
) -> Iterator[Server]:
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            ("taskset", "--cpu-list", str(core), *command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            # As a service, and as our own parts: the kernel shares out time by sessions.
            start_new_session=True,
        )
    try:
        _wait(name, address, process, folder)
        server = Server(name, address, folder, process.pid)
        server.pids = machine.tree(process.pid)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(name: str, address: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket(socket.AF_UNIX if address[0] == "/" else socket.AF_INET) as probe:
            try:
                host, _, port = address.partition(":")
                probe.connect(address if address[0] == "/" else (host, int(port)))
            except OSError:
                time.sleep(0.05)
            else:
                return
    end = (folder / "output").read_text(errors="replace")[-500:]
    raise RuntimeError(f"{name} did not start: {end}")


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def say(text: str) -> None:
    """Tell the person at the terminal what is going on."""
    print(text, file=sys.stderr, flush=True)
