"""Bounds on what one caller may send, hold open or make us wait for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one server. Sizes are bytes, times are seconds."""

    target: int = 8 * 1024
    """Longest request target (path and query); longer is answered 414."""
    head: int = 16 * 1024
    """All header names and values together; more is answered 431."""
    headers: int = 64
    """Number of header lines; more is answered 431."""
    body: int = 1024 * 1024
    """Largest body where the route names no bound of its own; larger is answered 413."""
    body_pace: int = 64 * 1024
    """What of a streamed body must come in each `body_seconds` while it is waited for."""
    message: int = 256 * 1024
    """Largest WebSocket message that a peer may send, over all its fragments."""
    unsent: int = 1024 * 1024
    """Bytes that may wait for a slow WebSocket reader before it is dropped."""
    pipelined: int = 64
    """Requests of one connection that may wait for an earlier answer."""
    connections_per_caller: int = 64
    """Connections one caller may have open; the next is refused with 503."""
    connections: int = 512
    """Connections over all callers."""

    head_seconds: float = 10.0
    """From the first byte of a request, or the TLS handshake's, to the end of its head."""
    body_seconds: float = 30.0
    """From the end of the head to the end of the body; a streamed one: see `body_pace`."""
    idle_seconds: float = 75.0
    """A kept-alive connection without a request is closed after this."""
    send_seconds: float = 30.0
    """A peer that takes no part of its answer for this long is dropped."""
    ping_seconds: float = 30.0
    """A silent WebSocket peer is pinged after this, and dropped after twice this."""
