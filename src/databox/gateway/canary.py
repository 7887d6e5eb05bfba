"""Whether a browser keeps an app's pages in: a page of our own tries to get out of the same seal.

For one run there are two origins that lead nowhere else: one whose pages each try one way out
under the headers of app screens, and one that stands for outside, where what got out arrives. A
silence outside counts only for an attempt whose script said that it had run.

The page: `web/canary.js`. What each layer of the seal stops: `docs/security/app-screens.md`.
"""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from databox.gateway import headers
from databox.gateway.frames import GUARD, GUARD_PATH, with_guard
from databox.gateway.hosts import Origins
from databox.gateway.people import Person
from databox.kit.clock import Clock
from databox.kit.http.message import Request, Response
from databox.wire.api import CanaryReply, CanaryVerdict
from databox.wire.errors import NotFound

ALLOWLIST: Final = "allowlist"
ATTEMPTS: Final = ("fetch", "image", "websocket", "webrtc", "form", "navigation", ALLOWLIST)
"""The last is tried under the one header that nothing else in the seal covers for: it keeps in
what a page of ours cannot observe, such as name look-ups and WebRTC of a blank frame."""

PATIENCE_MS = 8_000
SETTLE_MS = 700
"""From the latest news on; on loopback what gets out arrives within a few ms."""
_LIFE_MS = 60_000
_MOST = 20

Seal = Callable[[str], headers.Headers]
"""The headers of an answer of this content type."""


@dataclass(slots=True)
class Run:
    """One test of one browser. `began`, `last`: Unix ms, of the start and the latest news."""

    person: str
    outside: str
    began: int
    last: int
    ran: set[str] = field(default_factory=set)
    out: set[str] = field(default_factory=set)


def judge(run: Run, now: int) -> CanaryVerdict:
    """Sealed only if every attempt ran, and none of them got out."""
    missing = set(ATTEMPTS) - run.ran - run.out
    wait = PATIENCE_MS - (now - run.began) if missing else SETTLE_MS - (now - run.last)
    if wait > 0:
        return CanaryVerdict(state="running")
    out = tuple(attempt for attempt in ATTEMPTS if attempt in run.out)
    return CanaryVerdict(state="open" if out or missing else "sealed", out=out)


class Canaries:
    """The runs under way, by the label of the origin that the attempts are made from.

    Args:
        origins: The names under which the gateway answers.
        clock: Time of day.
        web: The folder with the page.
        seal: What holds an app's pages; a test tries what happens without.
    """

    def __init__(self, origins: Origins, clock: Clock, web: Path, seal: Seal | None = None) -> None:
        self._origins = origins
        self._clock = clock
        self._page = with_guard((web / "canary.html").read_bytes())
        self._script = (web / "canary.js").read_bytes()
        # The widest that a manifest can ask for; what holds with it, holds without.
        self._seal = seal or (lambda kind: headers.frame(origins.shell, kind, inline=True))
        self._runs: dict[str, Run] = {}

    def __contains__(self, label: object) -> bool:
        """Whether pages are tried from this label now."""
        return str(label) in self._live()

    def is_outside(self, label: str) -> bool:
        """Whether this label stands for outside in some run."""
        return any(run.outside == label for run in self._live().values())

    def begin(self, person: Person) -> CanaryReply:
        """Begin a run; its frames are to be shown side by side."""
        now = self._clock.now()
        self._runs = self._live()
        while len(self._runs) >= _MOST:
            self._runs.pop(next(iter(self._runs)))
        label, outside = _label(), _label()
        self._runs[label] = Run(person.digest, outside, now, now)
        origin = self._origins.frame(label)
        frames = tuple(f"{origin}/{attempt}?away={outside}" for attempt in ATTEMPTS)
        return CanaryReply(id=label, frames=frames)

    def verdict(self, label: str, person: Person) -> CanaryVerdict:
        """How a run of this person came out, or that it goes on.

        Raises:
            NotFound: there is no such run any more.
        """
        run = self._runs.get(label)
        if run is None or run.person != person.digest:
            raise NotFound("this test is over", field="id", found=label[:40], remedy="Test again")
        return judge(run, self._clock.now())

    def serve(self, label: str, request: Request) -> Response:
        """Answer at either of the two origins."""
        answer = self._answer(label, request)
        sealed = self._seal(answer.content_type)
        if request.path == f"/{ALLOWLIST}":
            sealed = headers.only_allowlist(sealed)
        return Response(answer.status, answer.body, answer.content_type, (*sealed, _NEVER))

    def _live(self) -> dict[str, Run]:
        now = self._clock.now()
        return {label: run for label, run in self._runs.items() if run.began + _LIFE_MS > now}

    def _answer(self, label: str, request: Request) -> Response:
        run = self._runs.get(label)
        if run is None:
            return self._arrived(label, request)
        if request.path in (f"/{attempt}" for attempt in ATTEMPTS):
            return Response(200, self._page, f"{headers.HTML}; charset=utf-8")
        match request.path.split("/"):
            case ["", "canary", "ran" | "out" as what, attempt] if attempt in ATTEMPTS:
                (run.ran if what == "ran" else run.out).add(attempt)
                run.last = self._clock.now()
                return Response(204)
            case ["", "canary.js"]:
                return Response(200, self._script, "text/javascript; charset=utf-8")
            case _ if request.path == GUARD_PATH:
                return Response(200, GUARD, "text/javascript; charset=utf-8")
            case _:
                return Response(404, b"There is nothing here.", "text/plain; charset=utf-8")

    def _arrived(self, label: str, request: Request) -> Response:
        """Something got out."""
        attempt = request.path.removeprefix("/canary/")
        for run in self._runs.values():
            if run.outside == label and attempt in ATTEMPTS:
                run.out.add(attempt)
                run.last = self._clock.now()
        return Response(204)


_NEVER = ("Cache-Control", "no-store")


def _label() -> str:
    return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()
