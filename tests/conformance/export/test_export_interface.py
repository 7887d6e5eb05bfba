"""The interface of 2017 over the pair of an app: exact texts and states, and one app's ids its own.

Source: the export service of the Databox project, March to April 2017.
"""

import contextlib
import json
import threading
import time
from typing import Any

import pytest
from tests.conformance.export.peers import Answer
from tests.conformance.export.world import BUSY, GOOD, SLOW, App, World, url_of
from tests.recovery.running import soon
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

PENDING = {"state": "Pending", "ext_response": {}}


@pytest.fixture(scope="module")
def app(whole_world: World) -> App:
    return whole_world.app("Sender", (GOOD, SLOW, BUSY))


@pytest.fixture(scope="module")
def other(whole_world: World) -> App:
    return whole_world.app("Other", (GOOD,))


def new(host: str, data: str = "1") -> dict[str, str]:
    return {"id": "", "uri": url_of(host), "data": data}


def known(number: str) -> dict[str, str]:
    return {"id": number, "uri": "", "data": ""}


def ok(answer: tuple[int, bytes]) -> dict[str, Any]:
    status, body = answer
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    assert set(found) == {"id", "state", "ext_response"}
    return found


def missing(number: str) -> tuple[int, bytes]:
    return 404, f"Can't find request with the id of {number}".encode()


def test_status_is_active_for_anybody(app: App) -> None:
    assert app.ask("export-service", "GET", "/status", b"", "") == (200, b"active")


@pytest.mark.parametrize("path", ["/export", "/lp/export"])
def test_a_new_request_is_pending_at_once(outside: World, app: App, path: str) -> None:
    began = time.monotonic()
    found = ok(app.post(path, new(GOOD)))
    assert time.monotonic() - began < 3
    assert {**found, "id": ""} == {"id": "", **PENDING}
    assert len(found["id"]) == 36


def test_polling_tells_the_result_once(outside: World, app: App) -> None:
    number = ok(app.post("/export", new(GOOD)))["id"]
    outside.until(number, "sent")
    finished = {"id": number, "state": "Finished"}
    reply = {"ext_response": {"status": "200 OK", "body": ""}}
    assert ok(app.post("/export", known(number))) == finished | reply
    assert app.post("/export", known(number)) == missing(number)


def test_polling_tells_that_it_is_on_its_way(outside: World, app: App) -> None:
    outside.peers[BUSY].answer = Answer(503)
    number = ok(app.post("/export", new(BUSY)))["id"]
    outside.until(number, "retrying")
    found = ok(app.post("/export", known(number)))
    assert found == {"id": number, "state": "Processing", "ext_response": {}}


def test_a_later_request_waits_for_the_earlier_ones(outside: World, app: App) -> None:
    outside.peers[BUSY].answer = Answer(503)
    first = ok(app.post("/export", new(BUSY)))["id"]
    outside.until(first, "retrying")
    second = ok(app.post("/export", new(GOOD)))["id"]
    assert ok(app.post("/export", known(second)))["state"] == "Pending"
    outside.clear()
    soon(lambda: outside.export(second)["state"] in ("sent", "cancelled"))


def test_long_polling_waits_for_the_end(outside: World, app: App) -> None:
    go_on = threading.Event()
    outside.peers[SLOW].answer = Answer(201, after=go_on)
    number = ok(app.post("/lp/export", new(SLOW)))["id"]
    soon(lambda: outside.export(number)["state"] == "sending")
    began = time.monotonic()
    threading.Timer(1.0, go_on.set).start()
    found = ok(app.post("/lp/export?timeout=20", known(number)))
    assert 0.9 < time.monotonic() - began < 10
    assert found["state"] == "Finished"
    assert found["ext_response"] == {"status": "201 Created", "body": ""}
    assert app.post("/lp/export", known(number)) == missing(number)


def test_long_polling_ends_after_the_time_asked(outside: World, app: App) -> None:
    outside.peers[BUSY].answer = Answer(503)
    number = ok(app.post("/lp/export", new(BUSY)))["id"]
    outside.until(number, "retrying")
    began = time.monotonic()
    assert ok(app.post("/lp/export?timeout=0.5", known(number)))["state"] == "Processing"
    assert 0.4 < time.monotonic() - began < 3


@pytest.mark.parametrize("timeout", ["nan", "soon", ""])
def test_a_time_that_is_none_is_refused(app: App, timeout: str) -> None:
    status, text = app.post(f"/lp/export?timeout={timeout}", known("x"), app.token("/lp/export"))
    assert (status, text[:7]) == (404, b"timeout")


def test_an_unknown_id_is_not_found(app: App) -> None:
    assert app.post("/export", known("nobodys")) == missing("nobodys")
    assert app.post("/lp/export", known("nobodys")) == missing("nobodys")


def test_another_client_cannot_see_an_id(outside: World, app: App, other: App) -> None:
    outside.peers[BUSY].answer = Answer(503)
    number = ok(app.post("/export", new(BUSY)))["id"]
    assert other.post("/export", known(number)) == missing(number)
    assert other.post("/lp/export?timeout=1", known(number)) == missing(number)
    with other.websocket() as opened:
        opened.send(json.dumps(known(number)))
        assert opened.recv(5) == f"not recognized id: {number}"
    assert ok(app.post("/export", known(number)))["id"] == number, "the control: its own can"


