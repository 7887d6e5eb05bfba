"""Reads a granted source from its store.

Long spans are read piece by piece, each piece as long as fits well into one answer, so memory
stays bounded whatever the store holds.
"""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from typing import Any

from databox.sdk.objects import Objects
from databox.sdk.peers import MAX_REPLY, Peers, Route
from databox.sdk.readings import Reading
from databox.sdk.surroundings import Granted
from databox.wire.errors import TooLarge, Unavailable
from databox.wire.exactness import WINDOWS_MS

PATIENCE = 3.0
"""Seconds a read waits for a store that heals; a screen is asked for again soon anyway."""

FIRST_PIECE = 6 * 3_600_000
SHORTEST_PIECE = 1000
SMALL_REPLY = MAX_REPLY // 4

_BOUND = re.compile(rb"(startTimestamp >=|endTimestamp <=) (\d{1,16})\n")


class StoredReader:
    """One source of one store, under the grants the owner gave."""

    allowed = True

    def __init__(self, peers: Peers, granted: Granted) -> None:
        self.peers = peers
        self.granted = granted
        self.unit = granted.unit
        self.exact = granted.exact

    def latest(self) -> Reading | None:
        """The newest reading; with windows, the last closed one."""
        body = self.peers.call(self._route("latest"), patience=PATIENCE)
        found = readings(body, windows=self.exact in WINDOWS_MS)
        return found[-1] if found else None

    def between(self, start: int, end: int) -> Iterator[Reading]:
        """Readings from `start` to `end`, oldest first, as far back as the owner allows."""
        earliest, newest = bounds(self.peers.token(self._route("range"), patience=PATIENCE))
        start, end = max(start, earliest), min(end, newest)
        # A window that is cut is not shown at all.
        step = WINDOWS_MS.get(self.exact, 1)
        piece = max(FIRST_PIECE, step)
        while start <= end:
            upto = min(end, (start + piece) // step * step - 1)
            try:
                body = self._range(start, upto)
            except TooLarge:
                if piece <= max(step, SHORTEST_PIECE):
                    raise
                piece = max(step, piece // 4)
                continue
            yield from readings(body, windows=self.exact in WINDOWS_MS)
            if len(body) < SMALL_REPLY:
                piece *= 2
            start = upto + 1

    def objects(self) -> Objects:
        """The source's large objects."""
        return Objects(self.peers, self.granted.store, self.granted.source)

    def _range(self, start: int, end: int) -> bytes:
        asked = json.dumps({"startTimestamp": start, "endTimestamp": end}).encode()
        return self.peers.call(self._route("range"), asked, patience=PATIENCE)

    def _route(self, what: str) -> Route:
        return Route(self.granted.store, "GET", f"/{self.granted.source}/ts/{what}")


def readings(body: bytes, *, windows: bool) -> list[Reading]:
    """Read a store's answer: a list of records, each `{data, timestamp}`.

    Raises:
        Unavailable: it is something else.
    """
    try:
        return [reading_of(record, windows) for record in json.loads(body)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unavailable("the store's answer is not a list of readings") from error


def bounds(token: str) -> tuple[int, int]:
    """The earliest and latest time that a token allows, Unix ms.

    A token's limits are no secret from its holder. Asking for more than they allow is refused
    as a whole, so the reader asks for the part that is allowed.
    """
    text = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    earliest, newest = 0, 2**53
    for name, digits in _BOUND.findall(text):
        if name.startswith(b"start"):
            earliest = max(earliest, int(digits))
        else:
            newest = min(newest, int(digits))
    return earliest, newest


def reading_of(record: Any, windows: bool) -> Reading:
    """One record of a store, of one value or of a window."""
    t, value = int(record["timestamp"]), record["data"]
    if not windows:
        return Reading(t, value)
    if isinstance(value.get("count"), int):
        return _window(t, value)
    return _window_of_fields(t, value)


def _window(t: int, summary: dict[str, Any]) -> Reading:
    return Reading(
        t=t,
        value=summary.get("mean"),
        weight=summary["count"],
        least=summary.get("min"),
        most=summary.get("max"),
    )


def _window_of_fields(t: int, fields: dict[str, dict[str, Any]]) -> Reading:
    """A window of values with fields: the mean of each, and how many values there were."""
    means = {name: summary["mean"] for name, summary in fields.items()}
    return Reading(t, means, weight=max(summary["count"] for summary in fields.values()))
