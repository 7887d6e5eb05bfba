"""The switchboard's process: routes on one side, pairs and the outside on the other."""

import asyncio
import logging
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec

from databox.kit.control import Control
from databox.kit.dialer import Dialer
from databox.switchboard import hello
from databox.switchboard.outside import Resolver, SystemResolver, dial
from databox.switchboard.places import Place, parse
from databox.switchboard.relay import End, join, wait_over
from databox.wire import api, ledger
from databox.wire.control import Allow, Listener, Route, Unlisten, Unroute
from databox.wire.errors import DataboxError, Denied

log = logging.getLogger("databox.switchboard")

HELLO_S = 10.0
REPORT_S = 10.0
MOST_PER_CALLER = 128
"""Connections of one caller through all its lines, so that none can take all descriptors."""
AGAIN_S = 0.5
_CONNECT = re.compile(rb"CONNECT ([a-z0-9.-]{1,253}:[0-9]{1,5}) HTTP/1\.1\r\n\r\n")

Far = Callable[[End], Awaitable[tuple[End, str]]]


async def serve(control: Control, resolver: Resolver | None = None) -> None:
    """Run the switchboard until the box says stop."""
    switchboard = Switchboard(control, resolver or SystemResolver())
    control.on_route(switchboard.route)
    control.on_event(switchboard.heard)
    control.on_listener(switchboard.listen)
    control.on_unlisten(switchboard.unlisten)
    await control.ready()
    async with asyncio.TaskGroup() as tasks:
        report = tasks.create_task(switchboard.report())
        await control.run()
        report.cancel()
    await switchboard.tell()
    switchboard.end()


@dataclass(slots=True)
class _Line:
    """One listener and the connections that came through it."""

    caller: str
    listener: socket.socket
    accepting: asyncio.Task[None] | None = None
    open: set[End] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class _Outside:
    """A connection to the outside that is open, and what of its bytes was counted already."""

    caller: str
    host: str
    near: End
    far: End
    sent: int = 0
    received: int = 0

    def news(self) -> list[int]:
        """What passed since the last time, as `Switchboard` counts it: no new connection."""
        sent, received = self.near.passed - self.sent, self.far.passed - self.received
        self.sent, self.received = self.near.passed, self.far.passed
        return [0, sent, received]


