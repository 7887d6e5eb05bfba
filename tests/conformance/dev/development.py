"""`databox dev` as a process of its own, and a plain HTTPS client beside it.

The client is the standard library's, which knows nothing of Databox: what it is told is what
any client of 2017 is told.
"""

import base64
import http.client
import itertools
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from websockets.sync.client import ClientConnection, connect

CM_KEY = base64.b64encode(b"k" * 32).decode()
FORM = "application/x-www-form-urlencoded"
STORES = ("demo", "other")

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def said(self) -> tuple[int, str]:
        """Status and text, as the tables of the interface give them."""
        return self.status, self.text

    def json(self) -> Any:
        """The body of a good answer."""
        assert self.status == 200, self.said
        return json.loads(self.text)


class Development:
    """Where the services are, and how to ask them. `authority`: the file of the CA."""

    def __init__(self, ports: dict[str, int], authority: Path) -> None:
        self.ports = ports
        self.authority = authority
        self.tls = ssl.create_default_context(cafile=str(authority))

    def ask(
        self,
        service: str,
        method: str,
        path: str,
        key: str | None = None,
        body: bytes | None = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send exactly this over a fresh connection."""
        connection = http.client.HTTPSConnection(service, timeout=10)
        connection.sock = self._secure(service)
        shown = {} if key is None else {"X-Api-Key": key}
        connection.request(method, path, body, {**shown, **(headers or {})})
        answer = connection.getresponse()
        try:
            return Answer(answer.status, answer.read().decode(), dict(answer.getheaders()))
        finally:
            connection.close()

    def send(self, service: str, method: str, path: str, key: str | None, value: object) -> Answer:
        """Send a JSON body, also with GET."""
        kind = {"Content-Type": "application/json"}
        return self.ask(service, method, path, key, json.dumps(value).encode(), headers=kind)

    def form(self, path: str, fields: dict[str, str], key: str | None = CM_KEY) -> Answer:
        """Post a form to the arbiter, as the container manager of 2017 does."""
        body = urlencode(fields).encode()
        return self.ask("arbiter", "POST", path, key, body, headers={"Content-Type": FORM})

    def manage(self, what: str, /, shown: str = CM_KEY, **fields: object) -> Answer:
        """Post JSON to the arbiter, by the manager's key."""
        return self.send("arbiter", "POST", f"/cm/{what}", shown, fields)

    def component(self, kind: str = "app") -> "Component":
        """A fresh component that the arbiter knows."""
        name = f"{kind}-{next(_numbers)}"
        key = base64.b64encode(os.urandom(32)).decode()
        assert self.manage("upsert-container-info", name=name, type=kind, key=key).status == 200
        return Component(self, name, key)

    def websocket(self, service: str, headers: dict[str, str]) -> ClientConnection:
        """An open WebSocket over TLS."""
        plain = socket.create_connection(("127.0.0.1", self.ports[service]), timeout=10)
        return connect(
            f"wss://{service}:{self.ports[service]}/ws",
            sock=plain,
            ssl=self.tls,
            server_hostname=service,
            additional_headers=headers,
            proxy=None,
        )

    def _secure(self, service: str) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.ports[service]), timeout=10)
        # Headers and body go out apart; without this the second waits for 40 ms.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.tls.wrap_socket(plain, server_hostname=service)


@dataclass(frozen=True, slots=True)
class Component:
    """A client of the arbiter with a key of its own."""

    development: Development
    name: str
    key: str

    def may(self, method: str, path: str, *caveats: str, target: str = "demo") -> None:
        """Grant it a route."""
        route = {"target": target, "path": path, "method": method}
        granted = self.development.manage(
            "grant-container-permissions", name=self.name, route=route, caveats=list(caveats)
        )
        assert granted.status == 200, granted.said

    def asks(self, method: str, path: str, target: str = "demo") -> Answer:
        """Ask for a token."""
        asked = {"target": target, "path": path, "method": method}
        return self.development.send("arbiter", "POST", "/token", self.key, asked)

    def token(self, method: str, path: str) -> str:
        """A token for the store `demo`."""
        answer = self.asks(method, path)
        assert answer.status == 200, answer.said
        return answer.text

    def get(self, path: str, body: object = None) -> Answer:
        """Read from the store `demo` under a token for exactly this path."""
        token = self.token("GET", path.partition("?")[0])
        if body is None:
            return self.development.ask("demo", "GET", path, token)
        return self.development.send("demo", "GET", path, token, body)

    def post(self, path: str, body: object) -> Answer:
        """Write to the store `demo` under a token for exactly this path."""
        return self.development.send("demo", "POST", path, self.token("POST", path), body)


def command(*words: str) -> dict[str, Any]:
    """How `databox dev` is started with these words, for `subprocess`."""
    return {
        "args": (sys.executable, "-m", "databox.cli", "dev", *words),
        "env": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "HOME": "/nonexistent"},
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }


@contextmanager
def development(folder: Path) -> Iterator[Development]:
    """An arbiter and two stores, until the test is done with them; ended by Ctrl-C."""
    key_file = folder / "cm.key"
    key_file.touch(mode=0o600)
    key_file.write_text(CM_KEY)
    stores = [word for name in STORES for word in ("--store", f"{name}=127.0.0.1:0")]
    words = ("--arbiter", "127.0.0.1:0", *stores, "--cm-key-file", str(key_file))
    process = subprocess.Popen(**command(*words))
    assert process.stdout is not None
    said = "".join(process.stdout.readline() for _ in range(len(STORES) + 2))
    places = re.findall(r"https://(\S+):(\d+) is at", said)
    authority = re.search(r"(/\S+\.pem)", said)
    if authority is None:
        raise AssertionError(said + process.communicate()[1])
    try:
        yield Development({name: int(port) for name, port in places}, Path(authority[1]))
    finally:
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=10)
    assert (process.returncode, complaints) == (0, "")
    assert not Path(authority[1]).exists()
