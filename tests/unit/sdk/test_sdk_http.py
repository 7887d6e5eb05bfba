import contextlib
import json
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.sdk.http import head
from databox.sdk.http.server import MAX_CONNECTIONS, Answer, Server
from databox.sdk.http.stream import Closed, Stream
from databox.wire.errors import BadRequest, TooLarge

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=1\r\nhell\r\n1\r\no\r\n0\r\n\r\n"
)


def read(text: bytes, *, limit: int = 1000, cut: int = 0) -> bytes:
    """The body of the message in `text`, sent in two pieces."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)
        theirs.sendall(text[:cut])
        theirs.sendall(text[cut:])
        theirs.shutdown(socket.SHUT_WR)
        return Stream(ours).read(limit).body


@given(st.integers(0, len(REPLY)))
def test_message_is_the_same_however_it_is_cut(cut: int) -> None:
    assert read(REPLY, cut=cut) == b"hello"


@given(st.integers(0, len(CHUNKED)))
def test_chunks_are_joined_however_they_are_cut(cut: int) -> None:
    assert read(CHUNKED, cut=cut) == b"hello"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_refused(text: bytes) -> None:
    with contextlib.suppress(BadRequest, Closed, ConnectionError):
        read(text + head.END)


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Content-Length : 5",
        "X: 1\r\n folded",
        "X: a\x00b",
        "\r\n".join(f"X{n}: 1" for n in range(200)),
    ],
)
def test_head_with_two_readings_is_refused(fields: str) -> None:
    with pytest.raises(BadRequest):
        read(f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\nhello".encode())


def test_body_over_the_limit_is_refused_by_its_length() -> None:
    with pytest.raises(TooLarge):
        read(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n")


def test_chunks_over_the_limit_together_are_refused() -> None:
    with pytest.raises(TooLarge):
        read(CHUNKED, limit=4)


def test_head_without_an_end_is_refused() -> None:
    with pytest.raises(BadRequest, match="too long"):
        read(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000)


@pytest.fixture
def port() -> Iterator[int]:
    """A server that says back what it was asked."""

    def echo(method: str, path: str, body: bytes) -> Answer:
        if path == "/fails":
            raise ValueError("a mistake in the app")
        return Answer(200, json.dumps([method, path, body.decode()]).encode())

    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener, echo)
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield listener.getsockname()[1]
    server.close()
    thread.join(5)


def ask(connection: socket.socket, text: bytes) -> tuple[str, bytes]:
    connection.sendall(text)
    message = Stream(connection).read(10_000)
    return message.head.start[1], message.body


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def test_server_answers_twice_on_one_connection(port: int) -> None:
    with dial(port) as connection:
        first = ask(connection, b"GET /a?x=1 HTTP/1.1\r\n\r\n")
        second = ask(connection, b"POST /b HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi")
    assert (first, second) == (("200", b'["GET", "/a", ""]'), ("200", b'["POST", "/b", "hi"]'))


def test_server_closes_when_it_is_asked_to(port: int) -> None:
    with dial(port) as connection:
        ask(connection, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert connection.recv(1) == b""


def test_server_refuses_what_is_not_http_and_closes(port: int) -> None:
    with dial(port) as connection:
        assert ask(connection, b"\x16\x03\x01\r\n\r\n")[0] == "400"
        assert connection.recv(1) == b""


def test_server_refuses_a_body_over_its_bound(port: int) -> None:
    with dial(port) as connection:
        assert ask(connection, b"POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n")[0] == "400"


def test_server_survives_a_handler_that_fails(
    port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with dial(port) as connection:
        assert ask(connection, b"GET /fails HTTP/1.1\r\n\r\n")[0] == "500"
        assert ask(connection, b"GET / HTTP/1.1\r\n\r\n")[0] == "200"
    assert "a mistake in the app" in capsys.readouterr().err


def test_server_turns_away_one_connection_too_many(port: int) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            held = stack.enter_context(dial(port))
            ask(held, b"GET / HTTP/1.1\r\n\r\n")
        late = stack.enter_context(dial(port))
        assert Stream(late).read(100).head.start[1] == "503"
