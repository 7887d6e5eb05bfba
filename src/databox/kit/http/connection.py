"""One connection of the server: requests in, answers out in the same order."""

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum
from functools import partial
from math import inf
from socket import AF_UNIX, SHUT_RD, socket
from typing import Protocol, cast

from databox.kit.http.handshake import check_opening
from databox.kit.http.incoming import BodyLost, BodySlow, Incoming
from databox.kit.http.limits import Limits
from databox.kit.http.message import Answer, Held, Kind, Request, Response, Stream, Upgrade
from databox.kit.http.reader import Refused, RequestReader
from databox.kit.http.render import (
    CLOSE,
    CONTINUE,
    KEEP,
    connection_line,
    refusal,
    render,
    render_head,
    render_opening,
    unexpected,
)
from databox.kit.http.router import Route
from databox.kit.http.websocket import FAILED, GOING_AWAY, SERVER, WebSocket
from databox.wire.errors import BadRequest, DataboxError

_LINGER_SECONDS = 1.0
"""How long what a refused peer still sends is thrown away, so that it can read why."""
_PROGRESS = 16 * 1024
"""Bytes a peer must take in `send_seconds` not to be dropped."""


class Host(Protocol):
    """What a connection needs from its server."""

    limits: Limits
    draining: bool
    date: bytes
    """The `Date` header line, or nothing once its second is over."""

    resolve: Callable[[Request], Route]

    def date_line(self) -> bytes:
        """The `Date` header line, made anew if need be."""
        ...

    def joined(self, connection: "Connection") -> None:
        """The connection can carry requests."""
        ...

    def released(self, connection: "Connection") -> None:
        """The connection has ended and its last handler has returned."""
        ...


class _State(Enum):
    OPEN = "requests are read"
    ENDING = "what came is answered, nothing more is read"
    LINGERING = "the last answer is written, what comes is thrown away"
    LOST = "the transport is gone"


