"""Writes into the ledger what fell and was started again: components, stores and our own parts.

The box sees it and has no pair to the ledger, so the manager writes what the box tells it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from databox.kit import log as lines
from databox.kit.clock import Clock
from databox.wire.control import InstanceState
from databox.wire.errors import DataboxError
from databox.wire.ledger import Event, Lifecycle

log = logging.getLogger("databox.manager")

QUIET = 60_000
"""Milliseconds for which more falls of the same one are not told: one that falls for ever, every
two seconds, would fill the ledger."""
AGAIN = 1.0
"""Seconds until the ledger is tried again: it may be what fell."""
TRIES = 30
_WAITING = 100
_MAX_REASON = 200

_TOLD = {"restarting": "crashed", "failed": "crashed too often and stays off"}


class Chronicle:
    """Hears how everything fares, and records what is worth it.

    Args:
        record: Writes to the ledger; durable when it returns.
        clock: Time of day.
    """

    def __init__(self, record: Callable[[Event], Awaitable[None]], clock: Clock) -> None:
        self._record = record
        self._clock = clock
        self._queue: asyncio.Queue[Lifecycle] = asyncio.Queue(_WAITING)
        self._told: dict[tuple[str, str], int] = {}

    def heard(self, state: InstanceState) -> None:
        """The box tells how one fares."""
        what = _TOLD.get(state.state)
        if what is None or self._told_lately(state.name, what) or self._queue.full():
            return
        reason = state.reason[:_MAX_REASON]
        self._queue.put_nowait(Lifecycle(component=state.name, event=what, reason=reason))

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._write(await self._queue.get())

    async def _write(self, event: Lifecycle) -> None:
        for _ in range(TRIES):
            try:
                await self._record(event)
            except (DataboxError, OSError) as error:
                lines.event(log, logging.WARNING, "fall-untold", of=event.component, why=error)
                await asyncio.sleep(AGAIN)
            else:
                return

    def _told_lately(self, name: str, what: str) -> bool:
        now = self._clock.now()
        told = self._told.get((name, what))
        if told is not None and 0 <= now - told < QUIET:
            return True
        self._told[name, what] = now
        return False