def test_another_clients_token_is_of_no_use(app: App, other: App) -> None:
    stolen = app.token("/export")
    assert other.post("/export", new(GOOD), stolen) == (401, b"Invalid API key/token")


def test_a_token_is_needed(app: App) -> None:
    assert app.post("/export", new(GOOD), "") == (401, b"Missing API key/token")


@pytest.mark.parametrize(
    "make",
    [
        lambda token: "x",
        lambda token: token[:-8],
        lambda token: token + "A" * 8,
        lambda token: "A" * 1_000_000,
    ],
    ids=["no token", "cut short", "too long", "a megabyte"],
)
def test_a_token_that_is_none_is_refused(app: App, make: Any) -> None:
    status, text = app.post("/export", new(GOOD), make(app.token("/export")))
    assert (status, text) == (401, b"Invalid API key/token") or status == 431


def test_a_token_for_one_path_does_not_open_another(app: App) -> None:
    token = app.token("/export")
    assert app.post("/lp/export", new(GOOD), token) == (401, b"Invalid API key/token")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"id": 1}', b'{"id": ""}', b'{"id": "", "uri": "", "data": "1"}', b"\xff"],
)
def test_what_is_no_request_is_refused_with_its_reason(app: App, body: bytes) -> None:
    status, text = app.post("/export", body)
    assert status == 404
    assert b"Send {id, uri, data}" in text


@pytest.mark.parametrize("data", ["", "{", "word", '"\\ud800"', "[" * 100_000])
def test_data_that_is_no_json_is_refused(outside: World, app: App, data: str) -> None:
    before = outside.exports()
    status, text = app.post("/export", new(GOOD, data))
    assert (status, text[:28]) == (404, b"data: data must be JSON text")
    assert outside.exports() == before


def test_too_much_data_is_refused(outside: World, app: App) -> None:
    before = outside.exports()
    status, text = app.post("/export", new(GOOD, json.dumps("x" * 600_000)))
    assert status == 413
    assert b"too much for one export" in text
    status, text = app.post("/export", new(GOOD, json.dumps("x" * 2_000_000)))
    assert status == 413
    assert outside.exports() == before


@pytest.mark.parametrize("path", ["/export/", "/EXPORT", "/lp/Export/"])
def test_paths_are_read_as_in_2017(outside: World, app: App, path: str) -> None:
    plain = path.lower().rstrip("/")
    assert ok(app.post(path, new(GOOD), app.token(plain)))["state"] == "Pending"


# The WebSocket.


def frame(opened: ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(opened.recv(20))
    return found


def test_every_change_of_state_is_pushed(outside: World, app: App) -> None:
    go_on = threading.Event()
    outside.peers[SLOW].answer = Answer(200, after=go_on)
    with app.websocket() as opened:
        opened.send(json.dumps(new(SLOW)))
        first = frame(opened)
        assert {**first, "id": ""} == {"id": "", **PENDING}
        number = first["id"]
        assert frame(opened) == {"id": number, "state": "Processing", "ext_response": {}}
        go_on.set()
        reply = {"status": "200 OK", "body": ""}
        assert frame(opened) == {"id": number, "state": "Finished", "ext_response": reply}
    assert app.post("/export", known(number)) == missing(number), "delivered once"


def test_what_another_socket_sent_is_not_pushed(outside: World, app: App) -> None:
    with app.websocket() as one, app.websocket() as two:
        one.send(json.dumps(new(GOOD)))
        states = [frame(one)["state"] for _ in range(3)]
        assert states == ["Pending", "Processing", "Finished"]
        with pytest.raises(TimeoutError):
            two.recv(0.3)


def test_bad_frames_get_a_text_and_the_socket_goes_on(outside: World, app: App) -> None:
    with app.websocket() as opened:
        opened.send("{")
        assert "Send {id, uri, data}" in opened.recv(5)
        opened.send(json.dumps(known("nobodys")))
        assert opened.recv(5) == "not recognized id: nobodys"
        opened.send(json.dumps({**new(GOOD), "uri": "https://elsewhere.test.example/"}))
        assert opened.recv(5) == "Invalid API key/token"
        opened.ping().wait(5)
        opened.send(json.dumps(new(GOOD)))
        assert frame(opened)["state"] == "Pending"


@pytest.mark.parametrize("token", ["", "x"])
def test_a_socket_needs_a_token(app: App, token: str) -> None:
    with pytest.raises(InvalidStatus) as refused, app.websocket(token):
        pass
    assert refused.value.response.status_code == 401
    assert refused.value.response.body == b"Missing/Invalide API key/token"


def test_an_open_socket_sends_nothing_once_access_was_stopped(outside: World) -> None:
    late = outside.app("Late", (GOOD,))
    with late.websocket() as opened:
        opened.send(json.dumps(new(GOOD)))
        states = [frame(opened)["state"] for _ in range(3)]
        assert states[-1] == "Finished"
        came = len(outside.peers[GOOD].came)
        outside.ok("POST", "/api/stop-access", {"component": "late"})
        with contextlib.suppress(ConnectionClosed):
            opened.send(json.dumps(new(GOOD)))
            assert opened.recv(5) == "Invalid API key/token"
    assert len(outside.peers[GOOD].came) == came
    assert not [each for each in outside.exports() if each["state"] in ("queued", "sending")]
