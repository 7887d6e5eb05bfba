"""Try every number that could be a socket family, but for the four that are allowed."""

import socket

from attempt import attempt, report

ALLOWED = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK}
KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET)

for family in range(64):
    for kind in KINDS:
        if family not in ALLOWED:
            attempt(f"{family}/{kind}", lambda a=family, b=kind: socket.socket(a, b).close())
report()
