"""Requests per CPU-second of the HTTP service, beside nginx answering the same from memory.

Server and load run on a core each; windows alternate between the two servers, so that what else
the machine does falls on both. CPU time, not wall time, is counted: the load may be the slower.
"""

import asyncio
import itertools
import json
import os
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

CONNECTIONS = 32
SECONDS = 1.0
WINDOWS = 5
BODY = b'{"value":21.5,"timestamp":1500000000000}'
REQUEST = (
    b"GET /%b/ts/latest HTTP/1.1\r\nHost: lamp-store\r\nAuthorization: Bearer "
    + b"x" * 280
    + b"\r\n\r\n"
)
POLL = [REQUEST % b"lamp"]
TURNS = [REQUEST % (b"lamp-%d" % number) for number in range(16)]
"""More paths in turn than a connection remembers, for the cost of reading a request anew."""
Address = str | tuple[str, int]
Servers = dict[str, tuple[int, Address]]
"""By name, the process and where it listens."""
NGINX = """
daemon off; worker_processes 1; error_log stderr crit; pid {folder}/nginx.pid; {user}
events {{ worker_connections 256; }}
http {{
  access_log off; keepalive_requests 1000000000; default_type application/json;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen {listen}; location / {{ return 200 '{body}'; }} }}
}}
"""


def serve(listener: socket.socket) -> None:
    """Be the server that is measured, until killed."""
    import uvloop

    from databox.kit.http import Response, Router, Server

    async def forever() -> None:
        routes = Router()
        routes.add("GET", "/{source}/ts/latest", lambda request: Response(200, BODY))
        Server(routes).serve_listener(listener, "bench")
        await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(forever())


@contextmanager
def ours(listener: socket.socket) -> Iterator[int]:
    """Our server in a process of its own; gives its id."""
    process = os.fork()
    if process == 0:
        os.sched_setaffinity(0, _core(0))
        try:
            serve(listener)
        finally:
            os._exit(1)
    try:
        yield process
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


@contextmanager
def nginx(folder: Path, listen: str) -> Iterator[int]:
    """An nginx that answers from memory; gives its id."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    folder.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, listen=listen, body=BODY.decode(), user=user))
    command = [program, "-p", str(folder), "-e", "stderr", "-c", str(config)]
    process = subprocess.Popen(command)
    try:
        time.sleep(0.3)
        for each in (process.pid, *_children(process.pid)):
            os.sched_setaffinity(each, _core(0))
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def load(address: Address, requests: list[bytes], seconds: float) -> int:
    """Ask in a closed loop on every connection; gives how many whole answers came."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    poll = select.epoll()
    ends = {}
    for _ in range(CONNECTIONS):
        end = socket.socket(family)
        end.connect(address)
        if family == socket.AF_INET:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        turn = itertools.cycle(requests).__next__
        ends[end.fileno()] = (end, turn)
        poll.register(end, select.EPOLLIN)
        end.send(turn())
    count, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        for number, _ in poll.poll(1):
            end, turn = ends[number]
            answer = end.recv(4096)
            if not answer.endswith(BODY):
                raise RuntimeError(f"an answer that is not whole: {answer!r}")
            count += 1
            end.send(turn())
    poll.close()
    for end, _ in ends.values():
        end.close()
    return count


def cpu_seconds(process: int) -> float:
    """User and system time of a process and its children so far."""
    total, waiting = 0, [process]
    while waiting:
        each = waiting.pop()
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
        waiting.extend(_children(each))
    return total / os.sysconf("SC_CLK_TCK")


def _children(process: int) -> list[int]:
    return [
        int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def measure(folder: Path, family: socket.AddressFamily) -> Iterator[dict[str, object]]:
    """The lines of one kind of socket."""
    unix = family == socket.AF_UNIX
    listener = socket.socket(family)
    listener.bind(str(folder / "ours.sock") if unix else ("127.0.0.1", 0))
    listener.listen(128)
    with ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        servers: Servers = {"ours": (stack.enter_context(ours(listener)), listener.getsockname())}
        if shutil.which("nginx") or Path("/usr/sbin/nginx").exists():
            address = str(folder / "nginx.sock") if unix else _free_port()
            listen = f"unix:{address}" if unix else f"127.0.0.1:{address[1]}"
            servers["nginx"] = (stack.enter_context(nginx(folder / "nginx", listen)), address)
        os.sched_setaffinity(0, _core(1))
        name = "http.get.unix" if unix else "http.get.tcp"
        yield _result(name, _rates(servers, POLL), floor=0.6, aim=0.9)
        if unix:
            yield _result(f"{name}.varied", _rates(servers, TURNS), floor=0.3, aim=0.6)


def _rates(servers: Servers, requests: list[bytes]) -> dict[str, list[float]]:
    """Requests per CPU-second of each server, a figure a window."""
    rates: dict[str, list[float]] = {name: [] for name in servers}
    for _, address in servers.values():
        load(address, requests, 0.3)
    for _ in range(WINDOWS):
        for name, (process, address) in servers.items():
            before = cpu_seconds(process)
            count = load(address, requests, SECONDS)
            rates[name].append(count / (cpu_seconds(process) - before))
    return rates


def _result(
    name: str, rates: dict[str, list[float]], *, floor: float, aim: float
) -> dict[str, object]:
    value = statistics.median(rates["ours"])
    baseline = statistics.median(rates["nginx"]) if "nginx" in rates else None
    pairs = zip(rates["ours"], rates.get("nginx", []), strict=False)
    ratio = statistics.median(own / peer for own, peer in pairs) if baseline else None
    return {
        "name": name,
        "value": round(value),
        "unit": "requests per CPU-second",
        "baseline": baseline and round(baseline),
        "ratio": ratio and round(ratio, 3),
        "floor": floor,
        "aim": aim,
    }


def _free_port() -> tuple[str, int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return "127.0.0.1", int(probe.getsockname()[1])


def _core(number: int) -> set[int]:
    cores = sorted(os.sched_getaffinity(0))
    return {cores[number % len(cores)]}


def main() -> int:
    """Print one JSON object a line."""
    with tempfile.TemporaryDirectory(prefix="http-") as folder:
        for family in (socket.AF_UNIX, socket.AF_INET):
            place = Path(folder) / family.name
            place.mkdir()
            for line in measure(place, family):
                print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
