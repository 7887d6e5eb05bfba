"""What the manager asks of the other parts, as plain calls."""

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

from databox.kit.dialer import Dialer
from databox.manager import plan
from databox.wire import api
from databox.wire.errors import DataboxError, Unavailable, from_json
from databox.wire.ledger import Event

CONFIRM_SECONDS = 1.0


class Peers:
    """The arbiter, the ledger and the stores, seen from the manager."""

    def __init__(self, dialer: Dialer, arbiter_key: str) -> None:
        self._dialer = dialer
        self._key = arbiter_key

    async def record(self, *events: Event) -> None:
        """Write to the ledger; durable when this returns."""
        await self._dialer.call("entries", api.EntryRequest(events=events))

    async def know(self, name: str, kind: str, key: str) -> None:
        """Make a component known to the arbiter."""
        request = api.ComponentRequest(
            name=name,
            type=kind,  # type: ignore[arg-type]  # one of them, by the manifest
            key=key,
        )
        await self._dialer.call("component.make", request)

    async def forget(self, name: str) -> None:
        """Make the arbiter forget a component and end its grants."""
        await self._dialer.call("component.remove", args={"name": name})

    async def grant(self, request: api.GrantRequest) -> api.Grant:
        """Make one grant."""
        grant: api.Grant = await self._dialer.call("grant.make", request)
        return grant

    async def grants(self) -> tuple[api.Grant, ...]:
        """Every grant in force."""
        reply: api.Grants = await self._dialer.call("grant.list")
        return reply.grants

    async def end(self, grant: api.Grant) -> None:
        """End a grant at the arbiter, then have its target confirm that it is refused."""
        await self._dialer.call("grant.end", args={"id": grant.id})

    async def confirm(self, target: str, ended: Iterable[str]) -> bool:
        """Tell a target which grants ended; whether it confirmed within a second."""
        request = api.EpochRequest(epoch=0, ended=tuple(ended))
        endpoint = "export.epoch" if target == plan.EXPORT_SERVICE else "store.epoch"
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await self._dialer.call(endpoint, request, callee=target)
        except (TimeoutError, DataboxError, OSError):
            return False
        return True

    async def catalogue(self, store: str) -> list[dict[str, Any]]:
        """The items of a store's catalogue; an empty list while the store is away."""
        try:
            async with asyncio.timeout(5):
                token = await self._token(store, "/cat", "GET")
                response = await self._dialer.fetch(
                    store, "GET", "/cat", headers={"x-api-key": token}
                )
        except (TimeoutError, Unavailable, OSError):
            return []
        if response.status != 200:
            return []
        items = json.loads(response.body).get("items", [])
        return [item for item in items if isinstance(item, dict)]

    async def _token(self, target: str, path: str, method: str) -> str:
        response = await self._dialer.fetch(
            "arbiter",
            "POST",
            "/token",
            headers={"x-api-key": self._key, "content-type": "application/json"},
            body=json.dumps({"target": target, "path": path, "method": method}).encode(),
        )
        if response.status != 200:
            raise from_json(response.status, None)
        return response.body.decode()


async def end_all(peers: Peers, grants: Sequence[api.Grant]) -> tuple[list[str], int]:
    """End grants and wait until every target refuses them.

    Returns:
        The targets that did not confirm in time, and the milliseconds it took.
    """
    start = time.monotonic()
    for grant in grants:
        await peers.end(grant)
    by_target: dict[str, list[str]] = {}
    for grant in grants:
        by_target.setdefault(grant.target, []).append(grant.id)
    targets = list(by_target)
    answers = await asyncio.gather(*(peers.confirm(each, by_target[each]) for each in targets))
    silent = [target for target, sure in zip(targets, answers, strict=True) if not sure]
    return silent, round((time.monotonic() - start) * 1000)
