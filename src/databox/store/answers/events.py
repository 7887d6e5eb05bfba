"""Events over WebSockets: who hears of what is written, and of windows that have closed."""

from databox.kit.guard import Verified
from databox.kit.http.message import Answer, Request, Response, Upgrade
from databox.kit.http.websocket import WebSocket, frame_text
from databox.store import asked, queries, windows
from databox.store.answers.means import Means
from databox.store.asked import Stretch
from databox.store.audit import SUBSCRIBE
from databox.store.door import access
from databox.store.subscriptions import Subscription, Topic
from databox.wire.errors import Conflict, NotFound

_NO_WEBSOCKET = (
    b"No open WebSocket connection to client;"
    b" WebSocket connection must exist before subscription requests"
)
_ONLY_WEBSOCKET = b"Connection must be over secure WebSockets"


class EventAnswers:
    """Subscriptions as they were in 2017, and what is sent to them."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def websocket(self, request: Request, verified: Verified) -> Answer:
        """Open a WebSocket for events. Inside the box a pair's own socket is as good as TLS."""
        if not request.wants_websocket or request.kind == "outer":
            return Response(426, _ONLY_WEBSOCKET, "text/plain")
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

    def receivers(self, name: str, kind: str) -> list[Subscription]:
        """Who is sent what is written to a source or key at this moment."""
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

    async def _send_windows(self, to: Subscription, before: int) -> None:
        length, source = to.verified.caveats.exact, to.topic.name
        seen = asked.visible(to.verified.caveats)
        # A window that was open at `before` and is closed now.
        first = max(seen.first, windows.closed_before(before, length))
        stretch = Stretch(first, seen.last)
        now = self._means.clock.now()
        found = await self._means.read(
            lambda reader: queries.closed_windows(reader, source, stretch, length=length, now=now)
        )
        if found.records:
            written = access(
                to.verified,
                SUBSCRIBE,
                source,
                items=len(found.records),
                size=found.size,
                earliest=found.earliest,
                latest=found.latest,
            )
            await self._means.door.record(to.verified, written)
            for each in found.records:
                self.send([to], each)


def sees(subscription: Subscription, t: int) -> bool:
    """Whether a reading of this time is within what the subscription's token shows."""
    seen = asked.visible(subscription.verified.caveats)
    return seen.first <= t <= seen.last


def _topic(request: Request, verified: Verified) -> Topic:
    kind = request.args["kind"].lower()
    if kind not in ("ts", "kv"):
        raise NotFound("There is nothing under this path", found=request.path[:200])
    return Topic(asked.name(request, "source", verified.caveats), "ts" if kind == "ts" else "kv")
