"""A source as an app sees it: one `ask`, answered by a store, or by invented data until allowed."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from databox.sdk.readings import EXACTNESS, Reading, Readings, means, tally
from databox.wire.errors import BadRequest, Denied, NotFound

if TYPE_CHECKING:
    from databox.sdk.objects import Objects, StoredObject

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
        # So that an app can leave it out of its next screen.
        self._stopped = True
        return Denied(
            f'"{self.ask.type}" may not be read',
            code="read-refused",
            remedy=f"Allow it under “What it may see”. The app asks for it by {self.ask.line}",
        )


# One argument a part of the question, as in `App.ask`.
def ask(  # noqa: PLR0913
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


def _milliseconds(at: int | datetime) -> int:
    return int(at.timestamp() * 1000) if isinstance(at, datetime) else at
