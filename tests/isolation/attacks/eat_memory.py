"""Take memory, 1 MiB at a time, in `processes` processes at once; the first one waits for all."""

import os
import sys
import time

from attempt import given

processes, bound = given()
for _ in range(processes - 1):
    if os.fork() == 0:
        break
taken = []
try:
    for _ in range(bound):
        taken.append(b"x" * 1024 * 1024)
except MemoryError:
    taken.clear()
    print("MemoryError", flush=True)
    sys.exit(3)
time.sleep(60)
