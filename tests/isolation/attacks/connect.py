"""Connect by TCP to each (label, host, port)."""

import socket

from attempt import attempt, given, report

for label, host, port in given():
    attempt(label, lambda host=host, port=port: socket.create_connection((host, port), 3).close())
report()
