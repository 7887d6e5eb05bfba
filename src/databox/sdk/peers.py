"""Calls to the services a component may reach: tokens fetched, kept and renewed on the way.

Each peer is a unix socket in one folder. A socket that is missing or refuses means that the box
heals or that access ended; both look alike from here, so calls wait as long as they were given
and then say so.
"""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Generator, Mapping
from typing import BinaryIO, NamedTuple

from databox.sdk.http.client import Coming, Connection, Lost, Reply
from databox.wire.errors import BadRequest, DataboxError, Denied, NotFound, TooLarge, Unavailable

MAX_REPLY = 2 * 1024 * 1024
"""Bytes of one answer. Decoded, that is some 15 MB of the 96 that a small app has."""
IDLE_CONNECTIONS = 4
MAX_OBJECT = 4 * 1024**3
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
LIFETIME = 3600
"""Seconds that a token is asked for."""
RENEW_AFTER = 3000.0
"""A token is renewed in time: using one that is over would be written down as a refusal."""
HEALING = frozenset({429, 500, 502, 503, 504})
"""Statuses that pass; with the first and the fourth the request was certainly not carried out."""
NOT_BEGUN = frozenset({429, 503})


BEYOND = "token-caveat"
"""The code of a refusal of this one question: the source may be read, but not so."""


class Route(NamedTuple):
    """What a token is for: a service, a method, a path."""

    target: str
    method: str
    path: str


TOKEN = Route("arbiter", "POST", "/token")


