"""Who is sent events as they happen: sockets and subscriptions, tied by client and person.

A subscription is asked for by a request of its own, whose token has another nonce than that of the
WebSocket; what the two have in common is the client that the arbiter minted them for, and the
person, where a browser is behind it. A client may have several sockets; each gets every event.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from databox.kit.guard import Verified
from databox.wire.errors import Conflict

MOST = 256
"""Subscriptions of one client."""

_POLICY = 1008
"""WebSocket close code for a rule that was broken. Source: RFC 6455, 7.4.1."""
_EXPIRED = "token expired"

Kind = Literal["ts", "kv"]


class Who(NamedTuple):
    """A client, and the person behind it if there is one."""

    client: str
    user: str


class Socket(Protocol):
    """What is needed of a WebSocket."""

    def send_frame(self, frame: bytes) -> bool:
        """Send a finished frame."""
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close."""
        ...


class Topic(NamedTuple):
    """What a subscription is to: the readings of a source, or the value under a key."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription. `since`: Unix ms when it was asked for; only later events are sent."""

    who: Who
    topic: Topic
    verified: Verified
    since: int


@dataclass(slots=True)
class _Client:
    sockets: dict[Socket, Verified] = field(default_factory=dict)
    subscriptions: dict[Topic, Subscription] = field(default_factory=dict)


def who(verified: Verified) -> Who:
    """Whom a token speaks for."""
    return Who(verified.client, verified.user)


class Subscriptions:
    """All sockets and subscriptions of a store."""

    def __init__(self) -> None:
        self._clients: dict[Who, _Client] = {}
        self._by_topic: dict[Topic, dict[Who, Subscription]] = {}

    def connect(self, socket: Socket, verified: Verified) -> None:
        """A client has opened a WebSocket."""
        self._clients.setdefault(who(verified), _Client()).sockets[socket] = verified

    def disconnect(self, socket: Socket, verified: Verified) -> None:
        """A WebSocket is gone; with a client's last one its subscriptions end."""
        client = self._clients.get(who(verified))
        if client is None:
            return
        client.sockets.pop(socket, None)
        if not client.sockets:
            for topic in list(client.subscriptions):
                self._forget(who(verified), client, topic)
            del self._clients[who(verified)]

    def subscribe(self, topic: Topic, verified: Verified, now: int) -> None:
        """Send the events of `topic` to this client from now on.

        Raises:
            Conflict: the client has no open WebSocket, or too many subscriptions.
        """
        client = self._clients.get(who(verified))
        if client is None:
            raise Conflict("No open WebSocket connection to client", code="no-websocket")
        if topic not in client.subscriptions and len(client.subscriptions) >= MOST:
            raise Conflict("this client has too many subscriptions", code="subscriptions")
        known = client.subscriptions.get(topic)
        since = known.since if known and known.verified.caveats == verified.caveats else now
        subscription = Subscription(who(verified), topic, verified, since)
        client.subscriptions[topic] = subscription
        self._by_topic.setdefault(topic, {})[subscription.who] = subscription

    def unsubscribe(self, topic: Topic, verified: Verified) -> None:
        """Send them no more; also right when there was no such subscription."""
        client = self._clients.get(who(verified))
        if client is not None and topic in client.subscriptions:
            self._forget(who(verified), client, topic)

    def to(self, topic: Topic) -> list[Subscription]:
        """The subscriptions to one topic."""
        return list(self._by_topic.get(topic, {}).values())

    def to_windows(self) -> list[Subscription]:
        """The subscriptions that get windows instead of readings."""
        return [each for each in self._all() if each.verified.caveats.exact]

    def is_live(self, subscription: Subscription) -> bool:
        """Whether it is still wanted and permitted."""
        return self._by_topic.get(subscription.topic, {}).get(subscription.who) is subscription

    def send(self, subscription: Subscription, frame: bytes) -> None:
        """Send an event, made into a frame, to every socket of the client."""
        client = self._clients.get(subscription.who)
        if client is not None and self.is_live(subscription):
            for socket in list(client.sockets):
                socket.send_frame(frame)

    def end_grants(self, ended: Iterable[str]) -> None:
        """End at once what was permitted by these grants, sockets as well as subscriptions."""
        over = frozenset(ended)
        self._end(lambda verified: verified.grant in over, "access was stopped")

    def end_expired(self, now: int) -> None:
        """End what was permitted by tokens that no longer hold.

        With a subscription the client's sockets are closed as well: it then comes back with fresh
        tokens, instead of waiting for events that will never come.
        """
        for client in self._end(lambda each: not each.caveats.permits_time(now), _EXPIRED):
            for socket in client.sockets:
                socket.close(_POLICY, _EXPIRED)

    def _end(self, over: Callable[[Verified], bool], reason: str) -> list[_Client]:
        """End what `over` says; gives the clients that lost a subscription."""
        losing = []
        for one, client in list(self._clients.items()):
            ended = [topic for topic, each in client.subscriptions.items() if over(each.verified)]
            for topic in ended:
                self._forget(one, client, topic)
            if ended:
                losing.append(client)
            for socket, verified in list(client.sockets.items()):
                if over(verified):
                    socket.close(_POLICY, reason)
                    self.disconnect(socket, verified)
        return losing

    def _all(self) -> Iterator[Subscription]:
        for client in self._clients.values():
            yield from client.subscriptions.values()

    def _forget(self, one: Who, client: _Client, topic: Topic) -> None:
        del client.subscriptions[topic]
        del self._by_topic[topic][one]
        if not self._by_topic[topic]:
            del self._by_topic[topic]
