"""Sites that are not the box's, all on loopback: strangers' pages, and a place outside."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

EMPTY = "<!doctype html><title>Elsewhere</title>"


class Site(ThreadingHTTPServer):
    """Serves every path from `pages`, else an empty page; remembers what it was asked."""

    daemon_threads = True

    def __init__(self, pages: dict[str, tuple[str, str]]) -> None:
        """`pages`: content type and content, by path."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages = pages
        self.asked: list[str] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def at(self, name: str) -> str:
        """Its origin under a name of this machine."""
        return f"http://{name}:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(self.path)
        length = int(self.headers.get("content-length", 0))
        self.rfile.read(length)
        kind, content = self.server.pages.get(
            path, ("text/html", "<!doctype html><title>x</title>")
        )
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(content.encode())

    do_GET = _answer  # noqa: N815 (the base class wants these names)
    do_POST = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def site(pages: dict[str, tuple[str, str]] | None = None) -> Iterator[Site]:
    """A site that answers while it is needed."""
    with Site(pages or {}) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class Outside:
    """A place that data must not reach.

    `heard`: what came, by the name of the way out, or its kind. A new list begins a new attempt:
    what is still on its way belongs to the old one.
    """

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._stream = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._stream.getsockname()[1])
        self._packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._packets.bind(("127.0.0.1", self.port))
        for work in (self._accept, self._receive):
            threading.Thread(target=work, daemon=True).start()

    @property
    def address(self) -> str:
        """Where pages find it."""
        return f"http://outside.localhost:{self.port}/"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._stream.accept()
                # Even a connection on which nothing is said has told something.
                heard = self.heard
                heard.append("tcp")
                told = (connection, heard, len(heard) - 1)
                threading.Thread(target=self._answer, args=told, daemon=True).start()

    def _answer(self, connection: socket.socket, heard: list[str], place: int) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(2)
            words = connection.recv(4096).partition(b"\r\n")[0].decode("latin-1").split(" ")
            if words[-1] != "HTTP/1.1":
                return
            query = parse_qs(urlsplit(words[1]).query)
            heard[place] = query.get("way", ["?"])[0]
            page = b"<!doctype html><title>Outside</title>"
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n"
            connection.sendall(head.encode() + b"Connection: close\r\n\r\n" + page)

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            while self._packets.recv(2048):
                self.heard.append("udp")

    def close(self) -> None:
        """Listen no more."""
        for listener in (self._stream, self._packets):
            # This wakes the thread that waits on it; closing alone does not.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
