"""What every answer is made with: the door, the file to read from, and what is kept in memory."""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TypeVar

from databox.kit.clock import Clock
from databox.store.door import Door
from databox.store.feed import Feed
from databox.store.file import Reader
from databox.store.latest import Latest
from databox.store.listing import Listing
from databox.store.subscriptions import Subscriptions
from databox.store.tails import Tails

T = TypeVar("T")


@dataclass
class Means:
    """Handed to each kind of answer.

    Args:
        door: Records accesses.
        reader: A connection for the reading thread, which `executor` is.
        clock: A time that never goes back.
        origin: Where this store is, such as `https://hue-store:443`.
    """

    door: Door
    reader: Reader
    executor: Executor
    clock: Clock
    origin: str
    listing: Listing
    latest: Latest = field(default_factory=Latest)
    subscriptions: Subscriptions = field(default_factory=Subscriptions)
    tails: Tails = field(default_factory=Tails)
    feed: Feed = field(default_factory=Feed)

    def end_grants(self, ended: Iterable[str]) -> None:
        """End at once what goes on under these grants."""
        self.subscriptions.end_grants(ended)
        self.tails.end_grants(ended)

    def end_expired(self, now: int) -> None:
        """End what goes on under tokens that no longer hold at `now`, Unix ms."""
        self.subscriptions.end_expired(now)
        self.tails.end_expired(now)

    async def read(self, work: Callable[[Reader], T]) -> T:
        """Do something with the reader on the reading thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.executor, work, self.reader)
