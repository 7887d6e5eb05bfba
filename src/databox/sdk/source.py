"""A source as an app sees it: one `ask`, answered by a store, or by invented data until allowed."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from databox.sdk.peers import BEYOND
from databox.sdk.readings import EXACTNESS, Reading, Readings, means, tally
from databox.wire.errors import BadRequest, Denied, NotFound

if TYPE_CHECKING:
    from databox.sdk.aio import AioSource
    from databox.sdk.events import Event
    from databox.sdk.line import Line, Refused, Sleep
    from databox.sdk.many import Many
    from databox.sdk.objects import Objects, StoredObject
    from databox.sdk.peers import Peers
    from databox.sdk.points import Points
    from databox.sdk.questions import Window
    from databox.sdk.surroundings import Granted

DAY = 86_400_000
WORDS: dict[str, str] = {duration: word for word, duration in EXACTNESS.items()}


class Ask(NamedTuple):
    """One line of the manifest, in the author's words. `days`: of history, None for all."""

    type: str
    clientid: str
    exact: str
    why: str
    required: bool
    days: int | None

    @property
    def line(self) -> str:
        """The line of the app that asks for this."""
        more = "" if self.days is None else f", days={self.days}"
        return f'app.ask("{self.type}", exact="{self.exact}"{more}, why="…")'


class Reader(Protocol):
    """Where readings come from. Times in Unix ms, both included."""

    allowed: bool
    unit: str
    exact: str
    """As in `wire.exactness`: values, closed windows, or places no more exact than a distance."""

    def latest(self) -> Reading | None:
        """The newest reading there is."""
        ...

    def between(self, start: int, end: int) -> Iterator[Reading]:
        """Readings, oldest first."""
        ...

    def objects(self) -> "Objects | None":
        """The source's large objects; None where there can be none."""
        ...


