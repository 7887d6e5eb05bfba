"""Use every processor for `seconds`."""

import os
import time

from attempt import given

for _ in range(3):
    if os.fork() == 0:
        break
end = time.monotonic() + given()
while time.monotonic() < end:
    pass
