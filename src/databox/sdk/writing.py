"""Many points of a driver's source at once, written or deleted; as coroutines over a `Line`.

Unlike single readings they do not wait in memory: each call returns when the store has made them
durable. What is written twice, after an answer was lost, is there once.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from databox.sdk.columns import bodies
from databox.sdk.line import BINARY, JSON, Line
from databox.sdk.peers import Route
from databox.sdk.questions import Time, moment, tagged
from databox.wire.errors import Unavailable


class Writing:
    """Writes to one source of a driver's own store."""

    def __init__(self, line: Line, store: str, source: str) -> None:
        self._line = line
        self._store = store
        self._source = source

    async def write_many(
        self,
        times: Sequence[Time] | bytes,
        values: Sequence[Any] | bytes,
        *,
        tags: Mapping[str, str] | None = None,
    ) -> int:
        """As `DriverSource.write_many`."""
        route, count = self._route("columns"), 0
        for each in bodies(times, values, tags or {}):
            if each.binary:
                query = tagged("", tuple((tags or {}).items()))
                told = await self._line.call(route, each.body, query=query, type=BINARY)
            else:
                told = await self._line.call(route, each.body, type=JSON)
            count += _count(told, "written")
        return count

    async def delete(
        self, since: Time, until: Time, *, tags: Mapping[str, str] | None = None
    ) -> int:
        """As `DriverSource.delete`."""
        asked: dict[str, object] = {"from": moment(since), "to": moment(until)}
        if tags is not None:
            asked["tags"] = dict(tags)
        body = json.dumps(asked).encode()
        return _count(await self._line.call(self._route("delete"), body), "deleted")

    def _route(self, what: str) -> Route:
        return Route(self._store, "POST", f"/{self._source}/ts/{what}")


def _count(body: bytes, name: str) -> int:
    try:
        return int(json.loads(body)[name])
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable("the store answered something else") from error