class Switchboard:
    """Keeps a line for each route and joins what comes in to where the route leads."""

    def __init__(self, control: Control, resolver: Resolver) -> None:
        self._dialer = Dialer(control)
        self._resolver = resolver
        self._lines: dict[tuple[str, str], _Line] = {}
        self._allowed: dict[str, frozenset[str]] = {}
        self._egress: dict[tuple[str, str], list[int]] = {}
        self._outside: set[_Outside] = set()
        self._running: set[asyncio.Task[None]] = set()

    def route(self, route: Route, listener: socket.socket) -> None:
        """Accept inside a sandbox, and join to a pair or to an outside place."""
        if route.pair:
            self._add(route.caller, route.name, listener, _to_pair(route.pair))
        else:
            self._add(route.caller, route.name, listener, self._to_outside(parse(route.outside)))

    def listen(self, message: Listener, listener: socket.socket) -> None:
        """Accept connections of a part that names a place first, as the export service does."""
        self._add(message.caller, message.callee, listener, self._to_named(message.caller))

    def heard(self, event: object) -> None:
        """The box takes a route away, or says which places a caller may name."""
        match event:
            case Unroute(caller=caller, name=name):
                self._close((caller, name))
            case Allow(caller=caller, places=places):
                self._allowed[caller] = frozenset(places)
            case _:
                log.warning("unexpected-event kind=%s", type(event).__name__)

    def unlisten(self, gone: Unlisten) -> None:
        """A pair is gone."""
        self._close((gone.caller, gone.callee))

    def end(self) -> None:
        """Close everything."""
        for key in list(self._lines):
            self._close(key)

    async def report(self) -> None:
        """Tell the ledger every ten seconds which outside places were reached."""
        while True:
            await asyncio.sleep(REPORT_S)
            await self.tell()

    async def tell(self) -> None:
        """Write down what went outside since the last time; kept for the next if that fails.

        Also of connections that are still open: one that never ends would never be on the record.
        """
        for each in self._outside:
            self._count(each.caller, each.host, each.news())
        told, self._egress = self._egress, {}
        if not told:
            return
        events = tuple(
            ledger.Egress(component=c, host=h, connections=n, sent=out, received=back)
            for (c, h), (n, out, back) in told.items()
        )
        try:
            await self._dialer.call("entries", api.EntryRequest(events=events))
        except (DataboxError, OSError) as error:
            log.warning("egress-not-written why=%s", error)
            for (component, host), numbers in told.items():
                self._count(component, host, numbers)

    def _add(self, caller: str, name: str, listener: socket.socket, far: Far) -> None:
        self._close((caller, name))
        listener.setblocking(False)
        line = _Line(caller, listener)
        line.accepting = asyncio.create_task(self._accept(line, far))
        self._lines[caller, name] = line

    def _close(self, key: tuple[str, str]) -> None:
        line = self._lines.pop(key, None)
        if line is None:
            return
        if line.accepting is not None:
            line.accepting.cancel()
        line.listener.close()
        for near in list(line.open):
            near.abort()

    async def _accept(self, line: _Line, far: Far) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(line.listener)
            except OSError as error:
                # Out of descriptors: a line that gave up here would stay dead.
                log.warning("accept-failed caller=%s why=%s", line.caller, error)
                await asyncio.sleep(AGAIN_S)
                continue
            _, near = await loop.connect_accepted_socket(End, accepted)
            if self._open_of(line.caller) >= MOST_PER_CALLER:
                near.abort()
                continue
            line.open.add(near)
            task = asyncio.create_task(self._serve(line, near, far))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _open_of(self, caller: str) -> int:
        return sum(len(line.open) for line in self._lines.values() if line.caller == caller)

    async def _serve(self, line: _Line, near: End, far: Far) -> None:
        host = ""
        try:
            other, host = await far(near)
            if near.is_closing:
                # The line may have been taken away meanwhile: then nothing more goes out.
                other.abort()
                return
            join(near, other)
            await self._until_over(_Outside(line.caller, host, near, other))
        except (DataboxError, OSError, TimeoutError) as error:
            log.info("refused caller=%s host=%s why=%s", line.caller, host, error)
            near.close()
        finally:
            line.open.discard(near)

    async def _until_over(self, joined: _Outside) -> None:
        if not joined.host:
            await wait_over(joined.near, joined.far)
            return
        self._count(joined.caller, joined.host, [1, 0, 0])
        self._outside.add(joined)
        try:
            await wait_over(joined.near, joined.far)
        finally:
            self._outside.discard(joined)
            self._count(joined.caller, joined.host, joined.news())

    def _to_outside(self, place: Place) -> Far:
        """A driver's granted name: the TLS inside must ask for that very name."""

        async def far(near: End) -> tuple[End, str]:
            asked = await _server_name(near)
            if asked != place.host:
                raise Denied("the name asked for is not the granted one", found=asked[:100])
            return await dial(place, self._resolver), place.host

        return far

    def _to_named(self, caller: str) -> Far:
        """A part names a place; only those that the box allowed it."""

        async def far(near: End) -> tuple[End, str]:
            try:
                place = await _named(near)
                if str(place) not in self._allowed.get(caller, frozenset()):
                    raise Denied("no grant allows this place", code="place", found=str(place))
                end = await dial(place, self._resolver)
            except DataboxError as error:
                _answer(near, error.status, msgspec.json.encode(error.as_json()))
                raise
            _answer(near, 200)
            return end, place.host

        return far

    def _count(self, component: str, host: str, numbers: list[int]) -> None:
        if not any(numbers):
            return
        kept = self._egress.setdefault((component, host), [0, 0, 0])
        for index, number in enumerate(numbers):
            kept[index] += number


def _to_pair(path: str) -> Far:
    """The callee's TLS listener of the same pair."""

    async def far(near: End) -> tuple[End, str]:
        loop = asyncio.get_running_loop()
        _, end = await loop.create_unix_connection(End, path)
        return end, ""

    return far


async def _server_name(near: End) -> str:
    async with asyncio.timeout(HELLO_S):
        while True:
            size = hello.record_size(bytes(near.early[:5]))
            if size is not None and len(near.early) >= size:
                return hello.server_name(bytes(near.early[:size]))
            await _more(near)


async def _named(near: End) -> Place:
    """Read the `CONNECT host:port` that a part opens with; what follows stays for the place."""
    async with asyncio.timeout(HELLO_S):
        while b"\r\n\r\n" not in near.early:
            if len(near.early) > 1024:
                raise Denied("this does not name a place")
            await _more(near)
    match = _CONNECT.match(near.early)
    if match is None:
        raise Denied("this does not name a place")
    place = parse(match[1].decode())
    del near.early[: match.end()]
    return place


def _answer(near: End, status: int, told: bytes = b"") -> None:
    """Tell a part what became of its `CONNECT`, in the words of such a proxy."""
    if near.transport is not None:
        phrase = HTTPStatus(status).phrase
        near.transport.write(f"HTTP/1.1 {status} {phrase}\r\n\r\n".encode() + told)


async def _more(near: End) -> None:
    near.on_early.clear()
    await near.on_early.wait()
    if near.closed.done():
        raise ConnectionError("closed before it said where to")
