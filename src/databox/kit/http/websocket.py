"""A WebSocket after its opening, on either side: the `websockets` library frames, we bound."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Protocol, Side, State

from databox.kit.http.limits import Limits

SERVER, CLIENT = Side.SERVER, Side.CLIENT
NORMAL, GOING_AWAY, FAILED = (
    CloseCode.NORMAL_CLOSURE,
    CloseCode.GOING_AWAY,
    CloseCode.INTERNAL_ERROR,
)
_WAITING = 32
"""Messages that may wait to be received before we stop reading."""
_CLOSE_SECONDS = 2.0
"""What the peer gets to answer our close."""

# The library logs each end of a connection as news; what matters is logged by who uses it.
_quiet = logging.Logger("websocket", logging.ERROR)
_quiet.addHandler(logging.NullHandler())


def frame_text(text: str) -> bytes:
    """A text message as one frame from a server, to be written to any number of peers.

    Source: RFC 6455 section 5.2.
    """
    return _frame(0x81, text.encode())


def frame_binary(content: bytes) -> bytes:
    """A binary message as one frame from a server."""
    return _frame(0x82, content)


class WebSocket(asyncio.Protocol):
    """One open WebSocket.

    Receiving holds back a peer that sends faster than we read. Sending never waits: a peer that
    reads too slowly is dropped when `Limits.unsent` bytes wait for it, so that one slow reader
    neither stops the others nor fills our memory.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        limits: Limits,
        side: Side,
        on_lost: Callable[[], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        self.close_code: int | None = None
        self._transport = transport
        self._limits = limits
        self._on_lost = on_lost
        self._protocol = Protocol(side, max_size=limits.message, logger=_quiet)
        self._loop = loop
        self._messages: deque[str | bytes] = deque()
        self._waiting_bytes = 0
        self._arrival: asyncio.Future[None] | None = None
        self._lost: asyncio.Future[None] = loop.create_future()
        self._partial = bytearray()
        self._partial_is_text = False
        self._heard = loop.time()
        self._pinged = False
        self._paused = False
        self._closing: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether messages can still be sent."""
        return self._protocol.state is State.OPEN and not self._transport.is_closing()

    async def receive(self) -> str | bytes | None:
        """The next message, or None when the connection has ended."""
        while not self._messages:
            if self._lost.done() or self._protocol.state is not State.OPEN:
                return None
            self._arrival = self._loop.create_future()
            await self._arrival
        message = self._messages.popleft()
        self._waiting_bytes -= len(message)
        if self._paused and not self._messages and not self._lost.done():
            self._paused = False
            self._transport.resume_reading()
        return message

    def send(self, message: str | bytes) -> bool:
        """Send one message; False if the peer is gone or was dropped as too slow."""
        if not self.is_open:
            return False
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        return self._flush()

    def send_frame(self, frame: bytes) -> bool:
        """Send a frame made by `frame_text` or `frame_binary`; only on the server's side."""
        if not self.is_open:
            return False
        self._transport.write(frame)
        return self._drop_if_slow()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Begin to close; it has ended within two seconds, with or without the peer's answer."""
        if self._lost.done():
            return
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._flush()
            self._wake()
            self._closing = self._loop.call_later(_CLOSE_SECONDS, self._transport.abort)

    async def wait_closed(self) -> None:
        """Wait until the connection has ended, by whomever."""
        await asyncio.shield(self._lost)

    def abort(self) -> None:
        """End the connection at once, unsent bytes and all."""
        self._transport.abort()

    def check(self, now: float) -> float:
        """Ping a silent peer, drop a dead one; gives when to check again (the loop's time)."""
        silence, patience = now - self._heard, self._limits.ping_seconds
        if silence >= 2 * patience:
            self._transport.abort()
        elif silence >= patience:
            if not self._pinged and self.is_open:
                self._pinged = True
                self._protocol.send_ping(b"")
                self._flush()
            return self._heard + 2 * patience
        return self._heard + patience

    # The transport calls the following by these names.

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._transport.is_closing():
            return
        self._heard = self._loop.time()
        self._pinged = False
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
        self._flush()
        self._wake()
        if len(self._messages) >= _WAITING or self._waiting_bytes > self._limits.message:
            self._pause()

    def eof_received(self) -> bool:
        """The peer sends no more, which ends a WebSocket."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection has ended."""
        received = self._protocol.close_rcvd
        self.close_code = received.code if received else CloseCode.ABNORMAL_CLOSURE
        if self._closing is not None:
            self._closing.cancel()
        self._lost.set_result(None)
        self._wake()
        self._on_lost()

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            self._partial_is_text = frame.opcode is Opcode.TEXT
            self._partial[:] = frame.data
        elif frame.opcode is Opcode.CONT:
            self._partial += frame.data
        else:
            return
        if frame.fin:
            self._complete(bytes(self._partial))
            self._partial.clear()

    def _complete(self, content: bytes) -> None:
        message: str | bytes = content
        if self._partial_is_text:
            try:
                message = content.decode()
            except UnicodeDecodeError:
                if self._protocol.state is State.OPEN:
                    self._protocol.fail(CloseCode.INVALID_DATA, "text is not UTF-8")
                return
        self._messages.append(message)
        self._waiting_bytes += len(message)

    def _flush(self) -> bool:
        """Write what the protocol wants sent; its empty last part means that all is said."""
        for part in self._protocol.data_to_send():
            if part:
                self._transport.write(part)
            else:
                self._transport.close()
        return self._drop_if_slow()

    def _drop_if_slow(self) -> bool:
        if self._transport.get_write_buffer_size() > self._limits.unsent:
            self._transport.abort()
            return False
        return True

    def _pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


def _frame(first: int, content: bytes) -> bytes:
    size = len(content)
    if size < 126:
        return bytes((first, size)) + content
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2, "big") + content
    return bytes((first, 127)) + size.to_bytes(8, "big") + content
