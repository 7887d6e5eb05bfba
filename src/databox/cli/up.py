"""`databox up`: start the box in the foreground, and end it on Ctrl-C."""

import sys
from pathlib import Path

from databox.cli.doctor import before_start, line
from databox.cli.down import running
from databox.cli.settings import address_of, port_of
from databox.cli.way_in import WayIn


def up(home: Path, *, port: int | None, browser: bool) -> int:
    """Run the box until it is told to stop; refuses to start where it could not work."""
    pid = running(home)
    if pid is not None:
        print(f"The box runs already, as process {pid}.")
        print(address_of(home))
        return 0
    chosen = port_of(home) if port is None else port
    faults = before_start(home, chosen)
    if faults:
        print("The box cannot start here:", *map(line, faults), sep="\n", file=sys.stderr)
        return 1
    way_in = WayIn(home, browser=browser)
    print("Starting the box. Ctrl-C ends it.", flush=True)
    try:
        return _box(home, chosen, way_in)
    finally:
        way_in.close()
        print("The box has stopped.")


def _box(home: Path, port: int, way_in: WayIn) -> int:
    from databox.box.service import main

    return main(home, port, way_in.announce)
