"""Stopping access holds whatever state the source is in: seen from the app that loses it.

Each test prints how long it took from the owner's click to the refusal.
"""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from tests.recovery.conftest import make_home
from tests.recovery.running import gone, soon
from tests.recovery.speaking import Spoken, install, over_unix
from tests.recovery.test_canaries import catalogue_item
from tests.recovery.test_sleeping_stores import SleepyBox, sleep, websocket
from websockets.exceptions import ConnectionClosed

STORE, SOURCES = "diary-store", ("day", "night")
DAY = "/day/ts/latest"
LONG = "/day/ts/since?startTimestamp=0"
DOCUMENT, DOCUMENTS = "x" * 50_000, 60
"""Together 3 MB: more than the buffers between the store and an app that does not read can hold."""
IN_THE_KERNEL = 400_000
"""More than a socket's own buffer holds: such bytes have left, and nobody can call them back."""
AT_ONCE = 1.0
WITH_A_KILL = 3.0
"""Seconds: the second that is waited for an answer, with room for a busy machine."""


@pytest.fixture(scope="module")
def driver() -> Iterator[Spoken]:
    for home in make_home():
        with SleepyBox(home) as box:
            box.set_up()
            made = install(box, "diary", **{"databox-type": "driver"})
            for source in SOURCES:
                item = catalogue_item(STORE, source, source)
                assert made.call(STORE, "POST", "/cat", item)[0] in (200, 201)
            token = made.token_for(STORE, "POST", "/day/ts")
            for number in range(DOCUMENTS):
                body = json.dumps({"timestamp": number, "data": DOCUMENT}).encode()
                assert made.ask(STORE, "POST", "/day/ts", body, token)[0] == 200
            yield made


@pytest.fixture
def app(driver: Spoken, request: pytest.FixtureRequest) -> Iterator[Spoken]:
    """An app that may see both sources; the store is awake."""
    asks = [{"type": "diary", "clientid": source.upper()} for source in SOURCES]
    sources = [{"clientid": s.upper(), "store": STORE, "source": s} for s in SOURCES]
    name = f"reader-{abs(hash(request.node.name)) % 10**6}"
    made = install(driver.box, name, datasources=asks, choices={"sources": sources})
    assert made.call(STORE, "GET", DAY)[0] == 200, "the control: it may"
    yield made
    status, _ = driver.box.call("POST", f"/api/components/{name}/uninstall", {"keep": False})
    assert status == 200


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[str, float], None]:
    def tell(what: str, seconds: float) -> None:
        with capsys.disabled():
            print(f"\nstop access, {what}: {1000 * seconds:.0f} ms", end=" ")

    return tell


def stop(app: Spoken, **named: str) -> float:
    """Stop its access, all or what is named; gives the seconds until the owner has the answer."""
    began = time.monotonic()
    status, answer = app.box.call("POST", "/api/stop-access", {"component": app.name, **named})
    assert status == 200, answer
    assert answer["ended"] >= 1
    return time.monotonic() - began


def refused(app: Spoken, token: str) -> bool:
    """Whether the app gets nothing: its pair is gone, or its token does not open any more."""
    try:
        return app.ask(STORE, "GET", DAY, b"", token)[0] == 401
    except OSError:
        return True


def only_day(app: Spoken, token: str) -> bool:
    """Whether just the one source is refused."""
    return refused(app, token) and app.call(STORE, "GET", "/night/ts/latest")[0] == 200


def test_running(app: Spoken, told: Callable[[str, float], None]) -> None:
    token = app.token_for(STORE, "GET", DAY)
    took = stop(app)
    assert refused(app, token)
    told("running store", took)
    assert took < AT_ONCE


def test_one_of_two_sources_of_a_running_store(
    app: Spoken, told: Callable[[str, float], None]
) -> None:
    token = app.token_for(STORE, "GET", DAY)
    took = stop(app, source="day")
    assert only_day(app, token)
    told("one of two sources", took)
    assert took < AT_ONCE


def test_sleeping(app: Spoken, told: Callable[[str, float], None]) -> None:
    token = app.token_for(STORE, "GET", DAY)
    sleep(app)
    took = stop(app, source="day")
    assert only_day(app, token)
    told("sleeping store", took)
    assert took < AT_ONCE


