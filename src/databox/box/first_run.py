"""The one-time code of the first run: whoever brings it first becomes the owner.

It reaches the browser by a file that only this user can read, never by an argument, which every
process of the machine could read.
"""

import hmac
import html
from pathlib import Path

from databox.box.home import write_private
from databox.box.wrapping import Random
from databox.wire.errors import Denied

CODE_BYTES = 16
LIFETIME_SECONDS = 600.0

_PAGE = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}">
<title>Databox</title>
<a href="{address}">Open your box</a>
"""


class OneTimeCode:
    """The code that is good now. Each lasts ten minutes; used once, it is gone."""

    def __init__(self, folder: Path, random: Random) -> None:
        self._code_file = folder / "code"
        self._page_file = folder / "open.html"
        self._random = random
        self._code = ""
        self._until = 0.0

    def renew(self, address: str, now: float) -> str:
        """Make a new code and write it down; the one before is worthless. `now`: seconds."""
        self._code = self._random(CODE_BYTES).hex()
        self._until = now + LIFETIME_SECONDS
        write_private(self._code_file, f"{self._code}\n".encode())
        target = html.escape(f"{address}/#code={self._code}")
        write_private(self._page_file, _PAGE.format(address=target).encode())
        return self._code

    def check(self, code: str, now: float) -> None:
        """Accept the code.

        Raises:
            Denied: it is another, or its time is over.
        """
        sound = bool(self._code) and hmac.compare_digest(code.encode(), self._code.encode())
        if not sound or now > self._until:
            raise Denied(
                "this one-time code is not good, or not any more",
                code="one-time-code",
                field="code",
                remedy=f"Open {self._page_file}, which holds the present one",
            )

    def forget(self) -> None:
        """The box has an owner: no code opens it any more."""
        self._code = ""
        self._code_file.unlink(missing_ok=True)
        self._page_file.unlink(missing_ok=True)
