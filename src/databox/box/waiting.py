"""Waiting for an address inside a sandbox that its last listener has not let go of yet."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from databox.wire.errors import Conflict

PAUSES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Seconds between tries to listen where the switchboard may still hold the last listener."""


async def while_taken(listen: Callable[[], Awaitable[None]]) -> None:
    """Listen, waiting for the switchboard to let go of what was closed a moment ago.

    Raises:
        Conflict: the app itself has taken the address.
    """
    for pause in PAUSES:
        with contextlib.suppress(Conflict):
            await listen()
            return
        await asyncio.sleep(pause)
    await listen()
