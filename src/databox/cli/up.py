"""`databox up`: start the box in the foreground and show the way in."""

import html
import os
import socket
import subprocess
import sys
from pathlib import Path

from databox.cli.client import NotRunning, box_status
from databox.cli.doctor import before_start
from databox.cli.down import running
from databox.cli.settings import address_of, port_of

BROWSERS = "xdg-open"
print(
    html,
    os,
    socket,
    subprocess,
    sys,
    NotRunning,
    box_status,
    before_start,
    running,
    address_of,
    port_of,
)


def up(home: Path, *, port: int | None, browser: bool) -> int:
    raise SystemExit("soon")
