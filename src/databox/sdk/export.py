"""The way out: a destination the app declares, and what became of each thing sent there."""

import json
import time
from collections.abc import Callable
from typing import Any, Protocol

from databox.sdk.peers import Peers, Route
from databox.wire.errors import Denied, Unavailable

EXPORT = Route("export-service", "POST", "/lp/export")
PATIENCE = 5.0
LONGEST_WAIT = 3
"""Seconds of one long poll; shorter than the client waits for an answer."""


class Outbox(Protocol):
    """Hands things to the export service."""

    def post(self, ask: dict[str, str], wait: int) -> dict[str, Any]:
        """Send one request of the export service's protocol."""
        ...


class Sending:
    """One thing on its way.

    `state`: Pending, Processing or Finished, as of the last look; `status`: the destination's
    answer such as `200 OK`, empty until finished; `reply`: the body of that answer, where the
    owner lets the app see it.
    """

    def __init__(self, outbox: Outbox, url: str, answer: dict[str, Any]) -> None:
        self._outbox = outbox
        self._url = url
        self._take(answer)

    @property
    def finished(self) -> bool:
        """Whether its end is known."""
        return self.state == "Finished"

    def wait(self, seconds: float, *, now: Callable[[], float] = time.monotonic) -> bool:
        """Wait until its end is known, at most so long; whether it is."""
        deadline = now() + seconds
        while not self.finished and (left := deadline - now()) > 0:
            ask = {"id": self.id, "uri": self._url, "data": "null"}
            self._take(self._outbox.post(ask, wait=min(LONGEST_WAIT, 1 + int(left))))
        return self.finished

    def _take(self, answer: dict[str, Any]) -> None:
        self.id = str(answer.get("id", ""))
        self.state = str(answer.get("state", "Pending"))
        reply = answer.get("ext_response") or {}
        self.status = str(reply.get("status", ""))
        self.reply = str(reply.get("body", ""))


class Destination:
    """One exact address that the app asks to send to; what `app.export` returns."""

    def __init__(
        self, url: str, *, why: str, what: str, reply: bool, outbox: Callable[[], Outbox | None]
    ) -> None:
        self.url = url
        self.why = why
        self.what = what
        self.wants_reply = reply
        self._outbox = outbox

    @property
    def allowed(self) -> bool:
        """Whether the owner let this app send anything out."""
        return self._outbox() is not None

    def send(self, value: Any) -> Sending:
        """Hand a JSON value to the export service, which may hold it for the owner's review.

        Raises:
            Denied: the owner did not allow this destination.
            Unavailable: the export service is away; with code `unknown` it may have got it.
        """
        outbox = self._outbox()
        if outbox is None:
            raise self._denied(None)
        try:
            ask = {"id": "", "uri": self.url, "data": json.dumps(value, allow_nan=False)}
            return Sending(outbox, self.url, outbox.post(ask, wait=0))
        except Denied as error:
            raise self._denied(error.found) from error

    def _denied(self, found: str | None) -> Denied:
        return Denied(
            f"nothing is sent to {self.url}",
            code="export-refused",
            found=found,
            remedy="Allow this place under “What it may see”",
        )


class ServiceOutbox:
    """The export service of the box."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def post(self, ask: dict[str, str], wait: int) -> dict[str, Any]:
        """Send a request; a new one is never sent twice, a question about an old one may be."""
        body = self._peers.call(
            EXPORT,
            json.dumps(ask).encode(),
            patience=PATIENCE,
            once=not ask["id"],
            query=f"timeout={wait}",
        )
        answer = json.loads(body)
        if not isinstance(answer, dict):
            raise Unavailable("the export service gave no state")
        return answer
