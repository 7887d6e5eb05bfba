"""What the arbiter decides, without touching anything.

Rules:
1. A token is minted under exactly one grant in force, and carries all its caveats.
2. The grant is the one the client names; else one with exactly the asked path before others; then
   the least restrictive; then the newest.
3. A token opens no path that its grant does not: where the asked path is itself a pattern, the
   granted one is added as a second path caveat.
4. A signed-in person gets tokens only for what the table of endpoints makes public.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from databox.wire import api
from databox.wire.caveats import Caveats, Duty, Rate, compile_caveats, exact_caveat, list_caveat
from databox.wire.endpoints import ENDPOINTS, Endpoint
from databox.wire.errors import BadRequest
from databox.wire.names import STORE_SUFFIX
from databox.wire.patterns import compile_pattern, escape, is_plain
from databox.wire.tokens import BadToken

USER_TOKEN_MS = 5 * 60_000
SESSION_MS = 30 * 24 * 3_600_000
MAX_ROUTES = 64
MAX_CAVEATS = 32
MAX_CAVEAT_TEXT = 6 * 1024
"""Characters of all caveats of a grant together; a token of it then stays within its bound."""

FREE_TRIES = 4
LONGEST_WAIT_MS = 5 * 60_000

_LIVE = ("store.ws", "store.sub", "store.unsub")
"""What the gateway does for the signed-in person's live view, besides what is public."""


