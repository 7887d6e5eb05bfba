"""Blocks in the file: which there are, and reading, writing and removing one.

The blocks of a series never overlap in time. A block's row tells where it is in time and what its
points sum up to; its bytes are in another table, so that a page of those that cannot be read costs
only this block.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar

import apsw

from databox.kit.database import rows, transaction
from databox.store.engine.points import render
from databox.store.readings import EARLIEST, LATEST
from databox.wire.errors import Unavailable

if TYPE_CHECKING:
    from databox.store.engine.batch import Batch
    from databox.store.engine.codec import Codec

MOST_POINTS: Final = 4096
MOST_BYTES: Final = 256 * 1024
"""What a block holds at most; a single document may be larger than that."""

_TRIES: Final = 16
"""Unreadable blocks that are passed over in search of the newest point."""

_PARTS: Final = 16
"""Rows that a block's bytes may be in: the sketches, the first part, and up to five small ones."""
_PAGE, _BESIDE, _SMALL = 4060, 480, 980
"""Bytes of a row that fill a page of their own, that stay beside other rows, that four fit of.

Source: SQLite's file format, 1.6, for pages of 4,096 bytes of which the cipher takes 32.
"""
_NO_SKETCHES: Final = b"\x90"

_META: Final = "SELECT series, first, last, points, bytes, chunk FROM block"


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Meta:
    """Where a block is. `first`, `last`: Unix ms, both inclusive; `size`: bytes, unpacked."""

    series: int
    first: int
    last: int
    points: int
    size: int
    chunk: int

    @property
    def is_small(self) -> bool:
        """Whether what comes beside it should rather go into it."""
        return self.points < MOST_POINTS // 2 and self.size < MOST_BYTES // 2


