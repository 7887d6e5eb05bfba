"""The server: listeners that were handed over, their callers, and every connection they made."""

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from math import inf
from socket import SHUT_WR, socket

from databox.kit.clock import Clock, SystemClock
from databox.kit.http.connection import Connection
from databox.kit.http.limits import Limits
from databox.kit.http.message import Handler, Kind, Request
from databox.kit.http.render import CLOSE, refusal, render
from databox.kit.http.router import Resolver, Route
from databox.kit.log import event
from databox.wire.errors import Unavailable

logger = logging.getLogger(__name__)

_ACCEPTS_AT_ONCE = 32
_ACCEPT_AGAIN_SECONDS = 0.5


class Server:
    """Serves one part's requests on listeners made elsewhere.

    It makes no socket. Who calls is known by the listener a connection came through, so bounds
    are counted, and rights are ended, by caller.

    Args:
        app: A router or another resolver, or one handler for everything.
        limits: The bounds on callers.
        ssl_context: For listeners of kind "tls", or what makes it when the first caller comes.
        clock: For the `Date` header alone.
    """

    def __init__(
        self,
        app: Resolver | Handler,
        limits: Limits | None = None,
        ssl_context: ssl.SSLContext | Callable[[], ssl.SSLContext] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.draining = False
        self.resolve = app.resolve if isinstance(app, Resolver) else _always(Route(app))
        self._ssl_context = ssl_context
        self._clock = clock or SystemClock()
        self._listeners: dict[socket, tuple[str, Kind]] = {}
        self._connections: set[Connection] = set()
        self._opening: dict[asyncio.Task[None], tuple[Connection, socket]] = {}
        self._slots: set[Connection] = set()
        self._counts: Counter[str] = Counter()
        self._sweep: asyncio.TimerHandle | None = None
        self.date = b""
        self._empty: asyncio.Event | None = None
        self._left_at = -inf

    def serve_listener(self, listener: socket, caller: str, kind: Kind = "plain") -> None:
        """Accept `caller`'s connections on this listening socket, which is ours from now on.

        Raises:
            ValueError: The kind is "tls" and this server has no TLS context.
        """
        if self.draining:
            # Whoever connects waits in its queue, for the next server.
            listener.close()
            return
        if kind == "tls" and self._ssl_context is None:
            raise ValueError("a listener of kind tls needs a server with an ssl_context")
        listener.setblocking(False)
        self._listeners[listener] = (caller, kind)
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def serve_connection(self, connection: socket, caller: str, kind: Kind = "plain") -> None:
        """Serve one accepted connection, within the caller's bounds."""
        connection.setblocking(False)
        if not self._has_room(caller):
            event(logger, logging.WARNING, "connection-refused", caller=caller, kind=kind)
            self._turn_away(connection, kind)
            return
        made = self._take_slot(caller, kind)
        task = asyncio.get_running_loop().create_task(self._open(connection, made, kind))
        self._opening[task] = (made, connection)
        task.add_done_callback(self._opened)

    def close_caller(self, caller: str) -> None:
        """End every listener and connection of `caller` at once, unsent answers included."""
        for listener in [each for each, (who, _) in self._listeners.items() if who == caller]:
            self._close_listener(listener)
        for task, (made, _) in list(self._opening.items()):
            if made.caller == caller:
                task.cancel()
        for connection in [each for each in self._connections if each.caller == caller]:
            connection.abort()

    def end_answers(self, over: Callable[[Request], bool]) -> None:
        """Break off at once every answer that is half sent, where `over` says so of its request."""
        for connection in list(self._connections):
            request = connection.half_sent
            if request is not None and over(request):
                connection.abort()

    @property
    def idle_since(self) -> float | None:
        """The loop's time since when nobody asks anything; None while somebody does."""
        latest = self._left_at
        for connection in self._slots:
            since = connection.idle_since if connection.joined else None
            if since is None:
                return None
            latest = max(latest, since)
        return latest

    def retire(self, since: float) -> bool:
        """Take nothing new, if nobody is connected. Whether it did.

        Else those go first who have asked nothing after `since`, the loop's time: then ask again.
        Nobody is accepted between the look and the end, and whoever waits in a listener's queue
        stays there for the next server, so no request is lost.
        """
        if self._slots:
            for connection in list(self._connections):
                idle = connection.idle_since
                if idle is not None and idle <= since:
                    connection.dismiss()
            return False
        self._stop_accepting()
        return True

    async def drain(self, grace: float = 5.0) -> None:
        """Take nothing new, answer what is running, and end; after `grace` seconds, abort."""
        self._stop_accepting()
        for connection in list(self._connections):
            connection.finish()
        self._empty = asyncio.Event()
        self._check_empty()
        try:
            async with asyncio.timeout(grace):
                await self._empty.wait()
        except TimeoutError:
            self.close()

    def close(self) -> None:
        """End everything at once."""
        for caller in {*self._counts, *(who for who, _ in self._listeners.values())}:
            self.close_caller(caller)

    # A connection calls the following.

    def date_line(self) -> bytes:
        """The `Date` header line; made when it is first needed in a second."""
        if not self.date:
            now = self._clock.now() / 1000
            self.date = f"Date: {formatdate(now, usegmt=True)}\r\n".encode("ascii")
            asyncio.get_running_loop().call_later(1 - now % 1, self._forget_date)
        return self.date

    def _forget_date(self) -> None:
        self.date = b""

    def joined(self, connection: Connection) -> None:
        """The connection can carry requests."""
        if connection not in self._slots:
            connection.abort()
            return
        self._connections.add(connection)
        if self._sweep is None:
            self._look_later(0)

    def released(self, connection: Connection) -> None:
        """The connection has ended and its last handler has returned."""
        self._connections.discard(connection)
        self._free_slot(connection)

    # From a listener to a connection.

    def _accept(self, listener: socket) -> None:
        caller, kind = self._listeners[listener]
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Out of descriptors or memory: without a pause this would spin.
                event(logger, logging.ERROR, "accept-failed", caller=caller, error=error)
                self._rest(listener)
                return
            self.serve_connection(connection, caller, kind)

    def _rest(self, listener: socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)

        def again() -> None:
            if listener in self._listeners:
                loop.add_reader(listener, self._accept, listener)

        loop.call_later(_ACCEPT_AGAIN_SECONDS, again)

    def _has_room(self, caller: str) -> bool:
        limits = self.limits
        total = self._counts.total()
        return self._counts[caller] < limits.connections_per_caller and total < limits.connections

    def _turn_away(self, connection: socket, kind: Kind) -> None:
        """Say why, if it can be said without waiting, and close."""
        error = Unavailable(
            "There are too many connections from this caller",
            code="too-many-connections",
            remedy="Close some, or use one for several requests.",
        )
        answer = refusal(error, 503, retry_after="1")
        with connection:
            try:
                if kind != "tls":
                    connection.send(render(answer, self.date_line(), CLOSE))
                    connection.shutdown(SHUT_WR)
                    connection.recv(self.limits.head)
            except OSError:
                return

    def _take_slot(self, caller: str, kind: Kind) -> Connection:
        """Count a new connection, from before its handshake until its last handler returns."""
        connection = Connection(self, caller, kind)
        self._slots.add(connection)
        self._counts[caller] += 1
        return connection

    def _free_slot(self, connection: Connection) -> None:
        if connection in self._slots:
            self._left_at = asyncio.get_running_loop().time()
            self._slots.remove(connection)
            self._counts[connection.caller] -= 1
            if not self._counts[connection.caller]:
                del self._counts[connection.caller]
        self._check_empty()

    async def _open(self, accepted: socket, connection: Connection, kind: Kind) -> None:
        """Make the connection, its TLS handshake included."""
        try:
            context = self._context() if kind == "tls" else None
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=context,
                ssl_handshake_timeout=self.limits.head_seconds if context else None,
                ssl_shutdown_timeout=1.0 if context else None,
            )
        except (OSError, TimeoutError) as error:
            event(logger, logging.INFO, "connection-failed", caller=connection.caller, error=error)

    def _context(self) -> ssl.SSLContext | None:
        made = self._ssl_context
        return made() if callable(made) else made

    def _opened(self, task: asyncio.Task[None]) -> None:
        """Clean up here, since a task that is cancelled before its first step runs no `finally`."""
        connection, accepted = self._opening.pop(task)
        if not connection.joined:
            accepted.close()
            self._free_slot(connection)
        self._check_empty()

    def _stop_accepting(self) -> None:
        self.draining = True
        for listener in list(self._listeners):
            self._close_listener(listener)

    def _check_empty(self) -> None:
        if self._empty is not None and not self._connections and not self._opening:
            self._empty.set()

    def _close_listener(self, listener: socket) -> None:
        del self._listeners[listener]
        asyncio.get_running_loop().remove_reader(listener)
        listener.close()

    # Deadlines.

    def _look(self) -> None:
        """End what is overdue, and look again when the next could be.

        One timer for all connections: a timer per request would cost more than the request.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        nearest = inf
        for connection in list(self._connections):
            if connection.deadline <= now:
                connection.expire(now)
            nearest = min(nearest, connection.deadline)
        self._sweep = None
        if self._connections:
            self._look_later(nearest - now)

    def _look_later(self, seconds: float) -> None:
        # A deadline set meanwhile can be nearer than those seen now, but none is shorter than the
        # shortest bound, so looking that often is never late by more than that bound.
        bounds = self.limits
        shortest = min(
            bounds.head_seconds, bounds.body_seconds, bounds.idle_seconds, bounds.send_seconds, 1.0
        )
        wait = min(max(seconds, shortest / 4), shortest)
        self._sweep = asyncio.get_running_loop().call_later(wait, self._look)


def _always(route: Route) -> Callable[[Request], Route]:
    return lambda request: route