class Peers:
    """The services by name. `folder`: where their sockets are; `key`: the arbiter key."""

    def __init__(
        self,
        folder: str,
        key: bytes,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder = folder
        self.key = b64encode(key).decode()
        self._now = now
        self._sleep = sleep
        self._lock = threading.Lock()
        self._tokens: dict[Route, tuple[str, float]] = {}
        self._idle: dict[str, list[Connection]] = {}

    # What a request is made of, and how to go about it.
    def call(  # noqa: PLR0913 - the parts of a request
        self,
        route: Route,
        body: bytes = b"",
        *,
        patience: float,
        once: bool = False,
        query: str = "",
        type: str = "application/json",
    ) -> bytes:
        """Make a call under a token; the answer's body.

        `type`: of the body; `query` is not part of what a token is for. For
        `patience` seconds a peer that is away is tried again; with `once` only as long as it
        certainly received nothing.

        Raises:
            Denied: no grant covers it.
            NotFound: there is no such thing there.
            TooLarge: the answer has more than 2 MiB, or the body was too large.
            BadRequest: the peer refused the request as such.
            Unavailable: the peer was away for too long; with code `unknown` if `once` was asked
                and it may have carried the request out.
        """
        target = f"{route.path}?{query}" if query else route.path
        reply = self._patiently(
            route, patience, lambda: self._attempt(route, target, body, type), once=once
        )
        if 200 <= reply.status < 300:
            return reply.body
        raise refusal(route, reply)

    def send(self, route: Route, content: BinaryIO, type: str, *, patience: float) -> bytes:
        """Make a call whose body is the rest of a file that can be read twice; the answer's body.

        Raises:
            Denied, NotFound, TooLarge, BadRequest, Unavailable: as `call`.
        """
        start = content.tell()
        length = content.seek(0, 2) - start

        def attempt(token: str) -> Reply:
            content.seek(start)
            fields = {"Host": route.target, "X-Api-Key": token, "Content-Type": type}
            connection = self._connection(route.target)
            try:
                return connection.upload(route.path, fields, content, length, limit=MAX_REPLY)
            finally:
                self._put_back(route.target, connection)

        reply = self._patiently(
            route, patience, lambda: self._under_token(route, attempt), once=False
        )
        if 200 <= reply.status < 300:
            return reply.body
        raise refusal(route, reply)

    def receive(
        self,
        route: Route,
        *,
        patience: float,
        query: str = "",
        fields: Mapping[str, str] | None = None,
    ) -> Generator[bytes, None, None]:
        """The answer's body as it comes; nothing is asked before the first piece is.

        `fields`: of the request's head, beside what every request has.

        Raises:
            Denied, NotFound, BadRequest, Unavailable: as `call`.
        """
        target = f"{route.path}?{query}" if query else route.path
        found: list[Coming] = []

        def attempt(token: str) -> Reply:
            named = {"Host": route.target, "X-Api-Key": token, **(fields or {})}
            connection = self._connection(route.target)
            got = connection.download(target, named, limit=MAX_OBJECT, most=MAX_REPLY)
            if isinstance(got, Coming):
                found.append(got)
                return Reply(200, b"")
            connection.close()
            return got

        reply = self._patiently(
            route, patience, lambda: self._under_token(route, attempt), once=False
        )
        if not found:
            raise refusal(route, reply)
        try:
            yield from found[-1]
        except Lost as error:
            raise Unavailable(f"{route.target} broke off", remedy="Read it again") from error
        finally:
            self._put_back(route.target, found[-1].connection)

    def token(self, route: Route, *, patience: float) -> str:
        """The token for a route, to read what limits the owner set.

        Raises:
            Denied, Unavailable: as `call`.
        """
        fetched = self._patiently(
            route, patience, lambda: Reply(200, self._token(route).encode()), once=False
        )
        return fetched.body.decode()

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            for connections in self._idle.values():
                while connections:
                    connections.pop().close()

    def _patiently(
        self, route: Route, patience: float, attempt: Callable[[], Reply], *, once: bool
    ) -> Reply:
        deadline = self._now() + patience
        pause = FIRST_PAUSE
        passing = NOT_BEGUN if once else HEALING
        while True:
            try:
                reply = attempt()
                if reply.status not in passing:
                    return reply
                reason = f"{reply.status} {reply.text}"
            except Lost as lost:
                if once and lost.sent:
                    raise Unavailable(
                        f"nobody knows whether {route.target} received this",
                        code="unknown",
                        remedy="Look at what it did before you send it again",
                    ) from lost
                reason = "no connection"
            if self._now() + pause > deadline:
                raise Unavailable(
                    f"{route.target} does not answer", found=reason, remedy="Try again later"
                )
            self._sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _attempt(self, route: Route, target: str, body: bytes, type: str) -> Reply:
        return self._under_token(route, lambda token: self._send(route, target, token, body, type))

    def _under_token(self, route: Route, send: Callable[[str], Reply]) -> Reply:
        token = self._token(route)
        reply = send(token)
        if reply.status != 401:
            return reply
        self.forget(route, token)
        return send(self._token(route))

    def _token(self, route: Route) -> str:
        kept = self.kept(route)
        if kept is not None:
            return kept
        return self.keep(route, self._send(TOKEN, TOKEN.path, self.key, self.token_request(route)))

    # What follows is what `waiting.py` needs as well.

    def kept(self, route: Route) -> str | None:
        """The token that is kept for a route, while it holds."""
        with self._lock:
            found = self._tokens.get(route)
        return found[0] if found is not None and self._now() < found[1] else None

    def token_request(self, route: Route) -> bytes:
        """The body by which a token is asked for."""
        return json.dumps({**route._asdict(), "lifetime": LIFETIME}).encode()

    def keep(self, route: Route, reply: Reply) -> str:
        """Keep the token that the arbiter gave.

        Raises:
            Lost: it may give one later.
            Denied, Unavailable: as `call`.
        """
        if reply.status == 400 and "has not registered" in reply.text:
            raise Lost(sent=False)  # the store is starting and has not fetched its secret yet
        if reply.status in HEALING:
            raise Lost(sent=False)
        if reply.status != 200:
            raise refusal(route, reply)
        token = reply.body.decode("latin-1")
        with self._lock:
            self._tokens[route] = (token, self._now() + RENEW_AFTER)
        return token

    def forget(self, route: Route, token: str) -> None:
        """Forget a refused token: its grant may have been replaced by another one."""
        with self._lock:
            if self._tokens.get(route, ("",))[0] == token:
                del self._tokens[route]

    def socket(self, target: str) -> str:
        """Where a service is reached."""
        return f"{self._folder}/{target}.sock"

    def unreachable(self, target: str) -> Denied:
        """The error for a socket that is not there.

        The box keeps the socket while its owner restarts, and takes it away with the grant.
        """
        return Denied(f"the box does not let this app reach {target}", found="no permission now")

    def _send(
        self,
        route: Route,
        target: str,
        credential: str,
        body: bytes,
        type: str = "application/json",
    ) -> Reply:
        fields = {"Host": route.target, "X-Api-Key": credential}
        if body:
            fields["Content-Type"] = type
        connection = self._connection(route.target)
        try:
            reply = connection.request(route.method, target, fields, body, limit=MAX_REPLY)
        finally:
            self._put_back(route.target, connection)
        return reply

    def _connection(self, target: str) -> Connection:
        with self._lock:
            kept = self._idle.get(target, [])
            while kept:
                connection = kept.pop()
                if connection.idle():
                    return connection
                connection.close()
        try:
            return Connection(self.socket(target))
        except Lost as lost:
            if isinstance(lost.__cause__, FileNotFoundError):
                raise self.unreachable(target) from lost
            raise

    def _put_back(self, target: str, connection: Connection) -> None:
        with self._lock:
            kept = self._idle.setdefault(target, [])
            if connection.reusable and len(kept) < IDLE_CONNECTIONS:
                kept.append(connection)
                return
        connection.close()


def _beyond(reply: Reply) -> dict[str, object]:
    """What a store says of a request that goes beyond what the token lets see; else nothing."""
    if BEYOND not in reply.text:
        return {}
    try:
        told = json.loads(reply.body)["error"]
        return dict(told) if told["code"] == BEYOND else {}
    except (ValueError, KeyError, TypeError):
        return {}


def refusal(route: Route, reply: Reply) -> DataboxError:
    """The error that an answer stands for."""
    kinds: dict[int, type[DataboxError]] = {
        401: Denied,
        403: Denied,
        404: NotFound,
        413: TooLarge,
    }
    kind = kinds.get(reply.status, Unavailable if reply.status >= 500 else BadRequest)
    told = _beyond(reply)
    if told:
        names = ("field", "found", "remedy")
        words = {name: str(told[name]) for name in names if name in told}
        return kind(str(told.get("message", "")), code=BEYOND, **words)
    return kind(
        f"{route.target} refused {route.method} {route.path}",
        found=f"{reply.status} {reply.text}".strip(),
    )