class UnreadableError(Exception):
    """A block's bytes are lost. `why`: one word."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class LostBlockError(Exception):
    """A page of a block failed its check: the transaction is over, and has to begin anew.

    Then the block is known to be lost, and its pages are not touched any more.
    """


class Blocks:
    """The blocks of a file, through one connection and on one thread."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._codec: Codec | None = None
        self.lost: dict[int, str] = {}
        self._next = 0

    def overlapping(self, series: int, first: int, last: int, most: int = -1) -> list[Meta]:
        """The blocks that reach into a stretch of time, in order."""
        if first > last:
            return []
        before = self.before(series, first)
        inside = rows(
            self._connection,
            f"{_META} WHERE series = ? AND first > ? AND first <= ? ORDER BY first LIMIT ?",
            (series, first, last, most),
        )
        found = [Meta(*row) for row in inside]
        if before is not None and before.last >= first:
            return [before, *found]
        return found

    def overlapping_backwards(self, series: int, first: int, last: int, most: int) -> list[Meta]:
        """The same from the newest on."""
        found = rows(
            self._connection,
            f"{_META} WHERE series = ? AND first <= ? ORDER BY first DESC LIMIT ?",
            (series, last, most),
        )
        return [meta for meta in (Meta(*row) for row in found) if meta.last >= first]

    def before(self, series: int, t: int) -> Meta | None:
        """The last block that begins at or before a moment."""
        found = rows(
            self._connection,
            f"{_META} WHERE series = ? AND first <= ? ORDER BY first DESC LIMIT 1",
            (series, t),
        )
        return Meta(*found[0]) if found else None

    def behind(self, series: int, t: int) -> Meta | None:
        """The first block that begins after a moment."""
        found = rows(
            self._connection,
            f"{_META} WHERE series = ? AND first > ? ORDER BY first LIMIT 1",
            (series, t),
        )
        return Meta(*found[0]) if found else None

    def read(self, meta: Meta) -> "Batch":
        """The points of a block.

        Raises:
            UnreadableError: its bytes are lost.
            LostBlockError: they are lost as it turns out.
        """
        # The columns load numpy, see `arrays`.
        from databox.store.engine.codec import CodecError

        content = self._chunk(meta, 1, _PARTS - 1)
        try:
            batch = self._code().decode(content)
        except CodecError as error:
            raise UnreadableError("codec") from error
        if (len(batch), batch.first, batch.last) != (meta.points, meta.first, meta.last):
            raise UnreadableError("mismatch")
        return batch

    def write(self, series: int, batch: "Batch") -> list[Meta]:
        """Put points into blocks of their own; nothing of the series may lie between them."""
        return [self._write(series, batch.part(*piece)) for piece in _pieces(batch)]

    def remove(self, meta: Meta) -> None:
        """Remove a block with its sums.

        Raises:
            LostBlockError: its bytes cannot be reached; next time they are left where they are.
        """
        place = (meta.series, meta.first)
        self._connection.execute("DELETE FROM block WHERE series = ? AND first = ?", place)
        if meta.chunk in self.lost:
            return
        with self._noted(meta):
            self._connection.execute(
                "DELETE FROM chunk WHERE id BETWEEN ? AND ?", _places(meta, 0, _PARTS - 1)
            )

    def retire(self, meta: Meta, why: str) -> None:
        """Take a block that is lost out of the way, and remember it."""
        self._connection.execute(
            "INSERT OR REPLACE INTO damage VALUES (?, ?, ?, ?)",
            (meta.series, meta.first, meta.last, why),
        )
        self.remove(meta)

    def sums(self, series: int, first: int, last: int) -> Iterator[tuple[Meta, bytes]]:
        """The blocks that reach into a stretch of time, each with its packed sums."""
        before = self.before(series, first)
        start = first if before is None or before.last < first else before.first
        found = rows(
            self._connection,
            "SELECT series, first, last, points, bytes, chunk, sums FROM block"
            " WHERE series = ? AND first >= ? AND first <= ? ORDER BY first",
            (series, start, last),
        )
        return ((Meta(*row[:6]), row[6]) for row in found)

    def packed(self, meta: Meta) -> tuple[bytes, bytes]:
        """The packed sums and sketches of one block."""
        query = "SELECT sums FROM block WHERE series = ? AND first = ?"
        found = rows(self._connection, query, (meta.series, meta.first))
        return found[0][0], self.sketches(meta)

    def sketches(self, meta: Meta) -> bytes:
        """The packed sketches of one block; those of no point if its bytes are lost.

        Raises:
            LostBlockError: they are lost as it turns out.
        """
        try:
            return self._chunk(meta, 0, 0)
        except UnreadableError:
            return _NO_SKETCHES

    def points_between(self, series: int, first: int, last: int) -> int:
        """About how many points there are: those of all blocks that begin in a stretch of time."""
        query = (
            "SELECT coalesce(sum(points), 0) FROM block"
            " WHERE series = ? AND first >= ? AND first <= ?"
        )
        return int(rows(self._connection, query, (series, first, last))[0][0])

    def note_newest(self, series: int, batch: "Batch") -> None:
        """Remember the newest point that is in a block, so that none is unpacked to find it."""
        content = batch.content(len(batch) - 1)
        data = content if isinstance(content, bytes) else render(content)
        self._connection.execute(
            "UPDATE series SET t = ?1, data = ?2 WHERE id = ?3 AND (t IS NULL OR t <= ?1)",
            (batch.last, data, series),
        )

    def find_newest(self, series: int) -> None:
        """Look for the newest point anew, after points were removed."""
        self._connection.execute("UPDATE series SET t = NULL, data = NULL WHERE id = ?", (series,))
        for meta in self.overlapping_backwards(series, EARLIEST, LATEST, _TRIES):
            try:
                self.note_newest(series, self.read(meta))
            except UnreadableError:
                continue
            return

    def _write(self, series: int, batch: "Batch") -> Meta:
        from databox.store.engine import rollup
        from databox.store.engine.batch import settled

        batch = settled(batch)
        sums, sketches = rollup.pack(batch)
        chunk = self._number()
        meta = Meta(series, batch.first, batch.last, len(batch), batch.size, chunk)
        parts = [sketches, *parts_of(self._code().encode(batch))]
        self._connection.executemany(
            "INSERT INTO chunk VALUES (?, ?)",
            [(chunk * _PARTS + place, part) for place, part in enumerate(parts)],
        )
        self._connection.execute(
            "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)",
            (series, meta.first, meta.last, meta.points, meta.size, chunk, sums),
        )
        return meta

    def _chunk(self, meta: Meta, first: int, last: int) -> bytes:
        """Some of the parts that the bytes of a block are in."""
        if meta.chunk in self.lost:
            raise UnreadableError(self.lost[meta.chunk])
        with self._noted(meta):
            # Straight from the library: which of its errors it is decides what is lost.
            query = "SELECT bytes FROM chunk WHERE id BETWEEN ? AND ? ORDER BY id"
            found: list[Any] = self._connection.execute(
                query, _places(meta, first, last)
            ).fetchall()
        if not found:
            raise UnreadableError("missing")
        return b"".join(part for (part,) in found)

    @contextmanager
    def _noted(self, meta: Meta) -> Iterator[None]:
        """Remember a block whose pages fail their check; the transaction is over then."""
        try:
            yield
        # A disk that fails to read may do so only now, and nothing may be given up for that.
        except (apsw.CorruptError, apsw.NotADBError) as error:
            self.lost[meta.chunk] = type(error).__name__.removesuffix("Error").lower()
            raise LostBlockError from error

    def _number(self) -> int:
        """A number for bytes that none had before while this runs: readers remember by it."""
        if not self._next:
            last = rows(self._connection, "SELECT max(id) FROM chunk")[0][0] or 0
            self._next = int(last) // _PARTS
        self._next += 1
        return self._next

    def _code(self) -> "Codec":
        if self._codec is None:
            from databox.store.engine.codec import Codec

            self._codec = Codec()
        return self._codec


