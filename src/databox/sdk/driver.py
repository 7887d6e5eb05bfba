"""A driver: brings readings of something into its own store."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from databox.sdk.buffer import Buffer, Waiting
from databox.sdk.peers import Peers
from databox.sdk.sandbox import PEERS, arbiter_key
from databox.sdk.schedule import Schedule
from databox.sdk.surroundings import read
from databox.sdk.writer import Offer, Writer
from databox.wire.errors import BadRequest, Unavailable

if TYPE_CHECKING:
    from databox.sdk.line import Line, Refused
    from databox.sdk.objects import Objects
    from databox.sdk.questions import Time
    from databox.sdk.writing import Writing

MOST_WAITING = 50_000
"""Readings kept while the store is away: about 10 MB, some hours of one a second of three."""
LAST_SECONDS = 3.0
"""How long a driver that is told to stop tries to write what still waits."""


class DriverSource:
    """One source that a driver provides; what `driver.source` returns."""

    def __init__(self, offer: Offer, buffer: Buffer, now: Callable[[], float]) -> None:
        self.offer = offer
        self._buffer = buffer
        self._now = now
        self._objects: Objects | None = None
        self._place: tuple[Peers, str] | None = None

    def write(
        self, value: Any, *, t: int | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        """Queue a reading; `t`: Unix ms, now if not given.

        `tags` tell series of one source apart, such as `{"room": "hall"}`.

        It waits in memory until the store has made it durable; `driver.flush()` waits for that.

        Raises:
            BadRequest: the value is not JSON; neither is a number that is infinite or none.
        """
        at = int(self._now() * 1000) if t is None else t
        try:
            told = (
                {"tags": dict(tags), "timestamps": [at], "data": [value]}
                if tags
                else {"data": value, "timestamp": at}
            )
            record = json.dumps(told, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise BadRequest(
                "a reading is a JSON value", field=self.offer.id, found=str(error)
            ) from error
        self._buffer.put(Waiting(self.offer.id, record, "ts/columns" if tags else "ts"))

    def write_many(
        self,
        times: "Sequence[Time] | bytes",
        values: Sequence[Any] | bytes,
        *,
        tags: Mapping[str, str] | None = None,
    ) -> int:
        """Write many readings of one series and wait until they are durable; how many they are.

        `times`: Unix ms, in any order. Lists may hold any JSON values. Numbers go fastest as
        `array("q", …)` and `array("d", …)`, as arrays of numpy, or as the bytes of either.

        Raises:
            BadRequest: there is not one value a time, or the store cannot keep one.
            Unavailable: the driver does not run yet, or the store did not answer for some seconds;
                to write them again does no harm.
        """
        from databox.sdk.line import drive

        return drive(self._writing().write_many(times, values, tags=tags))

    def delete(self, since: "Time", until: "Time", *, tags: Mapping[str, str] | None = None) -> int:
        """Delete the readings of a time, both ends included, for good; how many they were.

        `tags`: of one series alone; of all, if not given. Readings that are still queued are not
        among them.

        Raises:
            Unavailable: as `write_many`.
        """
        from databox.sdk.line import drive

        return drive(self._writing().delete(since, until, tags=tags))

    @property
    def aio(self) -> "Writing":
        """`write_many` and `delete` for drivers that use asyncio."""
        from databox.sdk.waiting import Waiting

        return self._writing(Waiting)

    def write_object(
        self, name: str, content: bytes | BinaryIO, *, type: str = "application/octet-stream"
    ) -> None:
        """Write a photo, an attachment or the like, and wait until the store has made it durable.

        `name`: tells it from the source's other objects, and a reading can say it; another one of
        this name is replaced. `content`: bytes, or an open file, which is sent as it is read.
        `type`: its media type.

        Raises:
            BadRequest: the name has more than letters, digits, dots, dashes and underscores.
            Unavailable: the driver does not run yet, or the store did not answer for 30 seconds or
                has no room.
        """
        self._stored().write(name, content, type)

    def delete_object(self, name: str) -> None:
        """Delete an object; one that is not there is as good.

        Raises:
            BadRequest, Unavailable: as `write_object`.
        """
        self._stored().delete(name)

    def _writing(self, line: "Callable[[Peers, Refused], Line] | None" = None) -> "Writing":
        from databox.sdk.line import Blocking
        from databox.sdk.writing import Writing

        if self._place is None:
            raise Unavailable("the driver does not run yet", field=self.offer.id)
        peers, store = self._place
        return Writing((line or Blocking)(peers, lambda error: error), store, self.offer.id)

    def _stored(self) -> "Objects":
        if self._objects is None:
            raise Unavailable("the driver does not run yet", field=self.offer.id)
        return self._objects

    def _connect(self, peers: Peers, store: str) -> None:
        from databox.sdk.objects import Objects

        self._place = (peers, store)
        self._objects = Objects(peers, store, self.offer.id)


class Driver:
    """One driver.

    Args:
        title: Its name for people.
        purpose: One sentence for the owner.
        name: Its component name; made from the title if not given.
        version: Of the driver.
        author: Who made it; also the vendor in the catalogue.
        outside: Origins it asks to reach, such as `https://api.example`.
        proc: Whether it needs to see `/proc`.
        now: Unix time in seconds.
    """

    # All but the title have defaults and none depends on another.
    def __init__(  # noqa: PLR0913 - what a driver says of itself
        self,
        title: str,
        *,
        purpose: str = "",
        name: str = "",
        version: str = "0.1.0",
        author: str = "",
        outside: tuple[str, ...] = (),
        proc: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.title = title
        self.purpose = purpose
        self.name = name
        self.version = version
        self.author = author
        self.outside = outside
        self.proc = proc
        self.sources: list[DriverSource] = []
        self._now = now
        self._buffer = Buffer(MOST_WAITING)
        self._schedule = Schedule(now=now)
        self.every = self._schedule.every

    # Each says one thing of the source, and all but the id have defaults.
    def source(  # noqa: PLR0913 - what a catalogue says of a source
        self,
        id: str,
        *,
        type: str = "",
        unit: str = "",
        description: str = "",
        actuator: bool = False,
        fields: tuple[str, ...] = (),
    ) -> DriverSource:
        """Provide a source. `type` is what apps ask for; the id if not given.

        `fields`: the members of its documents that the owner may choose from.

        Raises:
            BadRequest: two sources of one id.
        """
        if any(source.offer.id == id for source in self.sources):
            raise BadRequest("two sources have one id", field="id", found=id)
        offer = Offer(
            id=id,
            type=type or id,
            description=description or id,
            unit=unit,
            vendor=self.author or self.title,
            actuator=actuator,
            fields=fields,
        )
        source = DriverSource(offer, self._buffer, self._now)
        self.sources.append(source)
        return source

    def run(self) -> None:
        """Run until told to stop; in describe mode, print the manifest and return."""
        surroundings = read(os.environ)
        if surroundings.describe:
            sys.stdout.write(self.manifest(sys.argv) + "\n")
            return
        signal.signal(signal.SIGTERM, lambda *_: self._schedule.stop())
        self.start(Peers(PEERS, arbiter_key()), surroundings.own_store)
        self._schedule.run()
        self.flush(LAST_SECONDS)

    def start(self, peers: Peers, store: str) -> None:
        """Register the sources and write what is queued, in a thread of its own."""
        for source in self.sources:
            source._connect(peers, store)
        writer = Writer(peers, store, [source.offer for source in self.sources], self._buffer)
        threading.Thread(target=writer.run, daemon=True, name="writer").start()

    def flush(self, seconds: float = 10.0) -> bool:
        """Wait until the store has made all readings durable; whether it has."""
        return self._buffer.empty(seconds)

    def manifest(self, arguments: list[str]) -> str:
        """The driver's manifest as JSON. `arguments`: how the program was started.

        Raises:
            BadRequest: a part of it is not allowed in a manifest.
        """
        from databox.sdk import describe
        from databox.wire.manifest import Manifest, OutsideAsk, Run

        return describe.text(
            Manifest(
                name=self.name or describe.component_name(self.title),
                databox_type="driver",
                title=self.title,
                description=self.purpose,
                version=self.version,
                author=self.author,
                run=Run(
                    command=describe.command(arguments),
                    scheme="none",
                    screen="none",
                    proc=self.proc,
                ),
                provides=describe.source_offers(source.offer for source in self.sources),
                external_whitelist=(OutsideAsk(urls=self.outside),) if self.outside else (),
            )
        )
