"""Start processes until the kernel refuses, at most 500, and keep them; then tell how many."""

import os
import time

from attempt import attempt, note, report

started = []


def bomb() -> None:
    while len(started) < 500:
        pid = os.fork()
        if pid == 0:
            time.sleep(30)
            os._exit(0)
        started.append(pid)


attempt("bomb", bomb)
note("started", len(started))
report()