class Connection(asyncio.Protocol):
    """Reads requests, calls handlers, writes answers.

    A handler that returns its answer is served in the same breath, without a task. One that
    returns an awaitable gets the connection's task, and later requests wait in order.
    """

    def __init__(self, host: Host, caller: str, kind: Kind) -> None:
        self.caller = caller
        self.joined = False
        self.deadline = inf
        self._host = host
        self._limits = host.limits
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(
            host.limits, self._head, self._complete, caller=caller, kind=kind
        )
        self._state = _State.OPEN
        self._route: Route | None = None
        self._queue: deque[tuple[Request, Route, bool]] = deque()
        self._refusal: Response | None = None
        self._held = False
        self._feeding = False
        self._paused = False
        self._body: Incoming | None = None
        self._body_seen = 0
        self._unread = False
        self._dismissed = False
        self._task: asyncio.Future[None] | None = None
        self._streaming = False
        self._served: Request | None = None
        self._writable: asyncio.Future[None] | None = None
        self._blocked_at = 0
        self._owes_continue = False
        self._upgrade_rest: bytes | None = None
        self._websocket: WebSocket | None = None
        self._over_tls = kind == "tls"
        self._transport: asyncio.Transport
        self._waits = -1

    @property
    def _gone(self) -> bool:
        return self._state is _State.LOST

    # The transport calls the following by these names.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The peer is there."""
        # uvloop's transports have the methods of asyncio.Transport without being one.
        self._transport = cast(asyncio.Transport, transport)
        self.joined = True
        self._host.joined(self)
        self.deadline = self._loop.time() + self._limits.head_seconds

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._state is not _State.OPEN:
            return
        self._feeding = True
        try:
            rest = self._reader.feed(data)
        except Refused as refused:
            if self._state is _State.OPEN:
                self._refuse(refused)
            return
        finally:
            self._feeding = False
            if self._body is not None or self._held or self._paused:
                self._pace()
        if rest is not None:
            self._hold()
            self._upgrade_rest = rest
        if self._owes_continue:
            self._continue()
        self._set_deadline()

    def eof_received(self) -> bool:
        """The peer sends no more; true keeps our side open for what it still waits for.

        A peer that has left altogether looks the same, so a stream, which may never end by
        itself, ends here.
        """
        waiting = self._task is not None or bool(self._queue)
        open_to_us = self._state is _State.OPEN and not self._streaming and not self._over_tls
        self._break_off(BodyLost("The peer ended before its body was complete", field="body"))
        if waiting and open_to_us:
            self._state = _State.ENDING
            return True
        return False

    def pause_writing(self) -> None:
        """The peer does not keep up."""
        self._writable = self._loop.create_future()
        self._blocked_at = self._transport.get_write_buffer_size()
        self.deadline = self._loop.time() + self._limits.send_seconds

    def resume_writing(self) -> None:
        """The peer has caught up."""
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None
        if self._state is _State.LINGERING:
            self.deadline = self._loop.time() + _LINGER_SECONDS
        else:
            self.deadline = inf
            if self._body is not None:
                self._watch_body(self._body)
            self._serve_queue()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection has ended."""
        self._state = _State.LOST
        self._queue.clear()
        self._break_off(BodyLost("The peer left before its body was complete", field="body"))
        if self._writable is not None:
            self._writable.set_result(None)
        if self._task is None:
            self._host.released(self)
        elif self._streaming:
            self._task.cancel()

    # The server calls the following.

    def expire(self, now: float) -> None:
        """The deadline has passed: find out what was waited for, and end it."""
        if self._websocket is not None:
            self.deadline = self._websocket.check(now)
        elif self._writable is not None:
            self._expire_blocked(now)
        elif self._body is not None and self._task is not None:
            self._expire_body(self._body, now)
        elif self._state is _State.OPEN and (self._reader.in_head or self._reader.in_body):
            part = "body" if self._reader.in_body else "head"
            error = BadRequest(f"The request's {part} took too long", code="timeout", field=part)
            self._refuse(Refused(refusal(error, 408)))
        elif self._dismissed or self._transport.is_closing() or self._state is _State.LINGERING:
            self._transport.abort()
        else:
            self.dismiss()
            self.deadline = now + _LINGER_SECONDS

    @property
    def idle_since(self) -> float | None:
        """The loop's time since when nothing is asked and nothing owed; None while something is."""
        if self._state is not _State.OPEN or self._websocket is not None or self.deadline == inf:
            return None
        reader, limits = self._reader, self._limits
        if self._task is not None or self._writable is not None or reader.in_head or reader.in_body:
            return None
        return self.deadline - (limits.idle_seconds if reader.progress else limits.head_seconds)

    def dismiss(self) -> None:
        """End a connection that is idle, without losing a request that is on its way.

        On a Unix socket reading ends first. A request whose bytes the kernel took before that is
        still read and answered; one that is sent later fails at its sender, who so knows that
        nobody saw it. Closing at once would throw away what has come and is not read yet.
        """
        self._dismissed = True
        connected = self._transport.get_extra_info("socket")
        if self._over_tls or connected is None or connected.family != AF_UNIX:
            self._transport.close()
            return
        # The transport's own socket object does not let itself be shut down.
        with socket(fileno=os.dup(connected.fileno())) as same:
            same.shutdown(SHUT_RD)

    def finish(self) -> None:
        """Close as soon as what is running has been answered."""
        if self._websocket is not None:
            self._websocket.close(GOING_AWAY)
        elif self._task is None and not self._queue and not self._reader.in_body:
            self._transport.close()

    @property
    def half_sent(self) -> Request | None:
        """The request whose answer has been begun and has not left yet, if there is one."""
        unsent = self._streaming or self._transport.get_write_buffer_size() > 0
        return self._served if unsent else None

    def abort(self) -> None:
        """End at once, without another byte."""
        self._transport.abort()

    # From the first byte of a request to the last of its answer.

    def _head(self, request: Request) -> int:
        """A head is complete: choose the route, whose bound holds for the body."""
        try:
            route = self._route = self._host.resolve(request)
        except DataboxError as error:
            raise Refused(refusal(error)) from error
        except Exception as error:
            raise Refused(unexpected(error, request)) from error
        if "expect" in request.headers:
            self._expect(request)
        if route.streamed:
            request.stream = Incoming(self._set_pace, wanted=self._want)
        return self._limits.body if route.max_body is None else route.max_body

    def _expect(self, request: Request) -> None:
        if request.headers["expect"].lower() != "100-continue":
            error = BadRequest("Only 100-continue can be expected", field="expect")
            raise Refused(refusal(error, 417))
        self._owes_continue = request.version == "1.1"

    def _complete(self, request: Request, keep: bool) -> None:
        """A request is complete: serve it now, or after those before it."""
        if self._state is not _State.OPEN:
            return
        route = self._route
        assert route is not None
        self._body = request.stream
        if request.stream is None or request.stream.complete:
            self._owes_continue = False
        if self._task is None and self._writable is None and not self._queue:
            self._serve(request, route, keep)
        else:
            self._wait_in_line(request, route, keep)

    def _wait_in_line(self, request: Request, route: Route, keep: bool) -> None:
        self._hold()
        if len(self._queue) >= self._limits.pipelined - 1:
            # Closing after an answer is the protocol's way to refuse the requests behind it.
            self._break_off(BodyLost("There are too many requests before this one", field="body"))
            self._state = _State.ENDING
            self._unread = True
            keep = False
        self._queue.append((request, route, keep))

    def _serve(self, request: Request, route: Route, keep: bool) -> None:
        answer: Answer | Awaitable[Answer]
        self._served = request
        try:
            answer = route.handler(request)
        except DataboxError as error:
            answer = refusal(error)
        except Exception as error:  # noqa: BLE001  the edge of the service: logged and answered
            answer = unexpected(error, request)
        if isinstance(answer, Response):
            self._write(request, answer, keep)
            return
        self.deadline = inf
        if isinstance(answer, Held):
            self._task = answer.until
            answer.until.when_done(partial(self._answer_held, request, answer, keep))
        else:
            self._task = self._loop.create_task(self._answer_later(request, answer, keep))
        if request.stream is not None:
            self._watch_body(request.stream)

    def _answer_held(self, request: Request, held: Held, keep: bool) -> None:
        try:
            response = held.settled()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  the edge of the service
            response = unexpected(error, request)
        self._write(request, response, keep)
        self._answered()

    async def _answer_later(
        self, request: Request, answer: Answer | Awaitable[Answer], keep: bool
    ) -> None:
        try:
            match await _settled(request, answer):
                case Response() as response:
                    self._write(request, response, keep)
                case Stream() as stream:
                    await self._stream(request, stream, keep)
                case Upgrade() as upgrade:
                    await self._upgrade(request, upgrade)
        except ValueError as error:
            self._write(request, unexpected(error, request), keep)
        finally:
            self._answered()

    def _answered(self) -> None:
        """What was waited for has been answered: go on with what came meanwhile."""
        self._task = None
        if self._state is _State.LOST:
            self._host.released(self)
        else:
            self._serve_queue()

    def _write(self, request: Request, response: Response, keep: bool) -> None:
        if self._state is _State.LOST:
            return
        host = self._host
        keep = keep and not host.draining and self._has_all_of(request)
        date, head_only = host.date or host.date_line(), request.method == "HEAD"
        connection = KEEP if keep and request.version == "1.1" else connection_line(request, keep)
        try:
            data = render(response, date, connection, head_only)
        except ValueError as error:
            data = render(unexpected(error, request), date, connection, head_only)
        self._transport.write(data)
        if not keep:
            self._end()

    async def _stream(self, request: Request, stream: Stream, keep: bool) -> None:
        """Send an answer as it is made; raises ValueError if its head cannot be sent."""
        try:
            await self._send_stream(request, stream, keep)
        finally:
            await stream.close()

    async def _send_stream(self, request: Request, stream: Stream, keep: bool) -> None:
        known = request.version == "1.1" or stream.length is not None
        keep = keep and known and not self._host.draining and self._has_all_of(request)
        line, date = connection_line(request, keep), self._host.date_line()
        head = render_head(stream, date, line, chunked=request.version == "1.1")
        if self._gone:
            return
        self._transport.write(head)
        if request.method != "HEAD":
            await self._send_body(request, stream)
        if not keep and not self._gone and not self._transport.is_closing():
            self._end()

    async def _send_body(self, request: Request, stream: Stream) -> None:
        self._streaming = True
        try:
            chunked = request.version == "1.1" and stream.length is None
            await self._send_chunks(stream, chunked=chunked)
        except asyncio.CancelledError:
            if not self._gone:
                raise
        except Exception as error:  # noqa: BLE001  the edge of the service
            # Too late for a status: only an answer cut short can tell the peer.
            unexpected(error, request)
            self._transport.abort()
        finally:
            self._streaming = False

    async def _send_chunks(self, stream: Stream, *, chunked: bool) -> None:
        left = inf if stream.length is None else stream.length
        async for chunk in stream.chunks:
            if not chunk:
                continue
            left -= len(chunk)
            if left < 0:
                raise ValueError("an answer is longer than it said")
            self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
            if self._writable is not None:
                await self._writable
            if self._gone:
                return
        if chunked:
            self._transport.write(b"0\r\n\r\n")
        elif 0 < left < inf:
            raise ValueError("an answer is shorter than it said")

    async def _upgrade(self, request: Request, upgrade: Upgrade) -> None:
        if self._gone:
            return
        try:
            opening = render_opening(check_opening(request), upgrade.headers)
        except BadRequest as error:
            asked = refusal(error, 426, upgrade="websocket", sec_websocket_version="13")
            self._write(request, asked, keep=False)
            return
        self._transport.write(opening)
        websocket = WebSocket(self._transport, self._limits, SERVER, self._lose)
        self._websocket = websocket
        self._transport.set_protocol(websocket)
        self.deadline = self._loop.time() + self._limits.ping_seconds
        if self._upgrade_rest:
            websocket.data_received(self._upgrade_rest)
        self._release()
        try:
            await upgrade.accept(websocket)
        except Exception as error:  # noqa: BLE001  the edge of the service
            unexpected(error, request)
            websocket.close(FAILED)
        websocket.close()
        await websocket.wait_closed()

    # What happens around requests.

    # A body that is read as it comes.

    def _watch_body(self, body: Incoming) -> None:
        """A handler has the body: from now on it must keep coming, whenever it is asked for."""
        if not body.complete:
            self._release()
            self._body_seen = body.received
            self.deadline = self._loop.time() + self._limits.body_seconds

    def _has_all_of(self, request: Request) -> bool:
        """Whether a request's whole body has come; if not, this is the connection's last answer."""
        if request.stream is None or request.stream.complete:
            return True
        self._unread = True
        return False

    def _want(self) -> None:
        if self._owes_continue and not self._gone:
            self._owes_continue = False
            self._transport.write(CONTINUE)

    def _expire_body(self, body: Incoming, now: float) -> None:
        """Fail a body that dribbles; one that waits for its reader is not to blame."""
        came, self._body_seen = body.received - self._body_seen, body.received
        if body.complete:
            self.deadline = inf
        elif came >= self._limits.body_pace or body.is_full or not body.asked:
            self.deadline = now + self._limits.body_seconds
        else:
            self._break_off(BodySlow("The request's body came too slowly", field="body"))

    def _break_off(self, error: DataboxError) -> None:
        """Read no more of a body, and tell its reader why; its answer is still sent."""
        body, self._body = self._body, None
        if body is None or body.complete:
            return
        body.fail(error)
        self.deadline = inf
        if self._state is _State.OPEN:
            self._state = _State.ENDING
            self._unread = True

    def _set_pace(self, go_on: bool) -> None:
        if not self._feeding:
            self._pace()

    def _pace(self) -> None:
        """Let the peer send or not, as what waits here allows."""
        full = self._body is not None and self._body.is_full
        wait = self._state is not _State.LINGERING and (self._held or full)
        if wait == self._paused or self._transport.is_closing():
            return
        self._paused = wait
        if wait:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _refuse(self, refused: Refused) -> None:
        """Answer what cannot be served, after what came before it, and end."""
        self._state = _State.ENDING
        self._unread = True
        if self._body is not None and not self._body.complete:
            self._break_off(refused.error)
        elif self._task is None and self._writable is None and not self._queue:
            self._write_refusal(refused.response)
        else:
            self._hold()
            self._refusal = refused.response

    def _write_refusal(self, response: Response) -> None:
        self._transport.write(render(response, self._host.date_line(), CLOSE))
        self._end()

    def _serve_queue(self) -> None:
        """Go on with the requests that waited, until one of them waits itself."""
        while self._queue and self._task is None and self._writable is None:
            self._serve(*self._queue.popleft())
        if self._queue or self._task is not None or self._writable is not None:
            return
        if self._state is _State.ENDING:
            if self._refusal is not None:
                self._write_refusal(self._refusal)
            else:
                self._end()
        elif self._state is _State.OPEN:
            if self._held or self._paused:
                self._release()
            if self._owes_continue:
                self._continue()
            self._waits = -1
            self._set_deadline()

    def _continue(self) -> None:
        """Tell a peer that asked first to send its body, once all before it is answered."""
        if self._owes_continue and self._task is None and not self._queue:
            self._owes_continue = False
            self._transport.write(CONTINUE)

    def _set_deadline(self) -> None:
        """Set the deadline once for each part of a request, so that no dribble extends it."""
        reader = self._reader
        if reader.progress == self._waits or self._state is not _State.OPEN:
            return
        if self._task is not None or self._writable is not None:
            return
        self._waits = reader.progress
        limits = self._limits
        if reader.in_head:
            seconds = limits.head_seconds
        elif reader.in_body:
            seconds = limits.body_seconds
        else:
            seconds = limits.idle_seconds
        self.deadline = self._loop.time() + seconds

    def _expire_blocked(self, now: float) -> None:
        """Drop a peer that does not take its answer; let one that is merely slow go on."""
        unsent = self._transport.get_write_buffer_size()
        if self._blocked_at - unsent < _PROGRESS:
            self._transport.abort()
        self._blocked_at = unsent
        self.deadline = now + self._limits.send_seconds

    def _hold(self) -> None:
        """Stop reading while requests wait."""
        self._held = True
        self._pace()

    def _release(self) -> None:
        self._held = False
        self._pace()

    def _end(self) -> None:
        """Close after the last answer.

        Closing a socket with unread bytes in it resets the connection, and the peer may lose the
        answer that says what was wrong. So after a refusal our side ends, and what still comes is
        thrown away for a moment.
        """
        self._break_off(BodyLost("The request was answered before its body came", field="body"))
        self._state = _State.LINGERING
        self._owes_continue = False
        self._queue.clear()
        if self._unread:
            if self._transport.can_write_eof():
                self._transport.write_eof()
            self._release()
            self.deadline = self._loop.time() + _LINGER_SECONDS
        else:
            self._transport.close()
            self.deadline = self._loop.time() + self._limits.send_seconds

    def _lose(self) -> None:
        self._state = _State.LOST


async def _settled(request: Request, answer: Answer | Awaitable[Answer]) -> Answer:
    """The answer itself, waited for where it is not there yet; errors as answers."""
    try:
        if not isinstance(answer, Response | Stream | Upgrade):
            answer = await answer
        if not isinstance(answer, Response | Stream | Upgrade):
            raise TypeError(f"a handler answered with {type(answer).__name__}")
    except DataboxError as error:
        return refusal(error)
    except Exception as error:  # noqa: BLE001  the edge of the service: logged and answered
        return unexpected(error, request)
    return answer
