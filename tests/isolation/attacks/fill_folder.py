"""Fill a folder with `count` files of `size` bytes, then wait to be found."""

import os
import time

from attempt import given

folder, size, count = given()
block = b"x" * size
for number in range(count):
    with open(f"{folder}/{number}", "wb") as file:  # noqa: PTH123 - half the time of a Path
        file.write(block)
os.sync()
time.sleep(60)
