"""`databox dev` from outside, as a client of 2017 would see it."""

import base64
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from databox.cli import dev
from databox.wire.errors import BadRequest, Conflict, NotFound

KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "cm.key"
    file.write_text(KEY + "\n")
    file.chmod(0o600)
    return file


class Development:
    """A running `databox dev`: where its services are, and how to ask them."""

    def __init__(self, ports: dict[str, int], authority: str) -> None:
        self.ports = ports
        self.tls = ssl.create_default_context(cafile=authority)

    def ask(
        self, service: str, method: str, path: str, key: str, body: object = None
    ) -> tuple[int, str]:
        with socket.create_connection(("127.0.0.1", self.ports[service])) as plain:
            connection = http.client.HTTPSConnection(service, timeout=10)
            connection.sock = self.tls.wrap_socket(plain, server_hostname=service)
            headers = {"X-Api-Key": key, "Content-Type": "application/json"}
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, headers)
            answer = connection.getresponse()
            try:
                return answer.status, answer.read().decode()
            finally:
                connection.close()

    def manage(self, what: str, **fields: object) -> None:
        status, text = self.ask("arbiter", "POST", f"/cm/{what}", KEY, fields)
        assert status == 200, text


@pytest.fixture
def development(key_file: Path) -> Iterator[Development]:
    words = ("--arbiter", "localhost:0", "--store", "demo=127.0.0.1:0", "--cm-key-file")
    with subprocess.Popen(
        (sys.executable, "-m", "databox.cli", "dev", *words, str(key_file)),
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "HOME": "/tmp"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(3)]
        places = re.findall(r"https://(\S+):(\d+) is at", "".join(said))
        authority = said[2].split()[-1].rstrip(".")
        yield Development({name: int(port) for name, port in places}, authority)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert not Path(authority).exists()


def test_an_app_writes_and_reads_under_a_grant_and_no_more_once_it_is_revoked(
    development: Development,
) -> None:
    app = base64.b64encode(b"a" * 32).decode()
    development.manage("upsert-container-info", name="app", type="app", key=app)
    for method in ("GET", "POST"):
        route = {"target": "demo", "path": "/*", "method": method}
        development.manage("grant-container-permissions", name="app", route=route)

    def token(method: str, path: str) -> str:
        asked = {"target": "demo", "path": path, "method": method}
        status, text = development.ask("arbiter", "POST", "/token", app, asked)
        assert status == 200, text
        return text

    write, read = token("POST", "/cpu/ts"), token("GET", "/cpu/ts/latest")
    assert development.ask("demo", "POST", "/cpu/ts", write, {"data": 42})[0] == 200
    status, text = development.ask("demo", "GET", "/cpu/ts/latest", read)
    assert (status, json.loads(text)[0]["data"]) == (200, 42)
    route = {"target": "demo", "path": "/*", "method": "GET"}
    development.manage("revoke-container-permissions", name="app", route=route)
    for _ in range(100):
        status, text = development.ask("demo", "GET", "/cpu/ts/latest", read)
        if status == 401:
            break
    assert (status, text) == (401, "Invalid API key/token")


def test_the_root_catalogue_names_the_store_with_its_own_port(development: Development) -> None:
    status, text = development.ask("arbiter", "GET", "/cat", KEY)
    [item] = json.loads(text)["items"]
    assert (status, item["href"]) == (200, f"https://demo:{development.ports['demo']}")


def test_without_a_key_nothing_is_told(development: Development) -> None:
    assert development.ask("demo", "GET", "/cat", "") == (401, "Missing API key/token")


@pytest.mark.parametrize(
    "words", ["demo", "demo=", "demo=localhost", "demo=localhost:x", "De=::1:1"]
)
def test_words_that_are_no_store_are_refused(words: str) -> None:
    with pytest.raises(BadRequest):
        dev.store_place(words)


@pytest.mark.parametrize("where", ["0.0.0.0:1", "192.0.2.1:1", "[::]:1"])
def test_an_address_outside_loopback_is_refused(where: str) -> None:
    with pytest.raises(BadRequest):
        dev.place("arbiter", where)


def test_a_key_that_others_can_read_is_refused_with_the_remedy(key_file: Path) -> None:
    key_file.chmod(0o640)
    with pytest.raises(Conflict, match="chmod 600"):
        dev.read_key(key_file)


def test_a_key_that_is_none_is_refused(key_file: Path) -> None:
    key_file.write_text("hello")
    with pytest.raises(BadRequest, match="base64 of 32 bytes"):
        dev.read_key(key_file)
    with pytest.raises(NotFound):
        dev.read_key(key_file.with_name("other"))