@dataclass(frozen=True, slots=True)
class Permission:
    """A grant with the routes that it opens."""

    grant: api.Grant
    routes: tuple[api.Route, ...]

    def in_force(self, now: int) -> bool:
        """Whether it holds at `now`, Unix ms."""
        return self.grant.ended is None and (self.grant.until is None or now < self.grant.until)

    def route_for(self, method: str, path: str) -> api.Route | None:
        """The route that covers this method and path; one with the very same path first."""
        fitting = [
            route
            for route in self.routes
            if route.method == method
            and (route.path == path or compile_pattern(route.path).matches(path))
        ]
        return min(fitting, key=lambda route: route.path != path, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A client asks for a token. `grant`: the one it names, or empty. `lifetime`: ms, or None."""

    target: str
    path: str
    method: str
    grant: str = ""
    lifetime: int | None = None


@dataclass(frozen=True, slots=True)
class Minting:
    """The token to mint: under which grant, with which caveats in which order."""

    grant: str
    caveats: tuple[str, ...]


def decide(ask: Ask, held: Iterable[Permission], now: int) -> Minting | None:
    """Choose the grant for a token, or None if none covers what is asked.

    `held`: the client's permissions on the target. `now`: Unix ms.
    """
    fitting = [
        (permission, route)
        for permission in held
        if permission.in_force(now)
        and ask.grant in ("", permission.grant.id)
        and permission.grant.target == ask.target
        and (route := permission.route_for(ask.method, ask.path))
    ]
    if not fitting:
        return None
    permission, route = min(fitting, key=lambda each: (each[1].path != ask.path, *_narrow(each[0])))
    return Minting(permission.grant.id, _caveats(ask, permission, route, now))


def may_see(target: str, held: Iterable[Permission], now: int) -> bool:
    """Whether the root catalogue shows `target` to the holder: only if it may read its `/cat`."""
    return decide(Ask(target=target, path="/cat", method="GET"), held, now) is not None


def user_caveats(ask: Ask, user: str, role: str, now: int) -> tuple[str, ...]:
    """The caveats of a signed-in person's token.

    Raises:
        BadRequest: nothing under this path is for people, or it is too long.
    """
    if not _is_public(ask):
        raise BadRequest(
            "there is nothing for people under this path",
            code="not-public",
            field="path",
            found=f"{ask.method} {ask.target}{ask.path[:80]}",
        )
    path = compile_pattern(escape(ask.path)).text
    return (
        f"target = {ask.target}",
        f"path = {path}",
        f"method = {ask.method}",
        f"time < {now + USER_TOKEN_MS}",
        f"user = {user}",
        f"role = {role}",
    )


def check_grant(request: api.GrantRequest) -> None:
    """Check that a grant can be kept, and that its words say what its caveats do.

    The owner is shown `exact`, `fields`, `since`, `until` and `destinations`; the services keep the
    caveats. Were they to differ, the screen would promise what nobody enforces.

    Raises:
        BadRequest: it opens nothing or too much at once, a path or caveat is not understood, or
            words and caveats differ; `field` names where.
    """
    if not 1 <= len(request.routes) <= MAX_ROUTES:
        raise _unsound("routes", f"{len(request.routes)} routes")
    for route in request.routes:
        compile_pattern(route.path)
    check_caveat_size(request.caveats)
    try:
        caveats = compile_caveats(request.caveats)
    except BadToken as error:
        raise _unsound("caveats", str(error.found)) from error
    if caveats.target or caveats.method or caveats.paths or caveats.user or caveats.role:
        raise _unsound("caveats", "a caveat that only the arbiter itself adds")
    for field, said, kept in _words(request, caveats):
        if said != kept:
            raise _unsound(field, f"{said} in words, {kept} in caveats")


def check_caveat_size(caveats: Sequence[str]) -> None:
    """Check that a token with these caveats stays within its bounds.

    Raises:
        BadRequest: too many, too long, or with a control character.
    """
    if len(caveats) > MAX_CAVEATS or sum(map(len, caveats)) > MAX_CAVEAT_TEXT:
        raise _unsound("caveats", f"{len(caveats)} of {sum(map(len, caveats))} characters")
    for caveat in caveats:
        if not caveat.isprintable():
            raise _unsound("caveats", ascii(caveat[:80]))


def covers(revoked: str, granted: str) -> bool:
    """Whether revoking the pattern `revoked` ends a grant of the pattern `granted`, as texts.

    Raises:
        BadPattern: `revoked` is not in the language.
    """
    return revoked == granted or compile_pattern(revoked).matches(granted)


def wait_after(wrong: int) -> int:
    """How long no passphrase is taken after so many wrong ones in a row, in ms."""
    if wrong <= FREE_TRIES:
        return 0
    # The shift is bounded by itself: the count is stored and may have grown for years.
    return min(1000 << min(wrong - FREE_TRIES - 1, 20), LONGEST_WAIT_MS)


def _narrow(permission: Permission) -> tuple[Any, ...]:
    """Sorts permissions: the least restrictive first, the newest first among equals."""
    grant = permission.grant
    try:
        caveats = compile_caveats(grant.caveats)
    except BadToken:
        # Launch-era grants may have any caveat; services refuse what they do not know.
        return (math.inf,)
    return (
        caveats.exact,
        caveats.precision,
        -_size(caveats.fields),
        tuple((-_often(rate), rate.window) for rate in caveats.rates),
        caveats.since or 0,
        -min(_or_endless(grant.until), _or_endless(caveats.expires)),
        -_or_endless(caveats.until),
        -_size(caveats.destinations),
        -_size(caveats.datasources),
        len(grant.caveats),
        -grant.made,
        -int(grant.id[1:]),
    )


def _or_endless(moment: int | None) -> float:
    return math.inf if moment is None else moment


def _size(members: Collection[object] | None) -> float:
    return math.inf if members is None else len(members)


def _often(rate: Rate) -> float:
    """Requests in a millisecond."""
    return rate.most / rate.window


def _caveats(ask: Ask, permission: Permission, route: api.Route, now: int) -> tuple[str, ...]:
    fixed = (f"target = {ask.target}", f"path = {ask.path}", f"method = {ask.method}")
    added = []
    # A plain path opens itself alone, and a slash at its end; anything else may open more.
    if ask.path != route.path and (not is_plain(ask.path) or ask.path.endswith("/")):
        added.append(f"path = {route.path}")
    ends = [end for end in (permission.grant.until, _end_of(ask, now)) if end is not None]
    expiry = f"time < {min(ends)}" if ends else ""
    if expiry and expiry not in permission.grant.caveats:
        added.append(expiry)
    return (*fixed, *permission.grant.caveats, *added)


def _end_of(ask: Ask, now: int) -> int | None:
    return None if ask.lifetime is None else now + ask.lifetime


def _words(request: api.GrantRequest, caveats: Caveats) -> Iterable[tuple[str, object, object]]:
    yield "since", request.since, caveats.since
    yield "until", request.until, caveats.expires
    said = _said(request)
    yield "exact", _exact(said), _exact(caveats)
    yield "fields", said.fields, caveats.fields
    yield "destinations", frozenset(request.destinations) or None, caveats.destinations
    if request.kind == "source":
        yield "source", frozenset((request.source,)), caveats.datasources


def _said(request: api.GrantRequest) -> Caveats:
    """What the words about the data come to."""
    fields = () if request.fields is None else (list_caveat(Duty.FIELDS, request.fields),)
    try:
        return compile_caveats((*exact_caveat(request.exact), *fields))
    except BadToken as error:
        raise _unsound("exact", str(error.found)) from error


def _exact(caveats: Caveats) -> tuple[int, int, int]:
    return caveats.base, caveats.exact, caveats.precision


def _is_public(ask: Ask) -> bool:
    service = "store" if ask.target.endswith(STORE_SUFFIX) else ask.target
    return any(
        endpoint.service == service
        and endpoint.method == ask.method
        and (endpoint.public or endpoint.name in _LIVE)
        and _fits(endpoint, ask.path)
        for endpoint in ENDPOINTS
    )


def _fits(endpoint: Endpoint, path: str) -> bool:
    pattern, asked = endpoint.path.split("/"), path.split("/")
    return len(pattern) == len(asked) and all(
        (part and part.isprintable() and part not in (".", ".."))
        if wanted.startswith("{")
        else part == wanted
        for wanted, part in zip(pattern, asked, strict=True)
    )


def _unsound(field: str, found: str) -> BadRequest:
    return BadRequest("this grant cannot be kept", code="grant", field=field, found=found)
