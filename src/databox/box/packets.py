"""The box's end of a channel of packets: sends and receives without waiting, within bounds."""

import array
import asyncio
import socket
from collections import deque
from collections.abc import Callable, Sequence

from databox.wire.control import MAX_PACKET

MAX_QUEUE = 1024
"""Packets waiting for a reader. Who does not read that long is beyond help."""

_INT_BYTES = array.array("i").itemsize


class Packets:
    """One end of a SOCK_SEQPACKET pair on the running loop.

    `received` gets each packet, `ended` is called once when the other end is closed or has let its
    queue run full. Descriptors are only ever sent: those that the other end attaches are dropped
    by the kernel, because no room is offered for them.
    """

    def __init__(
        self,
        channel: socket.socket,
        received: Callable[[bytes], None],
        ended: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._channel.setblocking(False)
        self._received = received
        self._ended = ended
        self._queue: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._sockets: deque[socket.socket | None] = deque()
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._loop.add_reader(channel.fileno(), self._readable)

    def send(self, packet: bytes, attached: socket.socket | None = None) -> None:
        """Send, now or as soon as the other end reads. `attached` may be closed at once."""
        if not self._open:
            return
        if len(self._queue) >= MAX_QUEUE:
            self.close()
            self._ended()
            return
        if not self._queue and self._sent(packet, _numbers(attached)):
            return
        kept = attached.dup() if attached is not None else None
        self._sockets.append(kept)
        self._queue.append((packet, _numbers(kept)))
        self._loop.add_writer(self._channel.fileno(), self._writable)

    def drain(self) -> None:
        """Take what the other end said before it ended."""
        while self._open:
            try:
                packet = self._channel.recv(MAX_PACKET)
            except OSError:
                return
            if not packet:
                return
            self._received(packet)

    def close(self) -> None:
        """Hang up and forget what was not sent."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._channel.fileno())
        self._loop.remove_writer(self._channel.fileno())
        self._channel.close()
        for kept in self._sockets:
            if kept is not None:
                kept.close()
        self._sockets.clear()
        self._queue.clear()

    def _sent(self, packet: bytes, numbers: Sequence[int]) -> bool:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", numbers))]
        try:
            self._channel.sendmsg([packet], rights if numbers else [])
        except BlockingIOError:
            return False
        except OSError:
            # The other end is gone; `_readable` notices and says so.
            return True
        return True

    def _writable(self) -> None:
        while self._queue:
            packet, numbers = self._queue[0]
            if not self._sent(packet, numbers):
                return
            self._queue.popleft()
            kept = self._sockets.popleft()
            if kept is not None:
                kept.close()
        self._loop.remove_writer(self._channel.fileno())

    def _readable(self) -> None:
        try:
            packet = self._channel.recv(MAX_PACKET)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if packet:
            self._received(packet)
            return
        # Readable for ever from now on; what is still to send has no reader.
        self._loop.remove_reader(self._channel.fileno())
        self._ended()


def _numbers(attached: socket.socket | None) -> tuple[int, ...]:
    return (attached.fileno(),) if attached is not None else ()
