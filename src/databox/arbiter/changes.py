"""Changes to grants, each with its ledger entry in the same transaction."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from databox.arbiter import policy
from databox.arbiter.policy import Permission
from databox.arbiter.state import State
from databox.kit.clock import Clock
from databox.wire import api
from databox.wire.errors import NotFound
from databox.wire.ledger import Event, Granted, Revoked
from databox.wire.patterns import compile_pattern

Record = Callable[[Event], object]
"""Writes one ledger entry within the transaction that is open on the shared connection."""

ROUTE = "route"
"""The kind of a grant made through the launch-era interface: one route, caveats added to it."""


class Changes:
    """Makes and ends grants.

    Args:
        state: What is remembered.
        record: Writes a ledger entry.
        clock: A time that never goes back.
    """

    def __init__(self, state: State, record: Record, clock: Clock) -> None:
        self._state = state
        self._record = record
        self._clock = clock

    def grant(self, request: api.GrantRequest) -> api.Grant:
        """Make a grant between two known components.

        Raises:
            BadRequest: it cannot be kept, see `policy.check_grant`.
            NotFound: client or target is not known.
        """
        policy.check_grant(request)
        with self._state.transaction():
            for field, name in (("client", request.client), ("target", request.target)):
                if not self._state.records.find(name):
                    raise NotFound("this component is not known", field=field, found=name)
            return self._make(request).grant

    def end(self, grant: str, why: str = "by the owner") -> api.Grant:
        """End a grant; one that has ended already is given as it is.

        Raises:
            NotFound: there is none with this id.
        """
        with self._state.transaction():
            permission = self._state.grants.find(grant)
            if permission is None:
                raise NotFound("there is no such grant", field="id", found=grant[:40])
            if permission.grant.ended is not None:
                return permission.grant
            return self._end(permission, why).grant

    def end_all(self, permissions: Iterable[Permission], why: str) -> None:
        """End several; within the caller's transaction."""
        for permission in permissions:
            self._end(permission, why)

    def end_expired(self) -> int:
        """End every grant whose time is over; gives how many there were."""
        over = self._state.grants.over(self._clock.now())
        if over:
            with self._state.transaction():
                self.end_all(over, "expiry")
        return len(over)

    def add_route(
        self, client: str, target: str, route: api.Route, caveats: Sequence[str]
    ) -> tuple[str, ...]:
        """Grant a route as launch-era managers do; gives its caveats, the new ones appended.

        Raises:
            BadRequest: the path is no pattern, or the caveats are too many or too long.
        """
        compile_pattern(route.path)
        with self._state.transaction():
            self._state.records.ensure(client, None)
            known = self._route(client, target, route)
            present = known.grant.caveats if known else ()
            wanted = (*present, *(each for each in dict.fromkeys(caveats) if each not in present))
            policy.check_caveat_size(wanted)
            if known is None or wanted != present:
                self._replace(known, client, target, (route,), wanted)
            return wanted

    def lift(
        self, client: str, target: str, route: api.Route, caveats: Sequence[str]
    ) -> tuple[str, ...]:
        """Take caveats off a launch-era route at the manager's wish; gives those that stay.

        This is the one call that widens, so it is written down as an end and a new grant.
        """
        with self._state.transaction():
            known = self._route(client, target, route)
            if known is None:
                return ()
            left = tuple(each for each in known.grant.caveats if each not in caveats)
            if left != known.grant.caveats:
                self._replace(known, client, target, (route,), left)
            return left

    def revoke(self, client: str, target: str, route: api.Route) -> None:
        """End every route whose path, as text, the pattern `route.path` covers.

        A grant with other routes goes on with those, under a new id and the same caveats.

        Raises:
            BadPattern: the path is no pattern.
        """
        with self._state.transaction():
            for permission in self._state.grants.held(client, target):
                left = tuple(
                    each
                    for each in permission.routes
                    if each.method != route.method or not policy.covers(route.path, each.path)
                )
                if left == permission.routes:
                    continue
                self._end(permission, "narrowed" if left else "by the manager")
                if left:
                    self._make(_request(permission.grant, left))

    def _route(self, client: str, target: str, route: api.Route) -> Permission | None:
        held = self._state.grants.held(client, target)
        return next((p for p in held if p.grant.kind == ROUTE and p.routes == (route,)), None)

    def _replace(
        self,
        known: Permission | None,
        client: str,
        target: str,
        routes: tuple[api.Route, ...],
        caveats: tuple[str, ...],
    ) -> None:
        # A new id: tokens minted before do not carry the new caveats, so they must not hold on.
        if known:
            self._end(known, "narrowed")
        self._make(
            api.GrantRequest(
                client=client, target=target, kind=ROUTE, routes=routes, caveats=caveats
            )
        )

    def _make(self, request: api.GrantRequest) -> Permission:
        permission = self._state.grants.make(request, self._clock.now())
        grant = permission.grant
        self._record(
            Granted(
                grant=grant.id,
                client=grant.client,
                target=grant.target,
                routes=tuple(f"{route.method} {route.path}" for route in permission.routes),
                caveats=grant.caveats,
                kind=grant.kind,
                source=grant.source,
                label=grant.label,
            )
        )
        return permission

    def _end(self, permission: Permission, why: str) -> Permission:
        grant = permission.grant
        self._record(
            Revoked(
                grant=grant.id,
                client=grant.client,
                target=grant.target,
                why=why,
                kind=grant.kind,
                source=grant.source,
                label=grant.label,
            )
        )
        return self._state.grants.end(permission, self._clock.now())


def _request(grant: api.Grant, routes: tuple[api.Route, ...]) -> api.GrantRequest:
    fields = {
        name: value
        for name, value in msgspec.structs.asdict(grant).items()
        if name in api.GrantRequest.__struct_fields__
    }
    return api.GrantRequest(**fields, routes=routes)
