"""Make a socket of each (label, family, type, protocol). Never connects: some leave the machine."""

import socket

from attempt import attempt, given, report

for label, family, kind, protocol in given():
    attempt(label, lambda what=(family, kind, protocol): socket.socket(*what).close())
report()
