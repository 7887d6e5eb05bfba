"""A part's end of the control channel: the only thing that it gets from outside.

One message a packet, descriptors beside it (`wire/control.py`). A part cannot make a socket, so
listeners and connections come through here, from `box`.
"""

import array
import asyncio
import itertools
import logging
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from databox.kit import log as lines
from databox.kit.secret import Secret
from databox.wire.control import (
    MAX_PACKET,
    Allow,
    Closed,
    Connect,
    Done,
    Failed,
    Fares,
    FromBox,
    FromPart,
    InstanceState,
    Listener,
    Ready,
    Route,
    Stop,
    Unlisten,
    Unroute,
)
from databox.wire.errors import DataboxError, TooLarge, Unavailable, from_json

log = logging.getLogger(__name__)

MAX_DESCRIPTORS = 4
ASK_SECONDS = 600.0
"""Longer than the longest answer, an installation: who wants to wait less says so around `ask`."""

_INT_BYTES = array.array("i").itemsize

OnListener = Callable[[Listener, socket.socket], None]
OnUnlisten = Callable[[Unlisten], None]
OnRoute = Callable[[Route, socket.socket], None]
OnEvent = Callable[[Unroute | Allow | InstanceState], None]
Answer = tuple[bytes, socket.socket | None]


class Control:
    """What a part is born with: its name, its settings, its secrets, its folder, and the box.

    `config`: small plain settings. `directory`: the only place that it may write to.
    """

    def __init__(
        self,
        channel: socket.socket,
        *,
        part: str,
        config: Mapping[str, str],
        secrets: Mapping[str, Secret],
        directory: Path,
    ) -> None:
        self.part = part
        self.config = dict(config)
        self.secrets = dict(secrets)
        self.directory = directory
        self._channel = channel
        self._channel.setblocking(False)
        self._decoder = msgspec.json.Decoder(FromBox)
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._stopped = asyncio.Event()
        self._sending = asyncio.Lock()
        self._replies: set[asyncio.Task[None]] = set()
        self._reading = False
        self._on_listener: OnListener = _unheard
        self._on_unlisten: OnUnlisten = _nothing_open
        self._on_route: OnRoute = _unheard
        self._on_event: OnEvent = _nothing_open

    def on_listener(self, handler: OnListener) -> None:
        """Accept on what comes here; `Listener` says who calls. Set it before `ready`."""
        self._on_listener = handler

    def on_unlisten(self, handler: OnUnlisten) -> None:
        """Close that caller's listeners and connections before returning: the box waits for it."""
        self._on_unlisten = handler

    def on_route(self, handler: OnRoute) -> None:
        """For the switchboard: join what this listener accepts to where the route leads."""
        self._on_route = handler

    def on_event(self, handler: OnEvent) -> None:
        """For the switchboard `Unroute` and `Allow`, for the manager `InstanceState`."""
        self._on_event = handler

    async def ready(self) -> None:
        """Tell the box that this part serves; from now on it hands out listeners."""
        self._start()
        await self._send(Ready())

    async def fare(self, told: Fares) -> None:
        """Tell the box how this part fares, for the owner's dashboard."""
        await self._send(told)

    async def connect(self, callee: str) -> socket.socket:
        """A non-blocking connection to another part, which is woken if it sleeps.

        Raises:
            Denied: this part has no business with `callee`.
            Unavailable: the box is locked, or the callee does not come up.
        """
        return await self.ask_socket(Connect(id=0, callee=callee))

    async def ask(self, message: FromPart) -> bytes:
        """Ask the box; the `id` in `message` is replaced. Gives the answer as JSON.

        Raises:
            DataboxError: the box refused or failed; the branch says whose fault it was.
        """
        value, attached = await self._ask(message)
        if attached is not None:
            attached.close()
        return value

    async def ask_socket(self, message: FromPart) -> socket.socket:
        """Ask the box for a connection. The socket is non-blocking and belongs to the caller.

        Raises:
            DataboxError: as `ask`.
        """
        _, attached = await self._ask(message)
        if attached is None:
            raise Unavailable("the box answered without a connection")
        return attached

    async def run(self) -> None:
        """Serve until the box says stop, or is gone."""
        self._start()
        await self._stopped.wait()

    async def _ask(self, message: FromPart) -> Answer:
        self._start()
        number = next(self._ids)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await self._send(msgspec.structs.replace(message, id=number))
                return await answer
        except TimeoutError as error:
            raise Unavailable("the box did not answer in time") from error
        finally:
            del self._waiting[number]

    async def _send(self, message: FromPart) -> None:
        packet = msgspec.json.encode(message)
        if len(packet) > MAX_PACKET:
            raise TooLarge("this is too long to tell the box", found=f"{len(packet)} bytes")
        # The loop keeps one writer a descriptor: a second would take the first one's place.
        async with self._sending:
            await asyncio.get_running_loop().sock_sendall(self._channel, packet)

    def _start(self) -> None:
        if not self._reading:
            self._reading = True
            asyncio.get_running_loop().add_reader(self._channel.fileno(), self._readable)

    def _readable(self) -> None:
        try:
            packet, descriptors = _receive(self._channel)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            packet, descriptors = b"", []
        if not packet:
            self._end()
            return
        sockets = [socket.socket(fileno=number) for number in descriptors]
        for each in sockets:
            each.setblocking(False)
        self._take(self._decoder.decode(packet), sockets[0] if sockets else None)

    def _take(self, message: FromBox, attached: socket.socket | None) -> None:
        match message:
            case Done():
                self._answer(message.id, (bytes(message.value), attached))
            case Failed():
                error = from_json(message.status, msgspec.json.decode(message.error))
                self._answer(message.id, error)
            case Listener() if attached:
                self._on_listener(message, attached)
            case Route() if attached:
                self._on_route(message, attached)
            case Unlisten():
                self._unlisten(message)
            case Unroute() | Allow() | InstanceState():
                self._on_event(message)
            case Stop():
                self._stopped.set()
            case Listener() | Route():
                lines.event(log, logging.ERROR, "descriptor-missing", message=type(message))

    def _answer(self, number: int, answer: Answer | DataboxError) -> None:
        waiting = self._waiting.get(number)
        if waiting is None or waiting.done():
            # Whoever asked has given up: nobody else would close the descriptor.
            if isinstance(answer, tuple) and answer[1] is not None:
                answer[1].close()
        elif isinstance(answer, DataboxError):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)

    def _unlisten(self, message: Unlisten) -> None:
        self._on_unlisten(message)
        closed = Closed(caller=message.caller, callee=message.callee)
        reply = asyncio.get_running_loop().create_task(self._send(closed))
        self._replies.add(reply)
        reply.add_done_callback(self._replies.discard)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._channel.fileno())
        self._stopped.set()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Unavailable("the box has ended"))


def _receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    space = socket.CMSG_SPACE(MAX_DESCRIPTORS * _INT_BYTES)
    packet, ancillary, _, _ = channel.recvmsg(MAX_PACKET, space, socket.MSG_CMSG_CLOEXEC)
    numbers = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(content[: len(content) - len(content) % _INT_BYTES])
    return packet, list(numbers)


def _unheard(message: object, attached: socket.socket) -> None:
    # Left open, callers would wait in its queue for ever.
    attached.close()
    lines.event(log, logging.ERROR, "nobody-listens", message=type(message))


def _nothing_open(_: object) -> None:
    """A part without listeners has nothing to close."""
