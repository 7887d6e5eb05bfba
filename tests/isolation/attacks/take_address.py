"""Listen where a name of the box points to, by every option that might allow it."""

import socket

from attempt import attempt, given, report

host, port = given()


def listen(*options: int) -> None:
    with socket.socket() as server:
        for option in options:
            server.setsockopt(socket.SOL_SOCKET, option, 1)
        server.bind((host, port))
        server.listen()


attempt("plain", listen)
attempt("reuse address", lambda: listen(socket.SO_REUSEADDR))
attempt("reuse port", lambda: listen(socket.SO_REUSEPORT))
attempt("both", lambda: listen(socket.SO_REUSEADDR, socket.SO_REUSEPORT))
report()