def test_sleeping_while_the_manager_cannot_tell_it(
    app: Spoken, told: Callable[[str, float], None]
) -> None:
    """The arbiter's word is enough: a store asks it before its first answer."""
    token = app.token_for(STORE, "GET", DAY)
    sleep(app)
    manager = app.box.pid_of("manager")
    grant = next(
        each["id"]
        for each in app.box.get("/api/grants")["grants"]
        if (each["client"], each["source"]) == (app.name, "day")
    )
    killer = threading.Timer(0.005, os.kill, (manager, signal.SIGKILL))
    killer.start()
    # It falls at some point of ending the grant, and the owner asks again.
    app.box.call("POST", "/api/stop-access", {"grant": grant})
    killer.join()
    soon(lambda: app.box.pid_of("manager") != manager)
    soon(lambda: app.box.call("POST", "/api/stop-access", {"grant": grant})[0] == 200, within=10)
    assert refused(app, token)


def test_hung(app: Spoken, told: Callable[[str, float], None]) -> None:
    token = app.token_for(STORE, "GET", DAY)
    hung = app.box.pid_of(STORE)
    os.kill(hung, signal.SIGSTOP)
    took = stop(app, source="day")
    assert gone(hung), "killed, so that it cannot wake up and answer"
    assert only_day(app, token)
    told("hung store", took)
    assert took < WITH_A_KILL


def test_restarting(app: Spoken, told: Callable[[str, float], None]) -> None:
    token = app.token_for(STORE, "GET", DAY)
    os.kill(app.box.pid_of(STORE), signal.SIGKILL)
    took = stop(app, source="day")
    assert only_day(app, token)
    told("restarting store", took)
    assert took < WITH_A_KILL


def test_half_sent_answer(app: Spoken, told: Callable[[str, float], None]) -> None:
    connection, answer = begin(app, LONG)
    with connection:
        seconds = stop(app, source="day")
        assert ends_early(connection, answer) < AT_ONCE
    told("answer half sent", seconds)
    assert seconds < AT_ONCE


def test_open_websocket(app: Spoken, told: Callable[[str, float], None]) -> None:
    with websocket(app, app.token_for(STORE, "GET", "/ws")) as events:
        assert app.call(STORE, "GET", "/sub/day/ts")[0] == 200
        took = stop(app)
        with pytest.raises(ConnectionClosed):
            events.recv(timeout=AT_ONCE)
    told("open WebSocket", took)
    assert took < AT_ONCE


def test_open_tail(app: Spoken, told: Callable[[str, float], None]) -> None:
    connection, _ = begin(app, "/day/ts/tail")
    with connection:
        took = stop(app, source="day")
        connection.settimeout(AT_ONCE)
        while connection.recv(65536):
            pass
    told("open tail", took)
    assert took < AT_ONCE


def test_hung_with_an_answer_half_sent(app: Spoken, told: Callable[[str, float], None]) -> None:
    connection, answer = begin(app, LONG)
    hung = app.box.pid_of(STORE)
    with connection:
        os.kill(hung, signal.SIGSTOP)
        took = stop(app, source="day")
        assert gone(hung)
        assert ends_early(connection, answer) < AT_ONCE
    told("hung with an answer half sent", took)
    assert took < WITH_A_KILL


def test_while_something_is_being_installed(
    app: Spoken, told: Callable[[str, float], None]
) -> None:
    """An installation keeps its turn while its package is compiled; stopping does not wait."""
    token = app.token_for(STORE, "GET", DAY)
    done = threading.Event()

    def install_much() -> None:
        for _ in range(2):
            app.box.install("computer-graph")
            app.box.call("POST", "/api/components/computer-graph/uninstall", {"keep": False})
        done.set()

    installing = threading.Thread(target=install_much)
    installing.start()
    time.sleep(0.2)
    assert not done.is_set(), "the control: it takes longer than that"
    took = stop(app)
    assert not done.is_set(), "the control: it was under way"
    assert refused(app, token)
    installing.join()
    told("during an installation", took)
    assert took < AT_ONCE


def begin(app: Spoken, path: str) -> tuple[socket.socket, bytes]:
    """Ask for a long answer and take only its beginning."""
    token = app.token_for(STORE, "GET", path.partition("?")[0])
    connection = over_unix(app.socket(STORE))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {token}\r\n\r\n".encode())
    answer = connection.recv(1024)
    assert answer.startswith(b"HTTP/1.1 200")
    return connection, answer


def ends_early(connection: socket.socket, answer: bytes) -> float:
    """Read on to the end of the connection, which must come before that of the answer."""
    began = time.monotonic()
    size = len(answer)
    connection.settimeout(2 * AT_ONCE)
    try:
        while part := connection.recv(1 << 20):
            size += len(part)
            assert not part.endswith(b"\r\n0\r\n\r\n"), "it was sent to its end"
    except ConnectionResetError:
        pass
    assert size < IN_THE_KERNEL, "nothing of what the store still held has left"
    return time.monotonic() - began
