"""What a store answers, behind the door: one file a subject, one function an endpoint."""

from concurrent.futures import Executor

from databox.kit.clock import Clock
from databox.store.answers.catalogue import CatalogueAnswers
from databox.store.answers.events import EventAnswers
from databox.store.answers.means import Means
from databox.store.answers.readings import ReadingAnswers
from databox.store.answers.values import ValueAnswers
from databox.store.door import AtOnce, Door, Handler
from databox.store.file import Reader
from databox.store.listing import Listing


class Answers:
    """Everything that is answered under a token; see `Means` for what it is made with."""

    def __init__(
        self, door: Door, reader: Reader, executor: Executor, *, clock: Clock, origin: str
    ) -> None:
        self.means = Means(door, reader, executor, clock, origin, Listing(reader.items()))
        self.events = EventAnswers(self.means)
        self._catalogue = CatalogueAnswers(self.means)
        self._readings = ReadingAnswers(self.means, self.events)
        self._values = ValueAnswers(self.means, self.events)

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
        }

    def at_once(self) -> dict[str, AtOnce]:
        """What is tried first, for lines that are asked for very often."""
        return {"ts.latest": self._readings.latest_at_once}
