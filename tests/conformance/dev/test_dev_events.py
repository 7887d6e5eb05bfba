"""Events over secure WebSockets, with a client that is not ours."""

import json

import pytest
from tests.conformance.dev.development import Component, Development
from websockets.sync.client import ClientConnection

NO_WEBSOCKET = (
    409,
    "No open WebSocket connection to client; "
    "WebSocket connection must exist before subscription requests",
)


@pytest.fixture
def app(dev: Development) -> Component:
    component = dev.component()
    for method in ("GET", "POST"):
        component.may(method, "/*")
    return component


def connected(app: Component) -> ClientConnection:
    return app.development.websocket("demo", {"X-Api-Key": app.token("GET", "/ws")})


def next_of(socket: ClientConnection) -> dict[str, object]:
    message: dict[str, object] = json.loads(socket.recv(timeout=5))
    return message


def is_silent(socket: ClientConnection) -> bool:
    try:
        socket.recv(timeout=0.2)
    except TimeoutError:
        return True
    return False


def test_subscribing_before_the_websocket_is_a_conflict(app: Component) -> None:
    assert app.get("/sub/early/ts").said == NO_WEBSOCKET
    assert app.get("/sub/early/kv").said == NO_WEBSOCKET


def test_readings_and_values_come_until_unsubscribed(app: Component) -> None:
    with connected(app) as socket:
        assert app.get("/sub/lamp/ts").said == (200, "")
        assert app.get("/sub/lamp/kv").said == (200, "")
        app.post("/lamp/ts", {"data": {"on": True}, "timestamp": 7})
        event = next_of(socket)
        found = (event["datasource_id"], event["data"], event["timestamp"])
        assert found == ("lamp", {"on": True}, 7)
        app.post("/lamp/kv", {"hue": 3})
        assert next_of(socket) == {"datasource_id": "lamp", "data": {"hue": 3}}
        assert app.get("/unsub/lamp/ts").said == (200, "")
        app.post("/lamp/ts", {"data": 1})
        assert is_silent(socket)


def test_clients_get_their_own_events_alone(dev: Development, app: Component) -> None:
    other = dev.component()
    other.may("GET", "/*")
    with connected(app) as mine, connected(other) as theirs:
        app.get("/sub/private/ts")
        app.post("/private/ts", {"data": 1})
        assert next_of(mine)["data"] == 1
        assert is_silent(theirs)


@pytest.mark.parametrize(
    ("key", "text"), [(None, "Missing API key/token"), ("x", "Invalid API key/token")]
)
def test_without_a_good_token_there_is_no_websocket(
    dev: Development, key: str | None, text: str
) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version": "13",
    }
    assert dev.ask("demo", "GET", "/ws", key, headers=upgrade).said == (401, text)


def test_a_plain_request_is_told_to_upgrade(app: Component) -> None:
    assert app.get("/ws").said == (426, "Connection must be over secure WebSockets")


def test_revoking_ends_the_websocket(dev: Development, app: Component) -> None:
    with connected(app) as socket:
        app.get("/sub/stopped/ts")
        route = {"target": "demo", "path": "/*", "method": "GET"}
        dev.manage("revoke-container-permissions", name=app.name, route=route)
        with pytest.raises(Exception, match="1008"):
            socket.recv(timeout=5)
