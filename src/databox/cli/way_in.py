"""The owner's way in, once the box listens: a browser here, or a line for one elsewhere.

The one-time code gives the box to whoever brings it first. It reaches the browser by a file of the
box that only this user can read: every process can read the arguments of every other.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

OPENER = "xdg-open"


class WayIn:
    """Announces the box of one home folder, and takes the announcement back when it has ended."""

    def __init__(self, home: Path, *, browser: bool) -> None:
        """`browser`: open one, if there is a display."""
        self._page = home / "run" / "open.html"
        self._code = home / "run" / "code"
        self._address = home / "run" / "address"
        self._browser = browser

    def announce(self, address: str, code: str) -> None:
        """Say where the box answers; the address is the last line. `code`: empty with an owner."""
        self._address.write_text(address)
        place = self._page.as_uri() if code else address
        if self._browser and has_display(os.environ) and open_browser(place):
            print("Your browser opens it now.")
        else:
            self._tell(address, code)
        print(address, flush=True)

    def close(self) -> None:
        """Nobody shall look for a box at this address any more."""
        self._address.unlink(missing_ok=True)

    def _tell(self, address: str, code: str) -> None:
        port = address.rpartition(":")[2]
        place = f"this file, which brings the one-time code: {self._page}" if code else address
        print("Two ways to open it:")
        print(f"- On this computer, open {place}")
        print("- From another computer, run this there, and keep it running:")
        print(f"      ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}")
        print("  Then open the address in the last line there" + self._code_words(code))

    def _code_words(self, code: str) -> str:
        if not code:
            return "."
        if sys.stdout.isatty():
            return f", and type the one-time code,\n  good for ten minutes: {code}"
        # Not a person's screen but a log or a pipe: the code stays in its file.
        return f", and type the one-time code\n  that stands in this file: {self._code}"


def has_display(environment: Mapping[str, str]) -> bool:
    """Whether a window can be opened from here."""
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def open_browser(place: str) -> bool:
    """Open an address or a file in the person's own browser, without waiting for it."""
    program = shutil.which(OPENER)
    if program is None:
        return False
    subprocess.Popen(
        (program, place),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Ctrl-C ends the box, not the browser.
        start_new_session=True,
    )
    return True
