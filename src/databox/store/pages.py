"""Answers of many points, made as they are sent. Runs on the reading thread.

JSON columns name all times before the data, so what is not sent yet is held. A page ends where
memory does, and `next` tells how to go on; what several answers hold together has a bound too.
"""

from collections.abc import Collection, Iterator, Mapping
from weakref import WeakSet

from databox.store import columns, leaving, questions
from databox.store.engine import tags as series
from databox.store.engine.points import Position, Run
from databox.store.file import Reader
from databox.store.parts import Part, gathered
from databox.wire.caveats import Caveats

MOST_POINTS = 1_048_576
"""Points of one page."""
ROOM = 24 * 1024 * 1024
"""Bytes that all pages together may hold, but for the least that each may."""
LARGEST, LEAST = 12 * 1024 * 1024, 1024 * 1024
"""Bytes that one page may hold: while there is room, and when there is none."""


class Allowance:
    """How many bytes one page may hold; it counts as long as anybody has it."""

    def __init__(self, size: int) -> None:
        self.size = size


class Room:
    """What all pages of a store may hold together."""

    def __init__(self) -> None:
        self._given: WeakSet[Allowance] = WeakSet()

    def take(self) -> Allowance:
        """An allowance for one page, the smaller the less room there is."""
        free = ROOM - sum(each.size for each in self._given)
        allowance = Allowance(max(LEAST, min(LARGEST, free)))
        self._given.add(allowance)
        return allowance


def chosen(reader: Reader, source: str, tags: Mapping[str, str]) -> frozenset[str] | None:
    """The series of a source that have all these tags; None, which is all series, for no tags.

    Raises:
        BadRequest: the tags are not usable.
    """
    if not tags:
        return None
    series.canonical(tags)
    wanted = tags.items()
    return frozenset(text for text in reader.series(source) if wanted <= series.parse(text).items())


def json_page(
    reader: Reader, source: str, asked: questions.Points, caveats: Caveats, allowance: Allowance
) -> Iterator[Part]:
    """A page as JSON columns."""
    found = chosen(reader, source, asked.tags)
    most = min(asked.limit or MOST_POINTS, MOST_POINTS)

    def follows(end: Position) -> str | None:
        more = next(_runs(reader, source, asked, found, after=end, limit=1), None)
        return questions.cursor(end, newest_first=asked.newest_first) if more else None

    runs = _runs(reader, source, asked, found, after=asked.after, limit=most)
    left = leaving.runs(_held(runs, allowance), caveats, asked.fields)
    return gathered(columns.json_parts(left, follows))


def binary(
    reader: Reader, source: str, asked: questions.Points, caveats: Caveats
) -> Iterator[Part]:
    """All that was asked for as binary columns; nothing of it is held."""
    found = chosen(reader, source, asked.tags)
    runs = _runs(reader, source, asked, found, after=asked.after, limit=asked.limit)
    return gathered(columns.binary_parts(leaving.runs(runs, caveats, asked.fields)))


def _runs(  # noqa: PLR0913 - what a question about points has
    reader: Reader,
    source: str,
    asked: questions.Points,
    found: Collection[str] | None,
    *,
    after: Position | None,
    limit: int | None,
) -> Iterator[Run]:
    return reader.runs(
        source,
        asked.stretch.first,
        asked.stretch.last,
        tags=found,
        after=after,
        limit=limit,
        newest_first=asked.newest_first,
    )


def _held(runs: Iterator[Run], allowance: Allowance) -> Iterator[Run]:
    """Runs until they are as much as may be held."""
    held = 0
    for run in runs:
        yield run
        held += sum(map(len, run.documents)) if run.documents is not None else 9 * len(run)
        if held >= allowance.size:
            return