class Source:
    """What `app.ask` returns. Nothing is read until one of its operations is called."""

    def __init__(
        self,
        ask: Ask,
        reader: Callable[[], Reader],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.ask = ask
        self._find = reader
        self._now = now
        self.invented_reads = 0
        """How often invented data were read, so that a screen can say so."""
        self._stopped = False

    @property
    def allowed(self) -> bool:
        """Whether the owner picked a source for this ask and has not stopped access since.

        Of what was never picked the data are invented; what was stopped is refused.
        """
        return self._find().allowed and not self._stopped

    @property
    def unit(self) -> str:
        """The unit of the values, empty if there is none."""
        return self._find().unit

    @property
    def exact(self) -> str:
        """How exact the owner allowed, in the words of `App.ask`."""
        return WORDS[self._find().exact]

    def latest(self) -> Reading | None:
        """The newest reading, None if there is none yet."""
        reader = self._reader()
        try:
            return reader.latest()
        except Denied as error:
            raise self._refused(error) from error

    def last(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> Readings:
        """The readings of the time just past."""
        length = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
        return self.since(self._end() - int(length))

    def since(self, start: int | datetime) -> Readings:
        """The readings from a time on: Unix ms, or a `datetime`."""
        return self.between(start, self._end())

    def between(self, start: int | datetime, end: int | datetime) -> Readings:
        """The readings from one time to another, both included."""
        found = self._read(_milliseconds(start), _milliseconds(end))
        return Readings(found, label=self.ask.type, unit=self.unit)

    def count(self, by: str, *, days: float = 30) -> dict[str, int]:
        """How many values of the last days fall on each `hour of day`, `day of week`, and so on.

        They are counted as they come and never all held in memory.
        """
        end = self._end()
        return tally(self._read(end - int(days * DAY), end), by)

    def mean(self, by: str, *, days: float = 30) -> dict[str, float]:
        """The mean of the last days' values by `hour of day`, `day of week`, and so on."""
        end = self._end()
        return means(self._read(end - int(days * DAY), end), by)

    def objects(self) -> "list[StoredObject]":
        """The source's photos, attachments and the like: each with name, type, size and time `t`.

        Only where the owner allowed the source as it is, `raw` and from the beginning.
        """
        found = self._find().objects()
        try:
            return list(found.all()) if found else []
        except Denied as error:
            raise self._refused(error) from error

    def read_object(self, name: str) -> Iterator[bytes]:
        """The content of one object, in pieces, so that it need not fit into memory.

        Raises:
            NotFound: there is no object of this name.
        """
        found = self._find().objects()
        if found is None:
            raise NotFound("there is no such object", field="name", found=name[:80])
        try:
            yield from found.read(name)
        except Denied as error:
            raise self._refused(error) from error

    # Each says one thing of what is wanted, and all have defaults.
    def points(  # noqa: PLR0913 - what a question has
        self,
        *,
        since: int | datetime | None = None,
        until: int | datetime | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        fields: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> "Points":
        """Points, however many, in order of time: iterated over they come page by page.

        `fields`: the members to show of documents. `tags`: what a point's series must have.
        Nothing is read before the first page is asked for, and one page is held at a time.

        Raises:
            BadRequest: the owner allowed windows only.
        """
        from databox.sdk import questions
        from databox.sdk.points import Points

        asked = questions.points(
            since=since,
            until=until,
            limit=limit,
            newest_first=newest_first,
            fields=fields,
            tags=tags,
        )
        return Points(self._many, asked)

    def at(self, t: int | datetime, *, tags: Mapping[str, str] | None = None) -> Reading | None:
        """The reading that held at a moment: the newest up to it, None if there is none."""
        from databox.sdk.line import drive

        return drive(self._many().at(_milliseconds(t), tuple((tags or {}).items())))

    def length(
        self,
        *,
        since: int | datetime | None = None,
        until: int | datetime | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> int:
        """How many points there are.

        Raises:
            BadRequest: the owner allowed windows only.
        """
        from databox.sdk.line import drive

        return drive(self._many().length(self.points(since=since, until=until, tags=tags).asked))

    # As `points`.
    def windows(  # noqa: PLR0913 - what a question has
        self,
        every: str,
        *,
        of: Sequence[str] = ("count", "min", "max", "mean"),
        since: int | datetime | None = None,
        until: int | datetime | None = None,
        field: Sequence[str] | str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> "Generator[Window, None, None]":
        """What the points come to, window by window, as the store computes it; not of empty ones.

        `every`: `minute`, `15 minutes`, `hour`, `day`, or a duration such as `PT6H`. `of`: some of
        `count`, `sum`, `min`, `max`, `mean`, `median`, `sd`, and percentiles such as `p95`.
        `field`: members of documents; all that are numbers if none is named.

        Raises:
            BadRequest: an unknown word, or more than the owner allowed.
        """
        from databox.sdk import questions
        from databox.sdk.line import drive_all

        asked = questions.windows(
            every=every, of=of, since=since, until=until, field=field, tags=tags
        )
        return drive_all(self._many().windows(asked))

    def follow(
        self,
        after: "str | int | datetime | None" = None,
        *,
        tags: Mapping[str, str] | None = None,
    ) -> "Generator[Event, None, None]":
        """What is written from now on, as it is written; waits for more and never ends by itself.

        `after`: the `id` of the last event that came, or a time: it is told first what came
        since. A connection that breaks is made again, and each event comes once.

        Raises:
            Denied: access was stopped.
        """
        from databox.sdk.line import drive_all

        begin = _milliseconds(after) if isinstance(after, datetime) else after
        return drive_all(self._many().follow(begin, tuple((tags or {}).items())))

    @property
    def aio(self) -> "AioSource":
        """The same for programs that use asyncio."""
        from databox.sdk.aio import AioSource

        return AioSource(self)

    def _many(
        self,
        line: "Callable[[Peers, Refused], Line] | None" = None,
        sleep: "Sleep | None" = None,
    ) -> "Many":
        """Much of it at once; over a line that blocks, if no other is given."""
        from databox.sdk.line import Blocking, block

        reader = self._reader()
        found = _stored(reader)
        if found is None:
            from databox.sdk.pretended import PretendedMany

            return PretendedMany(reader, self._now, sleep or block)
        from databox.sdk.many import StoredMany

        peers, granted = found
        return StoredMany((line or Blocking)(peers, self._refused), granted, sleep or block)

    def _read(self, start: int, end: int) -> Iterator[Reading]:
        reader = self._reader()
        try:
            yield from reader.between(start, end)
        except Denied as error:
            raise self._refused(error) from error

    def _reader(self) -> Reader:
        reader = self._find()
        self.invented_reads += not reader.allowed
        return reader

    def _end(self) -> int:
        return int(self._now() * 1000)

    def _refused(self, error: Denied) -> Denied:
        if error.code == BEYOND:
            return error
        # So that an app can leave it out of its next screen.
        self._stopped = True
        return Denied(
            f'"{self.ask.type}" may not be read',
            code="read-refused",
            remedy=f"Allow it under “What it may see”. The app asks for it by {self.ask.line}",
        )


# One argument a part of the question, as in `App.ask`.
def ask(  # noqa: PLR0913 - what an ask says
    type: str, *, exact: str, why: str, required: bool, days: int | None, name: str
) -> Ask:
    """Check an ask as its author wrote it.

    Raises:
        BadRequest: an unknown word for `exact`.
    """
    if exact not in EXACTNESS:
        raise BadRequest(
            "app.ask does not know this exactness",
            field="exact",
            found=repr(exact),
            remedy=f"Use one of: {', '.join(EXACTNESS)}",
        )
    return Ask(
        type=type,
        clientid=name or client_id(type),
        exact=exact,
        why=why,
        required=required,
        days=days,
    )


def client_id(type: str) -> str:
    """The client id of an ask that was given no name: `cpu-load` becomes `CPU_LOAD`."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in type.upper())[:40]


def _stored(reader: Reader) -> "tuple[Peers, Granted] | None":
    """Where a reader reads from; None for what is invented, or given by a test."""
    from databox.sdk.stored import StoredReader

    return (reader.peers, reader.granted) if isinstance(reader, StoredReader) else None


def _milliseconds(at: int | datetime) -> int:
    return int(at.timestamp() * 1000) if isinstance(at, datetime) else at
