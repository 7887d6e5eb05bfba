"""Components for which the test speaks: over their own pairs and with their own keys.

The component itself only shows its key on its screen. What a sandbox finds at
`/run/databox/<callee>.sock` is a file in the home folder, so requests can come from out here.
"""

import base64
import http.client
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.recovery.running import Answer, RunningBox, soon

MAIN = """
import base64, http.server, json, pathlib

KEY = base64.b64encode(pathlib.Path("/run/secrets/ARBITER_TOKEN").read_bytes()).decode()


class Screen(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"views": [{"type": "text", "text": KEY}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.HTTPServer(("127.0.0.1", 8080), Screen).serve_forever()
"""
RUN = {"command": ["python3", "main.py"], "port": 8080, "screen": "views"}


@dataclass(frozen=True)
class Spoken:
    """An installed component, spoken for by the test."""

    box: RunningBox
    name: str

    @property
    def key(self) -> str:
        """Its arbiter key, which it shows on its screen."""
        path = f"/api/apps/{self.name}/view"
        soon(lambda: self.box.get(path), within=20)
        return str(self.box.get(path)["views"][0]["text"])

    def socket(self, callee: str) -> Path:
        """Where its sandbox finds a callee."""
        return self.box.home / "run" / "peers" / self.name / f"{callee}.sock"

    def ask(
        self,
        callee: str,
        method: str,
        path: str,
        body: bytes = b"",
        credential: str = "",
        *,
        content_type: str = "application/json",
    ) -> tuple[int, bytes]:
        """One request as this component."""
        connection = _OverUnix(self.socket(callee))
        headers = {"Content-Type": content_type} if content_type else {}
        if credential:
            headers["X-Api-Key"] = credential
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def token_for(self, target: str, method: str, path: str, **more: object) -> str:
        """A token of the arbiter."""
        ask = {"target": target, "path": path, "method": method, **more}
        body = json.dumps(ask).encode()
        status, answer = self.ask("arbiter", "POST", "/token", body, self.key)
        assert status == 200, answer
        return answer.decode()

    def call(self, callee: str, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """One request with a token of its own; `body` as JSON."""
        token = self.token_for(callee, method, path.partition("?")[0])
        sent = b"" if body is None else json.dumps(body).encode()
        return self.ask(callee, method, path, sent, token)


def upload(box: RunningBox, files: dict[str, str], describe: str = "") -> Answer:
    """Upload a package."""
    encoded = {path: base64.b64encode(text.encode()).decode() for path, text in files.items()}
    return box.call("POST", "/api/packages", {"files": encoded, "describe": describe})


def install(box: RunningBox, name: str, *, choices: object = None, **fields: Any) -> Spoken:
    """Install a component that the test speaks for; `fields`: of its manifest."""
    manifest = {"name": name, "run": RUN, **fields}
    files = {"databox-manifest.json": json.dumps(manifest), "main.py": MAIN}
    status, package = upload(box, files)
    assert status == 200, package
    request = {**package, "choices": choices or {}, "text": "agreed"}
    status, answer = box.call("POST", "/api/install", request)
    assert status == 200, answer
    return Spoken(box, name)


class _OverUnix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=90)
        self._path = path

    def connect(self) -> None:
        self.sock = over_unix(self._path)


def over_unix(path: Path) -> socket.socket:
    """A connection to a socket at a path of any length, where the kernel takes 107 bytes."""
    connected = socket.socket(socket.AF_UNIX)
    connected.settimeout(90)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        connected.connect(f"/proc/self/fd/{folder}/{path.name}")
    except BaseException:
        connected.close()
        raise
    finally:
        os.close(folder)
    return connected
