"""The grants, in force and ended, and each target's revocation epoch."""

from collections.abc import Sequence

import apsw
import msgspec

from databox.arbiter.policy import Permission
from databox.kit.database import rows
from databox.wire import api

_COLUMNS = "SELECT id, body, routes, ended, last_used FROM arbiter_grant"


class Grants:
    """Reads and writes grants; every change within the caller's transaction.

    An ended grant stays, so that its id is never taken for another and its target can be told.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def held(self, client: str, target: str | None = None) -> tuple[Permission, ...]:
        """A client's grants that have not ended, on one target or all."""
        return self._many(
            "WHERE ended IS NULL AND client = ?1 AND (?2 IS NULL OR target = ?2)", (client, target)
        )

    def on(self, target: str) -> tuple[Permission, ...]:
        """Everybody's grants on a target that have not ended."""
        return self._many("WHERE ended IS NULL AND target = ?", (target,))

    def all(self, *, ended: bool) -> tuple[Permission, ...]:
        """Every grant, oldest first; ended ones too if so asked."""
        return self._many("" if ended else "WHERE ended IS NULL", ())

    def find(self, grant: str) -> Permission | None:
        """The grant with this id."""
        number = grant[1:]
        if not (grant.startswith("g") and number.isascii() and number.isdecimal()):
            return None
        found = self._many("WHERE id = ?", (int(number[:18]),))
        return found[0] if found and found[0].grant.id == grant else None

    def over(self, now: int) -> tuple[Permission, ...]:
        """Grants whose time has come to end, and that have not ended."""
        return self._many("WHERE ended IS NULL AND until <= ?", (now,))

    def make(self, request: api.GrantRequest, now: int) -> Permission:
        """Write a new grant."""
        grant = api.Grant(
            id="",
            client=request.client,
            target=request.target,
            kind=request.kind,
            source=request.source,
            exact=request.exact,
            fields=request.fields,
            since=request.since,
            until=request.until,
            destinations=request.destinations,
            caveats=request.caveats,
            label=request.label,
            made=now,
        )
        self._connection.execute(
            "INSERT INTO arbiter_grant (client, target, body, routes, until)"
            " VALUES (?, ?, ?, ?, ?)",
            (grant.client, grant.target, _text(grant), _text(request.routes), grant.until),
        )
        number = self._connection.last_insert_rowid()
        return Permission(msgspec.structs.replace(grant, id=f"g{number}"), request.routes)

    def end(self, permission: Permission, now: int) -> Permission:
        """End a grant, and raise its target's epoch."""
        grant = permission.grant
        self._connection.execute(
            "UPDATE arbiter_grant SET ended = ? WHERE id = ? AND ended IS NULL",
            (now, int(grant.id[1:])),
        )
        self._connection.execute(
            "INSERT INTO arbiter_epoch VALUES (?, 1)"
            " ON CONFLICT (target) DO UPDATE SET number = number + 1",
            (grant.target,),
        )
        return Permission(msgspec.structs.replace(grant, ended=now), permission.routes)

    def used(self, grant: str, now: int) -> None:
        """Note that a token was minted under a grant."""
        self._connection.execute(
            "UPDATE arbiter_grant SET last_used = ? WHERE id = ?", (now, int(grant[1:]))
        )

    def epoch(self, target: str, now: int) -> api.Epoch:
        """Which grants on a target have ended, and how often that changed."""
        number = rows(
            self._connection, "SELECT number FROM arbiter_epoch WHERE target = ?", (target,)
        )
        ended = rows(
            self._connection,
            "SELECT id FROM arbiter_grant WHERE target = ? AND ended IS NOT NULL ORDER BY id",
            (target,),
        )
        return api.Epoch(
            epoch=number[0][0] if number else 0,
            ended=tuple(f"g{row[0]}" for row in ended),
            now=now,
        )

    def _many(self, where: str, values: Sequence[str | int | None]) -> tuple[Permission, ...]:
        found = rows(self._connection, f"{_COLUMNS} {where} ORDER BY id", values)
        return tuple(_permission(*row) for row in found)


def _permission(
    number: int, body: str, routes: str, ended: int | None, last_used: int | None
) -> Permission:
    grant = msgspec.json.decode(body, type=api.Grant)
    grant = msgspec.structs.replace(grant, id=f"g{number}", ended=ended, last_used=last_used)
    return Permission(grant, msgspec.json.decode(routes, type=tuple[api.Route, ...]))


def _text(value: api.Grant | tuple[api.Route, ...]) -> str:
    return msgspec.json.encode(value).decode()
