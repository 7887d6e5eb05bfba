"""Those who follow one source over a connection of their own, as it is written.

A tail hears of each event once. What is written while it is still being told what it missed waits
here, and is left out of what it is told of the past. A tail that does not keep up is ended: the
reader comes back with the number of its last event, and so loses nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from databox.kit.guard import Verified
from databox.store.asked import visible
from databox.store.engine import tags as series
from databox.store.feed import Event, Point
from databox.store.leaving import Fields

MOST_WAITING = 1024 * 1024
"""Bytes that wait for a reader before it is ended as too slow."""
TOO_SLOW, STOPPED, EXPIRED, GONE = "too slow", "access was stopped", "token expired", "gone"
STOPS = "the store stops"


class Tail:
    """One who follows a source. Events wait here until they are taken.

    Args:
        verified: Under which token.
        source: Which source.
        tags: What a series must have.
        fields: The members of documents that were asked for.
    """

    def __init__(
        self, verified: Verified, source: str, tags: Mapping[str, str], fields: Fields
    ) -> None:
        self.verified = verified
        self.source = source
        self.fields = fields
        self.ended = ""
        self.windows_from = 0
        self.tags = tags
        self._seen = visible(verified.caveats)
        self._waiting: deque[Event] = deque()
        self._size = 0
        self._expected: set[tuple[str, int]] | None = set()
        self._came = asyncio.Event()

    def wants(self, tags: str, t: int) -> bool:
        """Whether a point of this series and time is for them."""
        fits = not self.tags or self.tags.items() <= series.parse(tags).items()
        return fits and self._seen.first <= t <= self._seen.last

    def seen(self, t: int) -> int:
        """A time as far as it may be told: the nearest that the token shows."""
        return min(max(t, self._seen.first), self._seen.last)

    def expect(self, tags: str, points: Iterable[Point]) -> None:
        """These points will be delivered, so they need not be told of as past."""
        if self._expected is not None:
            self._expected.update((tags, t) for t, _ in points)

    def is_expected(self, tags: str, t: int) -> bool:
        """Whether this point will be delivered."""
        return self._expected is not None and (tags, t) in self._expected

    def caught_up(self) -> None:
        """All that was missed is told."""
        self._expected = None

    def deliver(self, events: Sequence[Event]) -> None:
        """Let events wait to be taken."""
        if self.ended:
            return
        self._waiting.extend(events)
        self._size += sum(len(each.body) for each in events)
        if self._size > MOST_WAITING:
            self.end(TOO_SLOW)
        self._came.set()

    def end(self, why: str) -> None:
        """Deliver nothing more, not even what waits."""
        if not self.ended:
            self.ended = why
            self._waiting.clear()
            self._came.set()

    async def take(self, seconds: float) -> list[Event]:
        """What waits, once there is something; empty after so long, or when it has ended."""
        try:
            async with asyncio.timeout(seconds):
                while not (self._waiting or self.ended):
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            return []
        taken = list(self._waiting)
        self._waiting.clear()
        self._size = 0
        return taken


class Tails:
    """All tails of a store."""

    def __init__(self) -> None:
        self._of: dict[str, set[Tail]] = {}

    def add(self, tail: Tail) -> None:
        """Somebody follows a source."""
        self._of.setdefault(tail.source, set()).add(tail)

    def remove(self, tail: Tail) -> None:
        """They do so no more."""
        tails = self._of.get(tail.source, set())
        tails.discard(tail)
        if not tails:
            self._of.pop(tail.source, None)

    def of(self, source: str) -> list[Tail]:
        """Those who follow a source, point by point."""
        return [each for each in self._of.get(source, ()) if not each.verified.caveats.exact]

    def to_windows(self) -> list[Tail]:
        """Those who get windows instead of points."""
        return [each for each in self._all() if each.verified.caveats.exact]

    def end_all(self) -> None:
        """The store stops; who follows comes back when there is another."""
        self._end(lambda _: True, STOPS)

    def end_grants(self, ended: Iterable[str]) -> None:
        """End at once what was permitted by these grants."""
        over = frozenset(ended)
        self._end(lambda verified: verified.grant in over, STOPPED)

    def end_expired(self, now: int) -> None:
        """End what was permitted by tokens that no longer hold."""
        self._end(lambda verified: not verified.caveats.permits_time(now), EXPIRED)

    def _end(self, over: Callable[[Verified], bool], why: str) -> None:
        for tail in self._all():
            if over(tail.verified):
                tail.end(why)
                self.remove(tail)

    def _all(self) -> list[Tail]:
        return [each for tails in self._of.values() for each in tails]
