"""Joins two stream connections: what one sends, the other receives, with back-pressure.

asyncio protocols and not streams: no task and no copy into a buffer of ours for each piece, which
halves the cost of small requests.
"""

import asyncio
from typing import cast

HIGH_WATER = 256 * 1024


class End(asyncio.Protocol):
    """One end of a joined connection.

    Bytes that come before the other end is there are kept, bounded: pausing a transport in
    `connection_made` does not hold everywhere. `passed`: bytes that went on to the other end.
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer: End | None = None
        self.early = bytearray()
        self.closed = asyncio.get_running_loop().create_future()
        self.on_early = asyncio.Event()
        self.passed = 0
        self.ended = False

    @property
    def is_closing(self) -> bool:
        """Whether nothing more passes here."""
        return self.transport is None or self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        """Pass on, or keep until there is somebody to pass on to."""
        if self.peer is None or self.peer.transport is None:
            self.early += data
            self.on_early.set()
            if len(self.early) > HIGH_WATER and self.transport:
                self.transport.abort()
            return
        self.passed += len(data)
        self.peer.transport.write(data)

    def eof_received(self) -> bool:
        """Half-close the other side, and keep our own open until that side has ended too."""
        self.ended = True
        if self.peer is None or self.peer.transport is None or self.peer.ended:
            return False
        self.peer.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        """This side is slow: stop reading on the other."""
        if self.peer and self.peer.transport:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        """This side caught up."""
        if self.peer and self.peer.transport and not self.peer.transport.is_closing():
            self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """What is gone here is ended there, after what was written."""
        if self.peer and self.peer.transport:
            self.peer.transport.close()
        self.on_early.set()
        if not self.closed.done():
            self.closed.set_result(None)

    def close(self) -> None:
        """End this side, after what was written to it."""
        if self.transport:
            self.transport.close()

    def abort(self) -> None:
        """End both sides at once."""
        for end in (self, self.peer):
            if end and end.transport:
                end.transport.abort()


def join(near: End, far: End) -> None:
    """Let bytes pass between two ends, the early ones first."""
    near.peer, far.peer = far, near
    for one, other in ((near, far), (far, near)):
        if one.early and other.transport:
            one.passed += len(one.early)
            other.transport.write(bytes(one.early))
            one.early.clear()


async def wait_over(near: End, far: End) -> None:
    """Wait until both ends are closed."""
    await asyncio.gather(near.closed, far.closed)
