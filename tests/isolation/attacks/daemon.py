"""Leave a process behind that ignores every polite signal, then end, or wait for ever."""

import os
import signal
import sys
import time
from pathlib import Path

from attempt import given

for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    time.sleep(600)
Path("/var/ready").touch()
if given() == "wait":
    time.sleep(600)
sys.exit(7)
