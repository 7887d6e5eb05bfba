"""List the interfaces by netlink, then try to take one down."""

import os
import socket
import struct

from attempt import attempt, note, report

GETLINK, NEWLINK, NEWADDR = 18, 16, 20
REQUEST, ACK, DUMP = 1, 4, 0x300
IFLA_IFNAME = 3
UP = 1


def talk(kind: int, flags: int, body: bytes) -> bytes:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.settimeout(3)
        link.send(struct.pack("=IHHII", 16 + len(body), kind, REQUEST | flags, 1, 0) + body)
        return link.recv(65536)


def names() -> list[str]:
    answer, found = talk(GETLINK, DUMP, struct.pack("=BBHiII", 0, 0, 0, 0, 0, 0)), []
    while len(answer) >= 16:
        length, kind = struct.unpack_from("=IH", answer)
        if kind == NEWLINK:
            at = 32
            while at + 4 <= length:
                size, what = struct.unpack_from("=HH", answer, at)
                if what == IFLA_IFNAME:
                    found.append(answer[at + 4 : at + size - 1].decode())
                at += (size + 3) & ~3
        answer = answer[(length + 3) & ~3 :]
    return found


def acknowledged(kind: int, body: bytes) -> None:
    (error,) = struct.unpack_from("=i", talk(kind, ACK, body), 16)
    if error:
        raise OSError(-error, os.strerror(-error))


note("interfaces", names())
attempt("take lo down", lambda: acknowledged(NEWLINK, struct.pack("=BBHiII", 0, 0, 0, 1, 0, UP)))
address = struct.pack("=HH4s", 8, 2, bytes([10, 0, 0, 1]))
attempt(
    "add address", lambda: acknowledged(NEWADDR, struct.pack("=BBBBi", 2, 32, 0, 0, 1) + address)
)
report()
