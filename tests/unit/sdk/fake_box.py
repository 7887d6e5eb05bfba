"""A pretended arbiter and store on real unix sockets, which can be taken away and brought back."""

import contextlib
import json
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

STORE = "os-monitor-store"


class Service:
    """One service on one socket. `answer(method, path, key, body)` gives status and body."""

    def __init__(self, path: Path, answer: Any) -> None:
        self._path = path
        self._answer = answer
        self._server: socketserver.ThreadingUnixStreamServer | None = None
        self._open: list[Any] = []
        self.cut_answers = 0
        """How many requests to carry out and then hang up on, without an answer."""

    def start(self) -> None:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                service._open.append(self.connection)

            def reply(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                key = self.headers["X-Api-Key"]
                status, text = service._answer(self.command, self.path, key, body)
                if service.cut_answers:
                    service.cut_answers -= 1
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = reply  # noqa: N815 - the library calls them so

            def log_message(self, *_: Any) -> None:
                pass

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # a connection that the test cut

        self._path.unlink(missing_ok=True)
        self._server = Server(str(self._path), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for connection in self._open:
            with contextlib.suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)
        # As in the box: the socket stays where it is while the one behind it is away.
        self._open.clear()

    def forbid(self) -> None:
        """What the box does when the last permission ends."""
        self.stop()
        self._path.unlink()


class FakeBox:
    """An arbiter that mints counted tokens, and a store that keeps what it is given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arbiter = Service(folder / "arbiter.sock", self._arbiter)
        self.store = Service(folder / f"{STORE}.sock", self._store)
        self.export = Service(folder / "export-service.sock", self._export)
        self.minted = 0
        self.valid: dict[str, tuple[str, str]] = {}
        self.denied = False
        self.prefix = "token"
        self.catalogue: dict[str, Any] = {}
        self.records: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[tuple[int, int]] = []
        self.most = 10**9
        self.exported: list[Any] = []
        for service in (self.arbiter, self.store, self.export):
            service.start()

    def stop(self) -> None:
        for service in (self.arbiter, self.store, self.export):
            service.stop()

    def end_tokens(self) -> None:
        self.valid.clear()

    def _arbiter(self, method: str, path: str, key: str, body: bytes) -> tuple[int, bytes]:
        del method, path, key
        ask = json.loads(body)
        if self.denied:
            return 401, b"Insufficient route permissions"
        self.minted += 1
        token = f"{self.prefix}{self.minted}"
        self.valid[token] = (ask["method"], ask["path"])
        return 200, token.encode()

    def _store(self, method: str, path: str, key: str, body: bytes) -> tuple[int, bytes]:
        if self.valid.get(key) != (method, path):
            return 401, b"Invalid API key/token"
        if path == "/cat":
            item = json.loads(body)
            self.catalogue[item["href"]] = item
            return 201, b""
        source, _, what = path.strip("/").partition("/ts")
        records = self.records.setdefault(source, [])
        if method == "POST":
            records.append(json.loads(body))
            return 200, body
        if what == "/latest":
            return 200, json.dumps(records[-1:]).encode()
        span = json.loads(body)
        start, end = span["startTimestamp"], span["endTimestamp"]
        self.asked.append((start, end))
        found = [each for each in records if start <= each["timestamp"] <= end]
        return 200, json.dumps(found[: self.most]).encode()

    def _export(self, method: str, path: str, key: str, body: bytes) -> tuple[int, bytes]:
        del method, key
        ask = json.loads(body)
        if not ask["id"]:
            self.exported.append((ask["uri"], json.loads(ask["data"])))
            return 200, b'{"id": "one", "state": "Pending", "ext_response": {}}'
        assert path.startswith("/lp/export?timeout=")
        reply = {"status": "200 OK", "body": ""}
        return 200, json.dumps({"id": "one", "state": "Finished", "ext_response": reply}).encode()
