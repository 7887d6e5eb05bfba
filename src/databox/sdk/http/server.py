"""The small web server behind an app's screen, reachable by the box alone.

A thread a connection, few connections, everything bounded: the only client is the gateway.
"""

import socket
import threading
import traceback
from collections.abc import Callable
from typing import NamedTuple

from databox.sdk.http.stream import Closed, Message, Stream
from databox.wire.errors import BadRequest

MAX_BODY = 64 * 1024
MAX_CONNECTIONS = 8
IDLE_SECONDS = 75.0

REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Answer(NamedTuple):
    """What a handler gives."""

    status: int
    body: bytes
    content_type: str = "application/json"


Handler = Callable[[str, str, bytes], Answer]
"""Takes method, path without query, and body."""


class Server:
    """Serves one listening socket until it is closed."""

    def __init__(self, listener: socket.socket, handler: Handler) -> None:
        self._listener = listener
        self._handler = handler
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def serve(self) -> None:
        """Accept connections until `close`."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._free.acquire(blocking=False):
                threading.Thread(target=self._work, args=(connection,), daemon=True).start()
            else:
                with connection:
                    _write(connection, Answer(503, b"{}"), keep=False)

    def close(self) -> None:
        """Stop accepting."""
        # Closing alone does not wake a thread that waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _work(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(IDLE_SECONDS)
                self._converse(connection)
        except (OSError, Closed):
            pass  # the other side went away, as it may at any time
        finally:
            self._free.release()

    def _converse(self, connection: socket.socket) -> None:
        stream = Stream(connection)
        keep = True
        while keep:
            try:
                message = stream.read(MAX_BODY)
            except BadRequest as error:
                _write(connection, Answer(400, str(error).encode(), "text/plain"), keep=False)
                return
            keep = message.head.keep_alive
            _write(connection, self._answer(message), keep=keep)

    def _answer(self, message: Message) -> Answer:
        method, target, _ = message.head.start
        try:
            return self._handler(method, target.partition("?")[0], message.body)
        except Exception:  # noqa: BLE001 - the edge of the service: one request must not end it
            traceback.print_exc()
            return Answer(500, b'{"error": {"code": "error", "message": "the app failed"}}')


def _write(connection: socket.socket, answer: Answer, *, keep: bool) -> None:
    head = (
        f"HTTP/1.1 {answer.status} {REASONS[answer.status]}\r\n"
        f"Content-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\n"
        "Cache-Control: no-store\r\n"
        f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
    )
    connection.sendall(head.encode() + answer.body)
