"""Send a datagram to a name server and wait for its answer; resolve a name."""

import socket

from attempt import attempt, given, report

host, port, name = given()


def ask() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(3)
        asker.sendto(b"query", (host, port))
        asker.recv(100)


attempt("ask", ask)
attempt("resolve", lambda: socket.getaddrinfo(name, 80))
report()
