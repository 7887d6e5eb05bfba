"""What is written, told to those who subscribed or follow; and subscriptions as they were in 2017.

A point that is written in a large batch is not told by itself: one event says how many there were.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from databox.kit.guard import Verified
from databox.kit.http.message import Answer, Request, Response, Upgrade
from databox.kit.http.websocket import WebSocket, frame_text
from databox.store import asked, queries, windows
from databox.store.answers.means import Means
from databox.store.answers.sending import windows_read
from databox.store.asked import Stretch
from databox.store.audit import SUBSCRIBE, WRITE
from databox.store.door import access
from databox.store.feed import Batch, Event, Point, Receiver
from databox.store.leaving import Fields
from databox.store.readings import Reading
from databox.store.subscriptions import Subscription, Subscriptions, Topic
from databox.store.writes import NewColumns, NewDocuments, NewReading, Outcome
from databox.wire.errors import Conflict, NotFound

_NO_WEBSOCKET = (
    b"No open WebSocket connection to client;"
    b" WebSocket connection must exist before subscription requests"
)
_ONLY_WEBSOCKET = b"Connection must be over secure WebSockets"


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription as one who hears of points."""

    subscriptions: Subscriptions
    to: Subscription

    @property
    def verified(self) -> Verified:
        """Under which token."""
        return self.to.verified

    @property
    def fields(self) -> Fields:
        """All that the token shows."""
        return None

    def wants(self, tags: str, t: int) -> bool:
        """Whether the token shows a point of this time, of whichever series."""
        seen = asked.visible(self.to.verified.caveats)
        return seen.first <= t <= seen.last

    def expect(self, tags: str, points: Iterable[Point]) -> None:
        """A subscription is told nothing of the past."""

    def deliver(self, events: Sequence[Event]) -> None:
        """Send events to every socket of the client."""
        for each in events:
            self.subscriptions.send(self.to, frame_text(each.body.decode()))


class EventAnswers:
    """Passes on what is written, and answers to those who subscribe."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def write(
        self, verified: Verified, write: NewReading | NewColumns | NewDocuments, batch: Batch
    ) -> Outcome:
        """Write points of one series, and tell those who are to hear of it.

        Raises:
            BadToken: the grant ended in the meantime.
            Unavailable: nothing was written or recorded.
        """
        source, feed = write.source, self._means.feed
        own = access(
            verified,
            WRITE,
            source,
            items=batch.count,
            size=batch.size,
            earliest=batch.earliest,
            latest=batch.latest,
        )
        news = feed.submit(source, batch, self._receivers(source))
        number = None
        try:
            outcome = await self._means.door.write(verified, write, own, *news.records())
            if isinstance(outcome, Reading):
                number = outcome.series
            elif news.heard:
                number = await self._means.read(lambda reader: reader.number(source, batch.tags))
        finally:
            feed.settle(news, number)
        return outcome

    async def websocket(self, request: Request, verified: Verified) -> Answer:
        """Open a WebSocket for events. Inside the box a pair's own socket is as good as TLS."""
        if not request.wants_websocket or request.kind == "outer":
            return Response(426, _ONLY_WEBSOCKET, "text/plain")
        asked.refuse_rated(verified.caveats)
        await self._means.door.record(verified, access(verified, SUBSCRIBE, ""))

        async def accept(socket: WebSocket) -> None:
            if not self._means.door.holds(verified):
                socket.close(1008, "access was stopped")
                return
            self._means.subscriptions.connect(socket, verified)
            try:
                while await socket.receive() is not None:
                    pass
            finally:
                self._means.subscriptions.disconnect(socket, verified)

        return Upgrade(accept)

    async def subscribe(self, request: Request, verified: Verified) -> Answer:
        """Send this client the events of a source or key."""
        topic = _topic(request, verified)
        asked.refuse_rated(verified.caveats)
        if topic.kind == "kv":
            asked.refuse_bounded(verified.caveats)
        await self._means.door.record(verified, access(verified, SUBSCRIBE, topic.name))
        try:
            self._means.subscriptions.subscribe(topic, verified, self._means.clock.now())
        except Conflict as error:
            if error.code != "no-websocket":
                raise
            return Response(409, _NO_WEBSOCKET, "text/plain")
        return Response(200, b"", "")

    async def unsubscribe(self, request: Request, verified: Verified) -> Answer:
        """Send them no more."""
        topic = _topic(request, verified)
        await self._means.door.record(verified, access(verified, SUBSCRIBE, topic.name))
        self._means.subscriptions.unsubscribe(topic, verified)
        return Response(200, b"", "")

    def is_heard(self, source: str) -> bool:
        """Whether somebody hears of what is written to a source, now or perhaps later."""
        means = self._means
        if means.feed.follows(source) or means.tails.of(source):
            return True
        return bool(means.subscriptions.to(Topic(source, "ts")))

    def subscribed(self, name: str, kind: str) -> list[Subscription]:
        """Who is sent what is written to a source or key at this moment, as it is."""
        topic = Topic(name, "kv" if kind == "kv" else "ts")
        return [
            each
            for each in self._means.subscriptions.to(topic)
            if not each.verified.caveats.exact and self._means.door.holds(each.verified)
        ]

    def send(self, receivers: list[Subscription], event: bytes) -> None:
        """Send them one event."""
        if receivers:
            frame = frame_text(event.decode())
            for each in receivers:
                self._means.subscriptions.send(each, frame)

    async def send_windows(self, before: int) -> None:
        """Send the windows that have closed since `before`, Unix ms, to those who get windows."""
        for each in self._means.subscriptions.to_windows():
            if self._means.door.holds(each.verified):
                await self._send_windows(each, max(before, each.since))

    def _receivers(self, source: str) -> list[Receiver]:
        means = self._means
        subscribed = [
            Subscribed(means.subscriptions, each) for each in self.subscribed(source, "ts")
        ]
        tails = [each for each in means.tails.of(source) if means.door.holds(each.verified)]
        return [*subscribed, *tails]

    async def _send_windows(self, to: Subscription, before: int) -> None:
        length, source = to.verified.caveats.exact, to.topic.name
        caveats = to.verified.caveats
        seen = asked.visible(caveats)
        # A window that was open at `before` and is closed now.
        first = max(seen.first, windows.closed_before(before, length))
        stretch = Stretch(first, seen.last)
        now = self._means.clock.now()
        found = await self._means.read(
            lambda reader: queries.closed_windows(
                reader, source, stretch, length=length, now=now, caveats=caveats
            )
        )
        if found.records:
            written = windows_read(to.verified, SUBSCRIBE, source, found)
            await self._means.door.record(to.verified, written)
            for each in found.records:
                self.send([to], each)


def _topic(request: Request, verified: Verified) -> Topic:
    kind = request.args["kind"].lower()
    if kind not in ("ts", "kv"):
        raise NotFound("There is nothing under this path", found=request.path[:200])
    return Topic(asked.name(request, "source", verified.caveats), "ts" if kind == "ts" else "kv")
