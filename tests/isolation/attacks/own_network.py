"""Give loopback another address, take it down, and listen on ports that only root may have."""

import fcntl
import socket
import struct

from attempt import attempt, given, report

SIOCSIFADDR, SIOCSIFFLAGS = 0x8916, 0x8914


def request(number: int, payload: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, number, struct.pack("16s", b"lo") + payload.ljust(24, b"\0"))


def listen(host: str, port: int) -> None:
    with socket.socket() as server:
        server.bind((host, port))
        server.listen()


address = struct.pack("=HH4s", socket.AF_INET, 0, bytes([127, 0, 0, 1]))
attempt("flags", lambda: request(SIOCSIFFLAGS, struct.pack("=H", 1)))
attempt("address", lambda: request(SIOCSIFADDR, address))
for host, port in given():
    attempt(f"{host}:{port}", lambda host=host, port=port: listen(host, port))
report()
