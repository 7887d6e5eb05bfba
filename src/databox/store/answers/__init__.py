"""What a store answers, behind the door: one file a subject, one function an endpoint."""

from concurrent.futures import Executor
from pathlib import Path

from databox.kit.clock import Clock
from databox.store.answers.catalogue import CatalogueAnswers
from databox.store.answers.columns import ColumnAnswers
from databox.store.answers.events import EventAnswers
from databox.store.answers.means import Means
from databox.store.answers.objects import ObjectAnswers
from databox.store.answers.points import PointAnswers
from databox.store.answers.readings import ReadingAnswers
from databox.store.answers.retention import RetentionAnswers
from databox.store.answers.tail import TailAnswers
from databox.store.answers.values import ValueAnswers
from databox.store.answers.windows import WindowAnswers
from databox.store.door import AtOnce, Door, Handler
from databox.store.engine.points import Damage
from databox.store.file import Reader
from databox.store.listing import Listing
from databox.store.objects.shelf import Shelf

OF_2017 = frozenset(
    {
        *("store.cat", "store.register", "store.ws", "store.sub", "store.unsub"),
        *("ts.write", "ts.latest", "ts.since", "ts.range", "kv.write", "kv.read"),
    }
)
"""The endpoints of the interface of 2017, whose refusals are what its clients know."""


class Answers:
    """Everything that is answered under a token; see `Means` for what it is made with.

    `name`: the store's own; `folder`: where large objects are.
    """

    def __init__(  # noqa: PLR0913 - what answers are made with
        self,
        door: Door,
        reader: Reader,
        executor: Executor,
        *,
        name: str,
        clock: Clock,
        origin: str,
        folder: Path,
    ) -> None:
        self.means = Means(door, reader, executor, clock, origin, Listing(reader.items()))
        self.shelf = Shelf(
            folder, lambda names: self.means.read(lambda reader: reader.objects.known(names))
        )
        self._objects = ObjectAnswers(self.means, self.shelf)
        self.events = EventAnswers(self.means)
        self._catalogue = CatalogueAnswers(self.means)
        self._readings = ReadingAnswers(self.means, self.events)
        self._values = ValueAnswers(self.means, self.events)
        self._points = PointAnswers(self.means)
        self._windows = WindowAnswers(self.means)
        self._columns = ColumnAnswers(self.means, self.events)
        self._tail = TailAnswers(self.means)
        self._retention = RetentionAnswers(self.means, name)

    def handlers(self) -> dict[str, Handler]:
        """Who answers which line of the table of endpoints."""
        return {
            "store.cat": self._catalogue.cat,
            "store.register": self._catalogue.register,
            "ts.write": self._readings.write,
            "ts.latest": self._readings.latest,
            "ts.since": self._readings.since,
            "ts.range": self._readings.range,
            "kv.write": self._values.write,
            "kv.read": self._values.read,
            "store.ws": self.events.websocket,
            "store.sub": self.events.subscribe,
            "store.unsub": self.events.unsubscribe,
            "ts.points": self._points.points,
            "ts.at": self._points.at,
            "ts.length": self._points.length,
            "ts.series": self._points.series,
            "ts.windows": self._windows.windows,
            "ts.tail": self._tail.tail,
            "ts.columns": self._columns.write,
            "ts.delete": self._columns.delete,
            "kv.list": self._values.keys,
            "kv.count": self._values.count,
            "kv.delete": self._values.delete,
            "object.write": self._objects.write,
            "object.read": self._objects.read,
            "object.delete": self._objects.delete,
            "object.forget": self._objects.forget,
            "object.list": self._objects.listed,
            "objects.write": self._objects.write,
            "objects.read": self._objects.read,
            "objects.delete": self._objects.delete,
            "objects.list": self._objects.listed_of,
            "store.retention": self._retention.rules,
            "store.retention-preview": self._retention.preview,
            "store.retain": self._retention.rule,
        }

    async def turn(self, before: int, now: int) -> None:
        """What is due from time to time. `before`: when this was last called; both Unix ms."""
        self.means.end_expired(now)
        await self.events.send_windows(before)
        await self._tail.send_windows()
        await self._retention.turn(now)

    def damage(self) -> list[Damage]:
        """Objects that were found unreadable since the store started, named by their keys."""
        return [Damage(key, "", 0, 0, "object") for key in self._objects.damaged]

    def at_once(self) -> dict[str, AtOnce]:
        """What is tried first, for lines that are asked for very often."""
        return {
            "ts.latest": self._readings.latest_at_once,
            "ts.write": self._readings.write_at_once,
        }
