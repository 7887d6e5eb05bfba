"""The guard: the only place where tokens are checked.

It holds one service's secret and decides for each request whether its token permits it. What can
be known once, the signature and the caveats' meaning, is kept for tokens seen lately; everything
that may change by itself, time and ended grants, is checked every time. That a token permits a
caller a method and a path never changes, so that is remembered as well.
"""

import asyncio
import base64
import binascii
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from databox.kit.clock import Clock
from databox.kit.http.message import Response
from databox.kit.steady import SteadyClock
from databox.wire import tokens
from databox.wire.api import Epoch
from databox.wire.caveats import Caveats, Duty, compile_caveats
from databox.wire.errors import Denied, Unauthenticated, Unavailable
from databox.wire.tokens import BadToken

USER_GRANT = "user"
"""The grant part of the identifier of a signed-in person's token."""
CACHED = 512
PERMITTED = 1024
"""What tokens permitted: so many callers, methods and paths are remembered."""
MAX_CACHED_TOKEN = 2048
"""Longer tokens are checked anew each time: any holder can make its token long, and 512 of the
longest would be more than a whole store may take."""
FETCH_SECONDS = 60.0


class Asked(Protocol):
    """What the guard needs to know of a request."""

    method: str
    path: str
    caller: str
    headers: dict[str, str]


class EndedGrants:
    """The ended grants of one service, as the arbiter told it, with the number of the last change.

    Grant ids are never used again, so the set only grows and telling twice changes nothing.
    """

    __slots__ = ("_ended", "epoch")

    def __init__(self, epoch: int, ended: Iterable[str]) -> None:
        self.epoch = epoch
        self._ended = set(ended)

    def apply(self, epoch: int, ended: Iterable[str]) -> None:
        """Add grants that ended; an older message than the last is taken as well."""
        self._ended.update(ended)
        self.epoch = max(self.epoch, epoch)

    def has_ended(self, grant: str) -> bool:
        """Whether this grant is over."""
        return grant in self._ended


@dataclass(frozen=True, slots=True)
class Verified:
    """A request's token, checked. `user`, `role`: of a signed-in person, else empty."""

    client: str
    grant: str
    user: str
    role: str
    caveats: Caveats

    @property
    def is_owner(self) -> bool:
        """Whether the owner is asking, signed in at a browser."""
        return self.role == "owner"


class Guard:
    """Checks the tokens of one service.

    Args:
        target: The service's own name, as tokens name it.
        secret: Its secret, from the arbiter.
        clock: A time that never goes back, see `kit.steady`.
        ended: The grants that have ended.
        keeps: The caveats about data that the service keeps itself; a token with another one is
            refused, because nobody would keep it.
        pairs: Whether callers are known by the pair they come through. Only a development box,
            where clients come over TCP, has none.
    """

    # Six things are what a check depends on; a bundle of them would only hide that.
    def __init__(  # noqa: PLR0913 - what a check depends on
        self,
        target: str,
        secret: str,
        clock: Clock,
        ended: EndedGrants,
        *,
        keeps: Collection[Duty] = (),
        pairs: bool = True,
    ) -> None:
        self.ended = ended
        self._target = target
        self._secret = secret
        self._clock = clock
        self._keeps = frozenset(keeps)
        self._pairs = pairs
        self._known: OrderedDict[str, Verified] = OrderedDict()
        self._permitted: dict[tuple[str, str, str, str], Verified] = {}

    def check(self, request: Asked, token: str | None = None) -> Verified:
        """Decide whether a token permits this request, and give who asks under which caveats.

        `token`: where it did not come in the headers, see `credential`.

        Raises:
            Unauthenticated: no token.
            BadToken: malformed, signature wrong, unknown caveat, not for this service or caller,
                path or method outside it, expired, or its grant ended.
        """
        if token is None:
            token = credential(request.headers)
        asked = (token, request.method, request.path, request.caller)
        verified = self._permitted.get(asked)
        if verified is None:
            verified = self._permit(*asked)
        caveats = verified.caveats
        if caveats.expires is not None and not caveats.permits_time(self._clock.now()):
            raise BadToken("the token has expired", code="token-expired")
        if self.ended.has_ended(verified.grant):
            raise BadToken("access was stopped", code="grant-ended")
        return verified

    def check_owner(self, request: Asked, token: str | None = None) -> Verified:
        """As `check`, for what only the signed-in owner may do.

        Raises:
            Unauthenticated, BadToken: as `check`.
            Denied: a good token, but not of the owner.
        """
        verified = self.check(request, token)
        if not verified.is_owner:
            raise Denied("only the owner may do this")
        return verified

    def _permit(self, token: str, method: str, path: str, caller: str) -> Verified:
        """Decide what depends on these four alone. Refusals are not kept, as in `_remember`."""
        verified = self._known.get(token)
        if verified is None:
            verified = self._remember(token)
        else:
            self._known.move_to_end(token)
        caveats = verified.caveats
        if self._pairs and verified.client != caller:
            raise BadToken("the token belongs to somebody else", code="token-client")
        # Whoever may have an answer may have its head.
        methods = ("GET", "HEAD") if method == "HEAD" else (method,)
        if caveats.method is not None and caveats.method not in methods:
            raise BadToken("the token does not permit this method", code="token-method")
        if not caveats.permits_path(path):
            raise BadToken("the token does not permit this path", code="token-path")
        if len(token) + len(path) <= MAX_CACHED_TOKEN:
            if len(self._permitted) >= PERMITTED:
                self._permitted.clear()
            self._permitted[token, method, path, caller] = verified
        return verified

    def _remember(self, token: str) -> Verified:
        """Check what never changes. Failures are not kept, or they would push out good tokens."""
        if not token:
            raise Unauthenticated("the request has no token", code="token-missing")
        macaroon = tokens.parse(token)
        tokens.verify(macaroon, self._secret)
        verified = _read(macaroon)
        if verified.caveats.target != self._target or verified.caveats.never:
            raise BadToken("the token is for another service", code="token-target")
        unkept = verified.caveats.duties - self._keeps
        if unkept:
            raise BadToken(
                "the token has a caveat that this service cannot keep",
                code="token-caveat",
                found=", ".join(sorted(unkept)),
            )
        if len(token) <= MAX_CACHED_TOKEN:
            self._known[token] = verified
        if len(self._known) > CACHED:
            self._known.popitem(last=False)
        return verified


