"""Both load generators ask whole requests, read whole answers, and count alike."""

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.store import load
from bench.store.load import FALLBACK, SOURCE, Plan, Request, write_records

ANSWERS = {
    b"/length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"/none": b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
    b"/chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n",
    b"/refused": b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno",
}


class Server:
    """Answers each request by its path, in two pieces, and keeps what it was asked."""

    def __init__(self, path: Path) -> None:
        self.seen: list[tuple[bytes, bytes]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            while first := lines.readline():
                length = 0
                while (line := lines.readline()) != b"\r\n":
                    if line.startswith(b"Content-Length:"):
                        length = int(line.partition(b":")[2])
                path = first.split()[1]
                self.seen.append((path, lines.read(length)))
                answer = ANSWERS[path]
                connection.sendall(answer[:20])
                connection.sendall(answer[20:])


@pytest.fixture(params=["c", "python"])
def command(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, ...]:
    if request.param == "python":
        return (sys.executable, str(FALLBACK))
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler is here")
    program = tmp_path / "load"
    subprocess.run((compiler, "-O2", "-Werror", "-o", str(program), str(SOURCE)), check=True)
    return (str(program),)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    opened = Server(tmp_path / "sock")
    yield opened
    opened.close()


def ask(
    command: tuple[str, ...],
    folder: Path,
    path: bytes,
    *bodies: bytes,
    connections: int = 2,
    seconds: float = 0,
) -> dict[str, float]:
    head = b"POST %b HTTP/1.1\r\nHost: s\r\n" % path
    heads = write_records(folder / "heads", head)
    file = write_records(folder / "bodies", *bodies)
    numbers = (str(connections), str(seconds), "1500000000000")
    words = (str(folder / "sock"), str(heads), str(file), *numbers)
    done = subprocess.run((*command, *words), capture_output=True, check=True, timeout=30)
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("path", [b"/length", b"/none", b"/chunks"])
def test_each_body_is_sent_once(
    command: tuple[str, ...], server: Server, tmp_path: Path, path: bytes
) -> None:
    bodies = [b"%d" % number for number in range(20)]
    found = ask(command, tmp_path, path, *bodies)
    assert found["count"] == 20
    assert found["failed"] == 0
    assert found["received"] == 20 * len(ANSWERS[path])
    assert sorted(server.seen) == sorted((path, body) for body in bodies)


def test_each_request_has_a_time_of_its_own(
    command: tuple[str, ...], server: Server, tmp_path: Path
) -> None:
    ask(command, tmp_path, b"/none", b"t=" + b"@" * 13, b"t=" + b"@" * 13)
    assert sorted(body for _, body in server.seen) == [b"t=1500000000000", b"t=1500000000001"]


def test_it_asks_for_as_long_as_it_is_told(
    command: tuple[str, ...], server: Server, tmp_path: Path
) -> None:
    found = ask(command, tmp_path, b"/length", b"", seconds=0.2)
    assert 0.2 <= found["seconds"] < 5
    assert found["count"] == len(server.seen)
    assert 0 < found["p50"] <= found["p95"] <= found["p99"]


def test_refusals_are_counted(command: tuple[str, ...], server: Server, tmp_path: Path) -> None:
    assert ask(command, tmp_path, b"/refused", b"", b"")["failed"] == 2


def test_connections_take_turns_with_addresses(
    command: tuple[str, ...], server: Server, tmp_path: Path
) -> None:
    second = Server(tmp_path / "second")
    heads = [b"POST %b HTTP/1.1\r\nHost: s\r\n" % path for path in (b"/none", b"/length")]
    plan = Plan(
        Request((str(tmp_path / "sock"), str(tmp_path / "second")), tuple(heads)),
        write_records(tmp_path / "bodies", b"a", b"b", b"c", b"d"),
    )
    file = load.write_records(tmp_path / "heads", *plan.request.heads)
    words = (",".join(plan.request.addresses), str(file), str(plan.bodies), "2", "0", "0")
    subprocess.run((*command, *words), capture_output=True, check=True, timeout=30)
    assert {path for path, _ in server.seen} == {b"/none"}
    assert {path for path, _ in second.seen} == {b"/length"}
    second.close()
