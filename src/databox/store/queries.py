"""Answers made from the file: bodies, batches and windows. Runs on the reading thread."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice, repeat

import msgspec

from databox.store import leaving, places, windows
from databox.store.asked import Stretch
from databox.store.engine.points import Run
from databox.store.engine.windows import Window, summarize
from databox.store.parts import Part, gathered
from databox.store.reader import Reader, Tags
from databox.store.readings import record_of
from databox.wire.caveats import Caveats
from databox.wire.errors import TooLarge

MOST_WINDOWS = 50_000
LOOK_BACK = 50_000
"""How many windows back the latest one is searched for: a month of minutes. By the clock, and not
by how many are passed over, which would tell of those that have too few readings."""
_FEW, _MANY = 16, 4096
"""Windows that are looked at together: at first, and at most."""
_NONE = Caveats()


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


def array(records: list[bytes]) -> bytes:
    """A JSON array."""
    return b"[%b]" % b",".join(records)


def parts(reader: Reader, source: str, stretch: Stretch, caveats: Caveats) -> Iterator[Part]:
    """The readings of a stretch as one JSON array."""
    return gathered(_pieces(reader, source, stretch, caveats))


def closed_windows(  # noqa: PLR0913 - what a question about windows has
    reader: Reader,
    source: str,
    stretch: Stretch,
    *,
    length: int,
    now: int,
    caveats: Caveats = _NONE,
) -> Windows:
    """The closed windows that lie in a stretch as a whole.

    Raises:
        TooLarge: there are more than one answer may have.
    """
    seen = visible(reader, source, stretch, length=length, now=now, caveats=caveats)
    shown = windows.records(seen, source, length, extremes=not caveats.precision)
    found = list(islice(shown, MOST_WINDOWS + 1))
    if len(found) > MOST_WINDOWS:
        raise TooLarge(
            "there are too many windows for one answer",
            found=f"more than {MOST_WINDOWS}",
            remedy="Ask for a shorter stretch of time",
        )
    first, end = _bounds(stretch, length, now)
    return Windows(found, first, end - 1) if found else Windows([])


def latest_window(  # noqa: PLR0913 - as above
    reader: Reader,
    source: str,
    stretch: Stretch,
    *,
    length: int,
    now: int,
    caveats: Caveats = _NONE,
) -> Windows:
    """The last closed window in a stretch that has enough readings, if there is one."""
    first, end = _bounds(stretch, length, now)
    first, step = max(first, end - LOOK_BACK * length), _FEW
    while first < end:
        newest = reader.newest(source, end - 1)
        if newest is None or newest.t < first:
            break
        end = windows.start_of(newest.t, length) + length
        start = max(first, end - step * length)
        seen = visible(
            reader, source, Stretch(start, end - 1), length=length, now=now, caveats=caveats
        )
        last = max((each.start for each in seen), default=None)
        if last is not None:
            only = Stretch(last, last + length - 1)
            return closed_windows(reader, source, only, length=length, now=now, caveats=caveats)
        end, step = start, min(4 * step, _MANY)
    return Windows([])


def visible(  # noqa: PLR0913 - as above
    reader: Reader,
    source: str,
    stretch: Stretch,
    *,
    length: int,
    now: int,
    caveats: Caveats,
) -> Iterator[Window]:
    """The windows that a token with a granularity may see, put together to such of `length` ms.

    `length`: a multiple of the token's own.
    """
    first, end = _bounds(stretch, caveats.exact or length, now)
    if first >= end:
        return iter(())
    if caveats.precision:
        points = _points(reader.runs(source, first, end - 1))
        return places.windows(points, length, caveats, enough=windows.ENOUGH)
    found = sums(reader, source, first, end, caveats.base or length, caveats=caveats)
    return windows.longer(windows.visible(found), length)


def sums(  # noqa: PLR0913 - as above
    reader: Reader,
    source: str,
    first: int,
    end: int,
    length: int,
    *,
    caveats: Caveats,
    tags: Tags = None,
    fields: Collection[str] | None = None,
    percentiles: Sequence[float] = (),
) -> Iterator[Window]:
    """What the points come to that a token shows, as `Reader.windows` has it."""
    shown = leaving.visible_fields(caveats)
    if shown is None:
        yield from reader.windows(
            source, first, end, length, tags=tags, fields=fields, percentiles=percentiles
        )
        return
    # Of what is left of the documents: a sum knows the first members only, and hidden ones must
    # not take their places.
    wanted = shown if fields is None else shown & set(fields)
    found = leaving.runs(reader.runs(source, first, end - 1, tags=tags), caveats, None)
    for place, each in groupby(_points(found), lambda point: (point[0] - first) // length):
        data = (document for _, document in each)
        yield from summarize(first + place * length, data, wanted, percentiles)


def _points(runs: Iterable[Run]) -> Iterator[tuple[int, bytes]]:
    return (point for run in runs for point in zip(run.times.tolist(), run.texts(), strict=True))


def _bounds(stretch: Stretch, length: int, now: int) -> tuple[int, int]:
    """Where the first whole window begins, and the last closed one ends."""
    end = min(windows.closed_before(now, length), windows.start_of(stretch.last + 1, length))
    return windows.first_whole(stretch.first, length), end


def _pieces(reader: Reader, source: str, stretch: Stretch, caveats: Caveats) -> Iterator[Part]:
    name = msgspec.json.encode(source)
    opening = b"["
    for run in leaving.runs(reader.runs(source, stretch.first, stretch.last), caveats, None):
        times, texts = run.times.tolist(), run.texts()
        shown = map(partial(record_of, name), times, _series(run), texts)
        size = sum(map(len, texts))
        yield Part(opening + b",".join(shown), len(times), size, times[0], times[-1])
        opening = b","
    yield Part(b"[]" if opening == b"[" else b"]")


def _series(run: Run) -> Iterable[int]:
    if run.which is None:
        return repeat(run.series[0], len(run))
    return (run.series[place] for place in run.which)
