"""An app's own pages: each opened screen has an origin of its own, sealed by our headers.

The random label in the name leads to a screen only together with a cookie that a one-use ticket
was exchanged for; the name alone opens nothing.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from databox.gateway import headers
from databox.gateway.hosts import Origins
from databox.gateway.people import Person
from databox.kit.clock import Clock
from databox.kit.http.client import Connection
from databox.kit.http.message import Request, Response
from databox.wire.api import Component
from databox.wire.errors import DataboxError, Denied

TICKET_PATH = "/databox-ticket"
GUARD_PATH = "/databox-guard.js"
COOKIE = "__Host-databox-screen"
_LIFE_MS = 12 * 3600 * 1000
_MOST = 200

# Without this the one way left is WebRTC to a candidate written into a forged answer.
GUARD = (
    b"for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection', 'RTCDataChannel'])"
    b" { try { delete window[name]; Object.defineProperty(window, name,"
    b" { value: undefined, writable: false, configurable: false }); } catch { } }\n"
)

Reach = Callable[[str, str], Awaitable[Connection]]
"""Connects to an app's own web port, by its name and scheme."""
Still = Callable[[Person], Awaitable[bool]]
"""Whether a session still holds."""


@dataclass(slots=True)
class Frame:
    """One opened screen. `ticket` is empty once used; `cookie` is what it was exchanged for."""

    app: str
    scheme: str
    person: Person
    inline: bool
    ticket: str
    cookie: str
    ends: int


class Frames:
    """Opened screens of apps, by the label of their origin."""

    def __init__(self, origins: Origins, clock: Clock, reach: Reach, still: Still) -> None:
        self._origins = origins
        self._clock = clock
        self._reach = reach
        self._still = still
        self._open: dict[str, Frame] = {}

    def __contains__(self, label: object) -> bool:
        """Whether this label is that of a live screen."""
        frame = self._open.get(str(label))
        return frame is not None and frame.ends > self._clock.now()

    def open(self, component: Component, person: Person) -> tuple[str, str]:
        """Open a screen; gives its label and its one-use ticket."""
        self._forget()
        label = base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()
        frame = Frame(
            app=component.name,
            scheme=component.scheme,
            person=person,
            inline=component.inline,
            ticket=secrets.token_urlsafe(24),
            cookie=secrets.token_urlsafe(24),
            ends=self._clock.now() + _LIFE_MS,
        )
        self._open[label] = frame
        return label, frame.ticket

    async def serve(self, label: str, request: Request) -> Response:
        """Answer a request to a screen's origin; every answer carries the seal."""
        frame = self._open[label]
        try:
            response = await self._answer(label, frame, request)
        except DataboxError as error:
            response = Response(error.status, error.message.encode(), "text/plain; charset=utf-8")
        except (OSError, TimeoutError):
            response = Response(502, b"This app does not answer.", "text/plain; charset=utf-8")
        seal = headers.frame(self._origins.shell, response.content_type, inline=frame.inline)
        return Response(
            response.status, response.body, response.content_type, (*seal, *response.headers)
        )

    async def _answer(self, label: str, frame: Frame, request: Request) -> Response:
        if request.headers.get("service-worker") == "script":
            raise Denied("an app screen has no service workers")
        if request.path == TICKET_PATH:
            return self._exchange(frame, request)
        if not hmac.compare_digest(_cookie(request, COOKIE), frame.cookie):
            raise Denied("open this app from the dashboard")
        if request.headers.get("sec-fetch-dest") == "document":
            raise Denied("open this app from the dashboard")
        if not await self._still(frame.person):
            raise Denied("the session that opened this app has ended")
        if request.path == GUARD_PATH:
            return Response(200, GUARD, "text/javascript; charset=utf-8")
        return await self._from_app(label, frame, request)

    def _exchange(self, frame: Frame, request: Request) -> Response:
        ticket = request.parameters.get("t", "")
        if not frame.ticket or not hmac.compare_digest(ticket, frame.ticket):
            raise Denied("this ticket was used or is not for this screen")
        frame.ticket = ""
        cookie = f"{COOKIE}={frame.cookie}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"
        return Response(303, b"", "text/plain", (("Location", "/"), ("Set-Cookie", cookie)))

    async def _from_app(self, label: str, frame: Frame, request: Request) -> Response:
        connection = await self._reach(frame.app, frame.scheme)
        try:
            passed = headers.to_app(request.headers, _own_cookies(request))
            passed |= headers.person(frame.person.user)
            passed["accept-encoding"] = "identity"
            response = await connection.request(
                request.method, request.target, headers=passed, body=request.body, timeout=30.0
            )
        finally:
            connection.close()
        kind = headers.content_type(response.content_type, response.body)
        body = response.body
        if kind.startswith(headers.HTML):
            body = with_guard(body)
        extra = [*headers.from_app(response.headers)]
        extra.extend(self._redirect(label, response))
        extra.extend(_cookies(response))
        return Response(response.status, body, kind, tuple(extra))

    def _redirect(self, label: str, response: Response) -> list[tuple[str, str]]:
        """A redirect within the app's own origin, as a path; any other is dropped."""
        target = response.header("location")
        if target is None:
            return []
        try:
            parts = urlsplit(target)
        except ValueError:
            return []
        own = parts.netloc in ("", f"{label}.localhost:{self._origins.port}")
        if not own or not parts.path.startswith("/") or parts.path.startswith(("//", "/\\")):
            return []
        return [("Location", parts.path + (f"?{parts.query}" if parts.query else ""))]

    def _forget(self) -> None:
        now = self._clock.now()
        self._open = {k: f for k, f in self._open.items() if f.ends > now}
        while len(self._open) >= _MOST:
            self._open.pop(next(iter(self._open)))


def with_guard(html: bytes) -> bytes:
    """Put the guard before everything else of the page.

    Nothing of the page is read for it, only whether it speaks of a doctype; then it gets one from
    us, and the browser skips its own. Whoever looked for the place behind a doctype and comments
    would have to read comments as a browser does: `<!-->` is a whole one.
    """
    doctype = b"<!doctype html>" if b"<!doctype" in html[:1024].lower() else b""
    return doctype + f'<script src="{GUARD_PATH}"></script>'.encode() + html


def _cookie(request: Request, name: str) -> str:
    for part in request.headers.get("cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def _own_cookies(request: Request) -> str:
    """The app's own cookies, which were set under a prefix."""
    parts = [part.strip() for part in request.headers.get("cookie", "").split(";")]
    return "; ".join(
        part.removeprefix("__Host-app-") for part in parts if part.startswith("__Host-app-")
    )


def _cookies(response: Response) -> list[tuple[str, str]]:
    """The app's cookies, renamed and with our own attributes only."""
    kept = []
    for name, value in response.headers:
        pair = value.split(";")[0].strip()
        if name.lower() == "set-cookie" and re.fullmatch(
            r"[\w.-]+=[\x21\x23-\x2b\x2d-\x7e]*", pair
        ):
            attributes = "Path=/; Secure; HttpOnly; SameSite=None; Partitioned"
            kept.append(("Set-Cookie", f"__Host-app-{pair}; {attributes}"))
    return kept
