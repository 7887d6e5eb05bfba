"""Answers made from the file: bodies, batches and windows. Runs on the reading thread."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from databox.store import windows
from databox.store.asked import Stretch
from databox.store.reader import Reader
from databox.store.readings import Reading, record
from databox.wire.errors import TooLarge

MOST_WINDOWS = 50_000
_TRIES = 64
"""Windows without enough readings that are passed over in search of the latest one."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows as answers have them, and the time they cover."""

    records: list[bytes]
    earliest: int | None = None
    latest: int | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(map(len, self.records))


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an answer, and what it shows; `last`: nothing comes behind it."""

    body: bytes
    last: bool
    items: int = 0
    size: int = 0
    earliest: int | None = None
    latest: int | None = None


def array(records: list[bytes]) -> bytes:
    """A JSON array."""
    return b"[%b]" % b",".join(records)


def parts(reader: Reader, source: str, stretch: Stretch) -> Iterator[Part]:
    """The readings of a stretch as one JSON array, in parts of bounded size."""
    opening = b"["
    gathered: list[Reading] = []
    for batch in reader.readings(source, stretch.first, stretch.last):
        if gathered:
            yield _part(opening, source, gathered, b"")
            opening = b","
        gathered = batch
    yield _part(opening, source, gathered, b"]")


def closed_windows(
    reader: Reader, source: str, stretch: Stretch, *, length: int, now: int
) -> Windows:
    """The closed windows that lie in a stretch as a whole.

    Raises:
        TooLarge: there are more than one answer may have.
    """
    first = windows.first_whole(stretch.first, length)
    end = min(windows.closed_before(now, length), windows.start_of(stretch.last + 1, length))
    found = list(islice(_windows(reader, source, first, end, length=length), MOST_WINDOWS + 1))
    if len(found) > MOST_WINDOWS:
        raise TooLarge(
            "there are too many windows for one answer",
            found=f"more than {MOST_WINDOWS}",
            remedy="Ask for a shorter stretch of time",
        )
    return Windows(found, first, end - 1) if found else Windows([])


def latest_window(
    reader: Reader, source: str, stretch: Stretch, *, length: int, now: int
) -> Windows:
    """The last closed window in a stretch that has enough readings, if there is one."""
    first = windows.first_whole(stretch.first, length)
    end = min(windows.closed_before(now, length), windows.start_of(stretch.last + 1, length))
    for _ in range(_TRIES):
        newest = reader.newest(source, end - 1)
        if newest is None or newest.t < first:
            break
        start = windows.start_of(newest.t, length)
        found = list(_windows(reader, source, start, start + length, length=length))
        if found:
            return Windows(found, start, start + length - 1)
        end = start
    return Windows([])


def _windows(reader: Reader, source: str, first: int, end: int, *, length: int) -> Iterator[bytes]:
    """The windows from `first` up to before `end`, both whole windows' bounds."""
    batches = reader.readings(source, first, end - 1)
    readings = (reading for batch in batches for reading in batch)
    return windows.summarize(readings, source, length)


def _part(opening: bytes, source: str, readings: list[Reading], closing: bytes) -> Part:
    body = opening + b",".join(record(source, each) for each in readings) + closing
    size = sum(len(each.data) for each in readings)
    if not readings:
        return Part(body, bool(closing))
    return Part(body, bool(closing), len(readings), size, readings[0].t, readings[-1].t)
