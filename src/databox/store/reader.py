"""What is committed in a store's file, for one thread that reads."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeVar

import apsw

from databox.kit.database import explained, rows
from databox.store import audit
from databox.store.engine.blocks import attempt
from databox.store.engine.points import RUN_BYTES, Damage, Position, Run, render
from databox.store.engine.runs import Runs, Span
from databox.store.engine.scan import Scan
from databox.store.engine.summing import Asked, Summing
from databox.store.engine.windows import Window
from databox.store.objects.rows import ObjectRows
from databox.store.readings import LATEST, Reading

T = TypeVar("T")

Tags = str | Collection[str] | None
"""Series by their tags, as canonical text: one, several, or all there are."""


class Reader:
    """Reads what is committed; one thread at a time.

    Each call sees one state of the file, and each step of an iterator the newest one: nothing is
    held open between the steps.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._scan = Scan(connection)
        self.objects = ObjectRows(connection)

    def newest(self, source: str, last: int = LATEST, tags: Tags = None) -> Reading | None:
        """The newest reading up to `last`, Unix ms."""
        found = self._look(lambda: self._scan.newest(self._chosen(source, tags), last))
        if found is None:
            return None
        t, series, content = found
        return Reading.of(series, t, content if isinstance(content, bytes) else render(content))

    def runs(  # noqa: PLR0913 - what a question about points has
        self,
        source: str,
        first: int,
        last: int,
        *,
        tags: Tags = None,
        after: Position | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> Iterator[Run]:
        """The points from `first` to `last`, Unix ms, both inclusive, in order of (time, series).

        `after`: goes on behind this place, in the direction asked; `limit`: points in all.
        """
        runs = Runs(self._scan, Span(first, last, newest_first), after, limit)
        while True:
            if not self._look(lambda: runs.gather(self._chosen(source, tags))):
                return
            while (run := runs.ready()) is not None:
                yield run

    def readings(
        self, source: str, first: int, last: int, *, tags: Tags = None, batch: int = 1000
    ) -> Iterator[list[Reading]]:
        """The same as readings, in batches.

        A batch is over after `batch` readings, or the one with which it passes `RUN_BYTES`.
        """
        gathered: list[Reading] = []
        size = 0
        for run in self.runs(source, first, last, tags=tags):
            for reading in _readings(run):
                gathered.append(reading)
                size += len(reading.data)
                if len(gathered) == batch or size > RUN_BYTES:
                    yield gathered
                    gathered, size = [], 0
        if gathered:
            yield gathered

    def count(self, source: str, first: int, last: int, tags: Tags = None) -> int:
        """How many points there are from `first` to `last`, Unix ms."""
        return self._look(lambda: self._scan.count(self._chosen(source, tags), first, last))

    def windows(  # noqa: PLR0913 - what a question about windows has
        self,
        source: str,
        first: int,
        end: int,
        length: int,
        *,
        tags: Tags = None,
        fields: Collection[str] | None = None,
        percentiles: Sequence[float] = (),
    ) -> Iterator[Window]:
        """What the points come to, in windows from `first` up to before `end`, Unix ms.

        The windows are `length` ms long, the first one begins at `first`; those without points are
        left out. The points of all series asked for count together. `fields`: those of documents,
        the empty name for bare numbers; None is all. `percentiles`: such as 50 or 99.9.
        """
        asked = Asked(first, end, length, fields, tuple(percentiles))
        summing = Summing(self._connection, self._scan, asked)
        while True:
            found = self._look(lambda: summing.some(self._chosen(source, tags)))
            if found is None:
                return
            yield from found

    def series(self, source: str) -> list[str]:
        """The series of a source, as the canonical text of their tags."""
        query = "SELECT tags FROM series WHERE source = ? ORDER BY tags"
        return [row[0] for row in self._rows(query, (source,))]

    def number(self, source: str, tags: str) -> int | None:
        """The number of one series, which is a part of the names of its points in answers."""
        found = self._rows("SELECT id FROM series WHERE source = ? AND tags = ?", (source, tags))
        return int(found[0][0]) if found else None

    def sources(self) -> list[str]:
        """Every source that has points."""
        found = self._rows("SELECT DISTINCT source FROM series ORDER BY source")
        return [row[0] for row in found]

    def damage(self) -> list[Damage]:
        """What was found unreadable so far."""
        return self._look(self._scan.damage)

    def value(self, key: str) -> tuple[bytes, str] | None:
        """The value under a key and its media type."""
        found = self._rows("SELECT value, type FROM value WHERE key = ?", (key,))
        return (bytes(found[0][0]), str(found[0][1])) if found else None

    def has_value(self, key: str) -> bool:
        """Whether there is a value under a key."""
        return bool(self._rows("SELECT 1 FROM value WHERE key = ?", (key,)))

    def keys(self, prefix: str = "", after: str = "", limit: int = 1000) -> list[str]:
        """Keys that begin with `prefix`, in order, from behind `after` on."""
        query = (
            "SELECT key FROM value WHERE key > ?2 AND key >= ?1 AND (?3 IS NULL OR key < ?3)"
            " ORDER BY key LIMIT ?4"
        )
        return [row[0] for row in self._rows(query, (prefix, after, _behind(prefix), limit))]

    def key_count(self, prefix: str = "") -> int:
        """How many keys begin with `prefix`."""
        query = "SELECT count(*) FROM value WHERE key >= ?1 AND (?2 IS NULL OR key < ?2)"
        return int(self._rows(query, (prefix, _behind(prefix)))[0][0])

    def items(self) -> list[bytes]:
        """The catalogue's items in the order of their first registration, as JSON."""
        return [row[0] for row in self._rows("SELECT json FROM item ORDER BY n")]

    def endings(self) -> tuple[int, list[str]]:
        """The last known epoch and every grant that ended."""
        return self.state("epoch"), [row[0] for row in self._rows("SELECT grant FROM ended")]

    def state(self, name: str) -> int:
        """A number of the store's own, 0 if it was never set."""
        found = self._rows("SELECT value FROM state WHERE name = ?", (name,))
        return int(found[0][0]) if found else 0

    def accesses(self, after: int, last: int | None, most: int) -> list[audit.Row]:
        """Rows of the chain after number `after`, up to `last`, that record any access."""
        found = self._rows(
            "SELECT n, t, total, blob, head FROM audit"
            " WHERE n > ? AND (?2 IS NULL OR n <= ?2) AND length(blob) > 2 ORDER BY n LIMIT ?",
            (after, last, most),
        )
        return [audit.Row(*row) for row in found]

    def total(self, last: int | None = None) -> int:
        """How many accesses the chain records up to row `last`; without one, all of them."""
        until = 2**62 if last is None else last
        found = self._rows(
            "SELECT total FROM audit WHERE n <= ? ORDER BY n DESC LIMIT 1", (until,)
        ) or self._rows(
            "SELECT total FROM pack WHERE last <= ? ORDER BY last DESC LIMIT 1", (until,)
        )
        return int(found[0][0]) if found else 0

    def head_at(self, records: int) -> str:
        """The chain's head, in hex, where it comes to record that many; "" if it never does."""
        packed = self._rows(
            "SELECT rows, head, (SELECT head FROM pack AS before WHERE before.last < pack.last"
            " ORDER BY last DESC LIMIT 1) FROM pack WHERE total >= ? ORDER BY last LIMIT 1",
            (records,),
        )
        if packed:
            pressed, end, before = packed[0]
            return audit.head_within(audit.unpress(pressed, end), before or audit.START, records)
        found = self._rows(
            "SELECT total, head FROM audit WHERE total >= ? ORDER BY n LIMIT 1", (records,)
        )
        return found[0][1].hex() if found and found[0][0] == records else ""

    def newest_access(self) -> audit.Row | None:
        """The last row of the chain that records any access, unless it was pressed already."""
        found = self._rows(
            "SELECT n, t, total, blob, head FROM audit WHERE length(blob) > 2"
            " ORDER BY n DESC LIMIT 1"
        )
        return audit.Row(*found[0]) if found else None

    def chain(self) -> Iterator[audit.Row]:
        """The whole chain of accesses, oldest first."""
        after = 0
        while packed := self._rows(
            "SELECT last, rows, head FROM pack WHERE last > ? ORDER BY last LIMIT 1", (after,)
        ):
            after, pressed, head = packed[0]
            yield from audit.unpress(pressed, head)
        while found := self._rows(
            "SELECT n, t, total, blob, head FROM audit WHERE n > ? ORDER BY n LIMIT 500", (after,)
        ):
            yield from (audit.Row(*row) for row in found)
            after = found[-1][0]

    def close(self) -> None:
        """Close this connection."""
        with explained():
            self._connection.close()

    def _look(self, work: Callable[[], T]) -> T:
        """Do something within one snapshot."""

        def begun() -> T:
            self._scan.begin()
            return work()

        return attempt(self._connection, self._scan.blocks, begun)

    def _chosen(self, source: str, tags: Tags) -> dict[int, str]:
        if tags is None or isinstance(tags, str):
            return self._scan.series(source, tags)
        found = self._scan.series(source)
        return {number: text for number, text in found.items() if text in tags}

    def _rows(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return rows(self._connection, text, values)


def _readings(run: Run) -> Iterator[Reading]:
    which = run.which if run.which is not None else [0] * len(run)
    for t, place, data in zip(run.times.tolist(), which, run.texts(), strict=True):
        yield Reading.of(run.series[place], t, data)


def _behind(prefix: str) -> str | None:
    """The first text behind all that begin with `prefix`; None if nothing is."""
    for place in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[place]) + 1
        if code == 0xD800:
            code = 0xE000
        if code <= 0x10FFFF:
            return prefix[:place] + chr(code)
    return None
