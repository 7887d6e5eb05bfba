"""The interface of 2017 for apps: polling, long polling and a WebSocket over one queue a client.

Paths, states and texts as they were. What was left open then is closed: a destination counts only
if it is on the list of the token, a client is the name behind its pair, and an id is known to its
own client alone.

Source: the export service of the Databox project, March to April 2017.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import msgspec

from databox.export.queue import Export, Queue
from databox.export.states import OVER, of_2017
from databox.export.workers import Workers
from databox.kit.clock import Clock
from databox.kit.guard import Guard, Verified
from databox.kit.http.message import Answer, Handler, Request, Response, Upgrade
from databox.kit.http.router import Router
from databox.kit.http.websocket import WebSocket
from databox.kit.refusals import Refusals
from databox.wire.destination import parse
from databox.wire.endpoints import BY_NAME
from databox.wire.errors import BadRequest, DataboxError, Denied, NotFound, TooLarge

NAME = "export-service"
MAX_DATA = 512 * 1024
LONG_POLL_S = 5.0
MOST_LONG_POLL_S = 60.0

_MISSING, _INVALID = "Missing API key/token", "Invalid API key/token"
_AT_THE_SOCKET = "Missing/Invalide API key/token"
_TEXT = "text/plain; charset=utf-8"

Asked = Callable[[Request], Awaitable[Answer]]


class Ask(msgspec.Struct, frozen=True):
    """What an app sends. `id` empty: a new export; else a question about that one."""

    id: str = ""
    uri: str = ""
    data: str = ""


class Launch:
    """Handlers of the interface of 2017.

    Args:
        refusals: Who was told no is counted here.
    """

    def __init__(
        self, queue: Queue, workers: Workers, guard: Guard, refusals: Refusals, clock: Clock
    ) -> None:
        self._queue = queue
        self._workers = workers
        self._guard = guard
        self._refusals = refusals
        self._clock = clock

    def serve(self, router: Router) -> None:
        """Add every endpoint; fixed segments match in upper and lower case, as they did."""
        for name, handler in (
            ("export.polling", self._behind(self.poll)),
            ("export.long-poll", self._behind(self.long_poll)),
            ("export.websocket", self._behind(self.websocket, _AT_THE_SOCKET)),
        ):
            line = BY_NAME[name]
            router.add(line.method, line.path, handler, max_body=line.max_body, any_case=True)

    async def poll(self, request: Request) -> Answer:
        """Queue, or tell the state at once."""
        return _reply(self._take(request, _asked(request.body)))

    async def long_poll(self, request: Request) -> Answer:
        """Queue, or wait for a change of state."""
        seconds = _seconds(request)
        ask = _asked(request.body)
        answer = self._take(request, ask)
        if ask.id and answer["state"] != "Finished":
            answer = await self._changed(ask.id, answer["state"], seconds)
        return _reply(answer)

    async def websocket(self, request: Request) -> Answer:
        """The same requests as text frames; every change of state is pushed."""

        async def accept(socket: WebSocket) -> None:
            mine: dict[str, str] = {}

            def changed(export: Export) -> None:
                state = of_2017(export.state)
                if mine.get(export.id, state) != state:
                    mine[export.id] = state
                    _push(socket, self._told(export))

            unwatch = self._workers.watch(changed)
            try:
                while (text := await socket.receive()) is not None:
                    self._frame(socket, request, text, mine)
            finally:
                unwatch()

        return Upgrade(accept)

    def _behind(self, handler: Asked, invalid: str = "") -> Handler:
        """Let a request pass by its token, and put refusals into the words of 2017."""

        async def guarded(request: Request) -> Answer:
            try:
                request.token = self._guard.check(request)
                return await handler(request)
            except Denied as error:
                self._refusals.note(request.caller, NAME, request.method, request.path, error.code)
                text = _MISSING if error.code == "token-missing" else _INVALID
                reason = (("X-Databox-Reason", error.code),)
                return Response(401, (invalid or text).encode(), _TEXT, reason)
            except TooLarge as error:
                return Response(413, str(error).encode(), _TEXT)
            except BadRequest as error:
                return Response(404, str(error).encode(), _TEXT)
            except NotFound as error:
                return Response(404, error.message.encode(), _TEXT)

        return guarded

    def _frame(
        self, socket: WebSocket, request: Request, text: str | bytes, mine: dict[str, str]
    ) -> None:
        ask = Ask()
        try:
            # The grant may have ended since the socket was opened.
            request.token = self._guard.check(request)
            ask = _asked(text.encode() if isinstance(text, str) else text)
            answer = self._take(request, ask)
        except NotFound:
            socket.send(f"not recognized id: {ask.id}")
        except Denied as error:
            self._refusals.note(request.caller, NAME, request.method, request.path, error.code)
            socket.send(_INVALID)
        except DataboxError as error:
            socket.send(str(error))
        else:
            mine[answer["id"]] = answer["state"]
            _push(socket, answer)

    def _take(self, request: Request, ask: Ask) -> dict[str, Any]:
        """A new export, or the state of a known one of the same client."""
        token: Verified = request.token
        if ask.id:
            return self._known(token.client, ask.id)
        allowed = token.caveats.destinations
        if allowed is None or ask.uri not in allowed:
            raise Denied("no grant allows this address", code="destination", field="uri")
        destination = parse(ask.uri)
        _check_json(ask.data)
        export = self._queue.add(
            client=token.client,
            grant=token.grant,
            url=destination.url,
            body=ask.data.encode(),
            now=self._clock.now(),
        )
        self._workers.nudge(token.client)
        return _state(export)

    def _known(self, client: str, export_id: str) -> dict[str, Any]:
        missing = NotFound(f"Can't find request with the id of {export_id}")
        try:
            export = self._queue.get(export_id)
        except NotFound as error:
            raise missing from error
        # Delivered once, then forgotten; and never to somebody else.
        over = export.state in OVER
        if export.client != client or (over and not self._queue.tell_once(export)):
            raise missing
        return _state(export)

    async def _changed(self, export_id: str, before: str, seconds: float) -> dict[str, Any]:
        """Wait until the state in the words of 2017 changes, or the time is up."""
        change = asyncio.Event()

        def changed(export: Export) -> None:
            if export.id == export_id and of_2017(export.state) != before:
                change.set()

        unwatch = self._workers.watch(changed)
        try:
            async with asyncio.timeout(seconds):
                await change.wait()
        except TimeoutError:
            pass
        finally:
            unwatch()
        return self._told(self._queue.get(export_id))

    def _told(self, export: Export) -> dict[str, Any]:
        if export.state in OVER:
            self._queue.tell_once(export)
        return _state(export)


def _asked(body: bytes) -> Ask:
    try:
        ask = msgspec.json.decode(body, type=Ask)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise BadRequest(
            "the request is not as it should be",
            field="body",
            found=str(error),
            remedy="Send {id, uri, data}",
        ) from error
    if not (ask.id or ask.uri):
        raise BadRequest("name a destination", field="uri", remedy="Send {id, uri, data}")
    return ask


def _check_json(data: str) -> None:
    if len(data) > MAX_DATA:
        raise TooLarge(
            "this is too much for one export",
            field="data",
            found=f"{len(data)} characters",
            remedy=f"Send at most {MAX_DATA} at a time",
        )
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadRequest(
            "data must be JSON text",
            field="data",
            found=str(error),
            remedy="Encode the value as JSON, then put that text into data",
        ) from error


def _state(export: Export) -> dict[str, Any]:
    reply: dict[str, str] = {}
    if export.state in OVER:
        status = _status(export.status) if export.status else export.state.value
        reply = {"status": status, "body": ""}
    return {"id": export.id, "state": of_2017(export.state), "ext_response": reply}


def _status(number: int) -> str:
    """As an HTTP client of 2017 gave it: `200 OK`."""
    try:
        return f"{number} {HTTPStatus(number).phrase}"
    except ValueError:
        return str(number)


def _reply(answer: dict[str, Any]) -> Response:
    return Response(200, json.dumps(answer).encode())


def _push(socket: WebSocket, answer: dict[str, Any]) -> None:
    socket.send(json.dumps(answer))


def _seconds(request: Request) -> float:
    try:
        asked = float(request.parameters.get("timeout", LONG_POLL_S))
    except ValueError:
        asked = math.nan
    if math.isnan(asked):
        raise BadRequest("this is not a number of seconds", field="timeout")
    return min(max(asked, 0.0), MOST_LONG_POLL_S)