def attempt(connection: apsw.Connection, blocks: Blocks, work: Callable[[], T]) -> T:
    """Do work in a transaction; anew, if a block turns out to be lost meanwhile.

    Raises:
        Unavailable: as `transaction`.
    """
    while True:
        known = len(blocks.lost)
        try:
            with transaction(connection):
                return work()
        except (LostBlockError, Unavailable):
            # Ending a transaction that has seen a bad page fails as well, and hides why.
            if len(blocks.lost) == known:
                raise


def parts_of(content: bytes) -> list[bytes]:
    """A block's bytes in parts that fill the pages of the file.

    A row keeps what does not fill pages of its own, up to a whole page, beside other rows: a block
    of one and a half pages would take two. So the first part fills its pages, and the rest is cut
    so small that several fit beside each other: 2.0 bytes a point instead of 2.6.
    """
    whole = max(len(content) - _BESIDE, 0) // _PAGE * _PAGE
    first = whole + _BESIDE if whole else _SMALL
    rest = range(first, len(content), _SMALL)
    return [content[:first], *(content[start : start + _SMALL] for start in rest)]


def _places(meta: Meta, first: int, last: int) -> tuple[int, int]:
    return meta.chunk * _PARTS + first, meta.chunk * _PARTS + last


def pieces(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """How points of these sizes, in bytes, are spread over blocks: alike, and in order."""
    cuts, start, size = [], 0, 0
    most = -(-len(sizes) // -(-len(sizes) // MOST_POINTS)) if sizes else 0
    for place, each in enumerate(sizes):
        if place > start and (place - start >= most or size + each > MOST_BYTES):
            cuts.append((start, place))
            start, size = place, 0
        size += each
    return [*cuts, (start, len(sizes))] if sizes else []


def _pieces(batch: "Batch") -> list[tuple[int, int]]:
    if batch.documents is not None:
        return pieces(list(map(len, batch.documents)))
    count = len(batch)
    blocks = -(-count // MOST_POINTS)
    bounds = [count * place // blocks for place in range(blocks + 1)] if blocks else [0]
    return list(pairwise(bounds))