def _read(macaroon: tokens.Macaroon) -> Verified:
    """Take identifier and caveats apart.

    A person's name and role count only in a token that the arbiter made for a signed-in person:
    any holder may add `role = owner` to a token, and adding a caveat must never allow more.
    """
    client, _, rest = macaroon.identifier.partition(":")
    grant, _, nonce = rest.partition(":")
    if not (client and grant and nonce):
        raise BadToken("the token does not say whose it is", code="token-client")
    caveats = compile_caveats(macaroon.caveats)
    personal = grant == USER_GRANT
    if personal != bool(caveats.user) or personal != bool(caveats.role):
        raise BadToken("the token's user and role do not fit its grant", code="token-user")
    return Verified(client, grant, caveats.user, caveats.role, caveats)


class Arbiter(Protocol):
    """What of a dialer is needed to ask the arbiter."""

    async def call(self, name: str, /) -> Any:
        """Call an endpoint of the table."""
        ...

    async def fetch(
        self, callee: str, method: str, path: str, *, headers: dict[str, str]
    ) -> Response:
        """Send one request."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """What the arbiter tells a service that starts: its secret, and which grants have ended."""

    secret: str
    epoch: Epoch


async def fetch_guard(
    target: str, arbiter: Arbiter, key: str, clock: Clock, *, keeps: Collection[Duty] = ()
) -> Guard:
    """Make the guard of a service that starts, with what the arbiter knows of it now.

    Until this returns the service must answer nothing. `key`: the service's own arbiter key.

    Raises:
        Unavailable: the arbiter did not answer for a minute.
    """
    return make_guard(target, await ask_arbiter(arbiter, key), clock, keeps=keeps)


async def ask_arbiter(arbiter: Arbiter, key: str) -> Told:
    """Ask what a guard is made of; a service may do something else meanwhile.

    Raises:
        Unavailable: as `fetch_guard`.
    """
    try:
        async with asyncio.timeout(FETCH_SECONDS):
            secret, epoch = await asyncio.gather(_secret(arbiter, key), _epoch(arbiter))
            return Told(secret, epoch)
    except TimeoutError as error:
        raise Unavailable("the arbiter does not answer", code="arbiter-away") from error


def make_guard(target: str, told: Told, clock: Clock, *, keeps: Collection[Duty] = ()) -> Guard:
    """The guard of a service to which the arbiter has told this."""
    epoch = told.epoch
    # The arbiter stores the latest time it has seen, so a restart with the clock set back finds it.
    steady = SteadyClock(clock, epoch.now)
    return Guard(target, told.secret, steady, EndedGrants(epoch.epoch, epoch.ended), keeps=keeps)


async def _secret(arbiter: Arbiter, key: str) -> str:
    async for _ in _tries():
        with suppress(Unavailable, OSError):
            reply = await arbiter.fetch(
                "arbiter", "GET", "/store/secret", headers={"x-api-key": key}
            )
            secret = reply.body.decode("ascii", "replace")
            if reply.status == 200 and tokens.is_secret(secret):
                return secret
    raise AssertionError("it is tried for ever")


async def _epoch(arbiter: Arbiter) -> Epoch:
    async for _ in _tries():
        with suppress(Unavailable, OSError):
            epoch: Epoch = await arbiter.call("epoch")
            return epoch
    raise AssertionError("it is tried for ever")


async def _tries() -> AsyncIterator[None]:
    """For ever: the box may be about to make this service known, or the arbiter restarts."""
    wait = 0.02
    while True:
        yield
        await asyncio.sleep(wait)
        wait = min(2 * wait, 1.0)


def credential(headers: dict[str, str]) -> str:
    """The credential of a launch-era request, "" if there is none.

    `X-Api-Key` wins; else the user name of HTTP Basic, whose password is not looked at. Names in
    `headers` are lower case.
    """
    key = headers.get("x-api-key", "")
    if key:
        return key
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return _basic_user(value.strip()) if scheme.lower() == "basic" else ""


def _basic_user(value: str) -> str:
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text.partition(":")[0]
