"""The owner's way in, once the box listens: a browser here, or a line for one elsewhere.

The one-time code gives the box to whoever brings it first. It reaches the browser by a file that
only this user can read: every process of this machine can read the arguments of every other.
"""

import html
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

OPENER = "xdg-open"

_PAGE = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}">
<title>Databox</title>
<a href="{address}">Open your box</a>
"""


class WayIn:
    """Announces the box of one home folder, and takes the announcement back when it has ended."""

    def __init__(self, home: Path, *, browser: bool) -> None:
        """`browser`: open one, if there is a display."""
        self._run = home / "run"
        self._browser = browser

    def announce(self, address: str, code: str) -> None:
        """Say where the box answers; the address is the last line. `code`: empty with an owner."""
        self.close()
        _write(self._run / "address", address)
        page = self._page(address, code)
        if self._browser and has_display(os.environ) and open_browser(page or address):
            print("Your browser opens it now.")
        else:
            self._tell(address, code)
        print(address, flush=True)

    def close(self) -> None:
        """Remove what `announce` wrote."""
        (self._run / "open.html").unlink(missing_ok=True)
        (self._run / "address").unlink(missing_ok=True)

    def _page(self, address: str, code: str) -> str:
        if not code:
            return ""
        page = self._run / "open.html"
        _write(page, _PAGE.format(address=html.escape(f"{address}/#code={code}")))
        return page.as_uri()

    def _tell(self, address: str, code: str) -> None:
        port = address.rpartition(":")[2]
        print("To open it from another computer, run there, and keep running:")
        print(f"    ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}")
        if code and sys.stdout.isatty():
            print(f"One-time code, good for ten minutes: {code}")
        elif code:
            # Not a person's screen but a log or a pipe: the code stays in its file.
            print(f"The one-time code stands in {self._run / 'open.html'}")
        print("Then open:")


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


def _write(path: Path, text: str) -> None:
    """Write a file that nobody else can read, not even for a moment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w") as file:  # noqa: PTH123 # a descriptor, not a path
        file.write(text)
