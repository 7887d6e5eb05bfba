import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from databox.cli.client import Client, NotRunning, Operator, box_status, fill, operator
from databox.cli.status import look
from databox.wire import api
from databox.wire.errors import Denied


class Box(BaseHTTPRequestHandler):
    """Answers what the test puts into `answers`, and keeps what it was asked."""

    address: ClassVar[str]
    answers: ClassVar[dict[str, tuple[int, bytes]]]
    asked: ClassVar[list[tuple[str, str, dict[str, str], bytes]]]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.asked.append((self.command, self.path, headers, body))
        status, answer = self.answers[self.path.partition("?")[0]]
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = _answer  # noqa: N815 # the names that http.server calls

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def box() -> Iterator[type[Box]]:
    class Here(Box):
        answers: ClassVar = {}
        asked: ClassVar = []

    server = HTTPServer(("127.0.0.1", 0), Here)
    Here.address = f"http://databox.localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Here
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(box: type[Box]) -> Client:
    key = ec.generate_private_key(ec.SECP256R1())
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Client(Operator(box.address, "session-text", text))


def test_a_call_names_the_host_and_carries_session_and_proof(
    box: type[Box], client: Client
) -> None:
    box.answers["/api/grants"] = (200, b'{"grants":[]}')
    assert client.call("grants", query={"ended": "1"}) == api.Grants(grants=())
    [(method, path, headers, _)] = box.asked
    assert (method, path) == ("GET", "/api/grants?ended=1")
    assert headers["host"] == box.address.removeprefix("http://")
    assert headers["authorization"] == "DPoP session-text"
    assert headers["dpop"].count(".") == 2


def test_a_message_is_sent_as_json_of_the_table(box: type[Box], client: Client) -> None:
    box.answers["/api/stop-access"] = (200, b'{"ended":2,"took_ms":5}')
    reply = client.call("stop-access", api.StopAccessRequest(component="graph"))
    assert reply.ended == 2
    assert json.loads(box.asked[0][3])["component"] == "graph"


def test_a_name_fills_one_segment_of_the_path() -> None:
    assert fill("/api/components/{name}/log", {"name": "a/../b c"}) == (
        "/api/components/a%2F..%2Fb%20c/log"
    )


def test_a_refusal_keeps_its_words(box: type[Box], client: Client) -> None:
    refusal = {"error": {"code": "denied", "message": "no", "remedy": "Ask the owner"}}
    box.answers["/api/grants"] = (403, json.dumps(refusal).encode())
    with pytest.raises(Denied, match=r"no\. Ask the owner"):
        client.call("grants")


def test_an_answer_that_is_not_ours_is_told_by_its_status(box: type[Box], client: Client) -> None:
    box.answers["/api/grants"] = (403, b"<html>")
    with pytest.raises(Denied, match="403"):
        client.call("grants")


def test_nobody_at_the_address_is_said_with_what_to_do() -> None:
    with pytest.raises(NotRunning, match="databox up"):
        box_status("http://databox.localhost:1")


def test_another_program_at_the_address_is_noticed(box: type[Box]) -> None:
    box.answers["/api/status"] = (200, b"hello")
    with pytest.raises(NotRunning, match="something else"):
        box_status(box.address)


def test_without_a_session_file_the_box_is_not_running(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="sign in once"):
        operator(tmp_path)


def test_status_without_a_box_asks_nobody(tmp_path: Path, box: type[Box]) -> None:
    (tmp_path / "run").mkdir()
    # Left behind by a box that was killed: another program may listen there now.
    (tmp_path / "run" / "address").write_text(box.address)
    (tmp_path / "run" / "lock").write_text("1")
    assert look(tmp_path).state == "stopped"
    assert box.asked == []
