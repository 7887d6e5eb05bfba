"""Which origin a request is for, and whether a browser may send it: pure rules, checked first.

1. `Host` is exactly the dashboard's, or that of a live app screen; anything else is answered 421,
   so a page that makes its name point at this machine (DNS rebinding) gets nothing.
2. A call of the public API that a browser sends says `Sec-Fetch-Site: same-origin`, and where it
   changes something an exact `Origin`. Cookies play no part, so another port of the same name
   cannot borrow a session; and it is not the same origin either.
3. A WebSocket has an exact `Origin`; who it is stands in its first message.
4. The command line sends no `Sec-Fetch-*` at all; it is let through to the proof of its session.
5. Whatever changes something says that its body is JSON, which no form of a page can say; but for
   objects, which have types of their own. What no page can make is the proof of the session.
"""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass

from databox.wire.errors import BadRequest, DataboxError, Denied

SHELL = "databox.localhost"
JSON = "application/json"
_LABEL = re.compile(r"[a-z2-7]{26}")


class Misdirected(DataboxError):
    """The request is for a host that is not ours."""

    status = 421
    code = "misdirected"


@dataclass(frozen=True, slots=True)
class Origins:
    """The names under which this gateway answers. `port`: the TCP port it listens on."""

    port: int

    @property
    def shell(self) -> str:
        """The dashboard's origin."""
        return f"http://{SHELL}:{self.port}"

    def frame(self, label: str) -> str:
        """The origin of one app screen."""
        return f"http://{label}.localhost:{self.port}"

    def label_of(self, host: str, live: Container[str]) -> str:
        """The app screen a `Host` header names; empty for the dashboard.

        Raises:
            Misdirected: it names neither.
        """
        if host == f"{SHELL}:{self.port}" or (self.port == 80 and host == SHELL):
            return ""
        label = host.removesuffix(f".localhost:{self.port}")
        if _LABEL.fullmatch(label) and label in live:
            return label
        raise Misdirected("this box does not answer under this name", found=host[:100])


def check_api_call(
    method: str, headers: Mapping[str, str], origins: Origins, *, any_type: bool = False
) -> None:
    """Refuse what a browser would send for another page; `any_type`: the body may be anything.

    Raises:
        Denied: as rules 2 to 4 say.
        BadRequest: as rule 5 says.
    """
    _check_site(method, headers, origins)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if method not in ("GET", "HEAD") and kind != JSON and not any_type:
        raise BadRequest(
            "the body must say that it is JSON",
            code="content-type",
            field="content-type",
            found=kind[:100] or "nothing",
            remedy=f"Send a JSON body, and the header Content-Type: {JSON}",
        )


def _check_site(method: str, headers: Mapping[str, str], origins: Origins) -> None:
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is None and origin is None:
        return
    # Browsers open a WebSocket with an Origin, and not all of them with Sec-Fetch headers.
    websocket = headers.get("upgrade", "").lower() == "websocket"
    if websocket and site is None and origin == origins.shell:
        return
    if site != "same-origin":
        raise Denied("another page cannot call this box", code="cross-site", found=str(site))
    if origin is not None and origin != origins.shell:
        raise Denied("another page cannot call this box", code="cross-site", found=origin[:100])
    if method in ("GET", "HEAD"):
        return
    if origin is None:
        raise Denied("a change needs an Origin header", code="cross-site")


def check_page(headers: Mapping[str, str]) -> None:
    """A dashboard page is never shown inside another page.

    Raises:
        Denied: it is fetched for a frame, or as part of another site's page.
    """
    if headers.get("sec-fetch-dest", "document") in ("iframe", "frame", "object", "embed"):
        raise Denied("the dashboard is not shown in a frame", code="framed")
