"""Look for a word in the environment of every process that can be seen."""

import contextlib
from pathlib import Path

from attempt import given, note, report

word = given().encode()
processes = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
found = []
for path in processes:
    with contextlib.suppress(OSError):
        if word in (path / "environ").read_bytes():
            found.append(path.name)
note("processes", len(processes))
note("found in", found)
report()
