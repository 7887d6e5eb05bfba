"""Readings by the minute or hour: what a token with a `granularity` caveat may see. Pure.

A window is shown only when it is closed and has enough readings, and it is aligned to 1970, so
that no choice of the asker can cut it down to one reading. Longer windows are made of shown ones
alone: made of the readings, an hour less its minutes would tell of a minute that is hidden. Shown
are minimum, maximum, mean and count of each numeric field; text, which may name anything, is not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

import msgspec

from databox.store.engine.sums import Sums
from databox.store.engine.windows import Window
from databox.wire.exactness import WINDOWS_MS

ENOUGH = 5
"""Readings that a window, and each field in it, must have: fewer would show single readings."""
GRACE = 2_000
"""Milliseconds that a window stays open after its end, for readings that are on their way.

A reading that comes later still changes its window: a driver may bring in old data.
"""

NAMES = {0: "raw"} | {length: name for name, length in WINDOWS_MS.items()}
"""The word for each length of a window in ms."""

# The time of a reading may stand in its data; its minimum would tell it to the millisecond.
_HIDDEN = frozenset({"timestamp"})


def closed_before(now: int, length: int) -> int:
    """The end of the newest closed window: all readings before this moment may be shown."""
    return (now - GRACE) // length * length


def start_of(t: int, length: int) -> int:
    """The start of the window that a moment lies in."""
    return t // length * length


def first_whole(t: int, length: int) -> int:
    """The start of the first window that begins at or after a moment."""
    return -(-t // length) * length


def visible(found: Iterable[Window]) -> Iterator[Window]:
    """The windows that have enough readings. The caller gives only closed, whole ones."""
    return (each for each in found if each.n >= ENOUGH and each.field not in _HIDDEN)


def longer(found: Iterable[Window], length: int) -> Iterator[Window]:
    """Windows put together to longer ones; `found` ascend in time. Percentiles are lost."""
    for start, each in groupby(found, lambda window: start_of(window.start, length)):
        fields: dict[str, Window] = {}
        for window in each:
            known = fields.get(window.field)
            fields[window.field] = _plus(known, window) if known else window
        for name in sorted(fields):
            yield replace(fields[name], start=start)


def records(
    found: Iterable[Window], source: str, length: int, *, extremes: bool = True
) -> Iterator[bytes]:
    """Windows as the interface of 2017 has them; `found` ascend in time.

    `extremes`: whether minimum and maximum are told.
    """
    for start, each in groupby(found, lambda window: window.start):
        shown = {window.field: _summary(window, extremes) for window in each}
        # A source either writes bare numbers or objects; where it mixed them, the fields are shown.
        named = {name: summary for name, summary in shown.items() if name}
        yield msgspec.json.encode(
            _Shown(
                datasource_id=source,
                data=named or shown[""],
                timestamp=start,
                id=f"{NAMES[length]}-{start}",
            )
        )


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A window as answers have it."""

    datasource_id: str
    data: dict[str, float] | dict[str, dict[str, float]]
    timestamp: int
    id: str = msgspec.field(name="_id")


def _summary(window: Window, extremes: bool) -> dict[str, float]:
    ends = {"min": window.min, "max": window.max} if extremes else {}
    return {**ends, "mean": window.mean, "count": window.n}


def _plus(one: Window, other: Window) -> Window:
    both = _sums(one).plus(_sums(other))
    return Window(one.start, one.field, both.n, both.least, both.most, both.total, both.squares)


def _sums(window: Window) -> Sums:
    return Sums(window.n, window.min, window.max, window.sum, window.squares)
