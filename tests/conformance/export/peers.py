"""Destinations on loopback: TLS servers that a test tells how to behave and asks what came."""

import contextlib
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Came:
    """One request that reached a destination."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What a destination says. `after`: it waits for this first."""

    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()
    after: threading.Event | None = None


@dataclass
class Peer:
    """One destination. It has its port from the beginning, and listens once it is `up`."""

    leaf: bytes
    answer: Answer = field(default_factory=Answer)
    came: list[Came] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._server = _Server(self)
        self.port: int = self._server.server_address[1]
        self._thread: threading.Thread | None = None

    @property
    def connections(self) -> int:
        """How many there were, also those without a request."""
        return self._server.connections

    def up(self) -> "Peer":
        """Listen from now on."""
        self._server.server_activate()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def close(self) -> None:
        """End it."""
        if self.answer.after is not None:
            self.answer.after.set()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.connections = 0
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.server_bind()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            file.write(peer.leaf)
            file.flush()
            self._context.load_cert_chain(file.name)

    def get_request(self) -> tuple[socket.socket, Any]:
        accepted, address = super().get_request()
        self.connections += 1
        accepted.settimeout(30)
        wrapped = self._context.wrap_socket(
            accepted, server_side=True, do_handshake_on_connect=False
        )
        return wrapped, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust us hangs up: that is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        peer = self.server.peer
        peer.came.append(Came(self.command, self.path, headers, body))
        answer = peer.answer
        if answer.after is not None:
            answer.after.wait(30)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST  # noqa: N815 - the library calls it so

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextlib.contextmanager
def folder_for_everybody() -> Iterator[Path]:
    """A folder that the parts' own uids can read."""
    with tempfile.TemporaryDirectory(prefix="databox-peers-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
