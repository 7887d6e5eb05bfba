"""The export service's process: the launch-era interface for apps, and the owner's view.

Source: the launch-era export interface (polling, long polling, WebSocket), see the reference of
the REST API. A client's queue is that of its name; replies do not reach apps, only their status.
"""

import asyncio
import json
import ssl
from typing import Any

import msgspec

from databox.export.queue import Export, Queue
from databox.export.sender import Sender
from databox.export.states import OVER, State, of_2017
from databox.export.workers import Workers
from databox.kit.clock import Clock, SystemClock
from databox.kit.control import Control
from databox.kit.database import open_database
from databox.kit.dialer import Dialer
from databox.kit.guard import Guard, Verified, fetch_guard
from databox.kit.http.message import Request, Response, Upgrade
from databox.kit.http.router import Router
from databox.kit.http.server import Server
from databox.kit.http.websocket import WebSocket
from databox.kit.table import Call, Table
from databox.kit.tls import server_context
from databox.wire import api, ledger
from databox.wire.caveats import Duty
from databox.wire.destination import parse
from databox.wire.errors import BadRequest, DataboxError, Denied, NotFound

MAX_BODY = 512 * 1024
LONG_POLL_S = 5.0
MOST_LONG_POLL_S = 60.0


async def serve(control: Control, trust: ssl.SSLContext | None = None) -> None:
    """Run the export service until the box says stop. `trust`: the certificates to accept."""
    clock = SystemClock()
    key = control.secrets["database"].reveal()
    queue = Queue(open_database(control.directory / "export.db", key))
    dialer = Dialer(control)
    arbiter_key = control.secrets["arbiter-key"].reveal().decode()
    guard = await fetch_guard(control.part, dialer, arbiter_key, clock, keeps={Duty.DESTINATIONS})

    async def record(event: ledger.Event) -> None:
        await dialer.call("entries", api.EntryRequest(events=(event,)))

    sender = Sender(control, trust or ssl.create_default_context())
    workers = Workers(queue, sender.send, record, clock)
    service = Service(queue, workers, guard, clock)
    tls = server_context(control.secrets["tls"], control.directory)
    server = Server(service.router(), ssl_context=tls)
    control.on_listener(lambda each, sock: server.serve_listener(sock, each.caller, each.kind))
    control.on_unlisten(lambda gone: server.close_caller(gone.caller))
    workers.start()
    await control.ready()
    await control.run()
    await server.drain()
    await workers.stop()


class _Ask(msgspec.Struct, frozen=True):
    """`id` empty: a new export; else a question about that one."""

    id: str = ""
    uri: str = ""
    data: str = ""


class Service:
    """The endpoints of the export service."""

    def __init__(self, queue: Queue, workers: Workers, guard: Guard, clock: Clock) -> None:
        self._queue = queue
        self._workers = workers
        self._guard = guard
        self._ended = guard.ended
        self._clock = clock

    def router(self) -> Router:
        """Every endpoint with its rights."""
        router = Router()
        table = Table(router, self._guard)
        for name, handler in (
            ("exports", self.exports),
            ("export", self.export),
            ("export-cancel", self.cancel),
            ("export-retry", self.retry),
            ("export.status", lambda call: Response(200, b"active", "text/plain")),
            ("export.polling", self.poll),
            ("export.long-poll", self.long_poll),
            ("export.websocket", self.websocket),
            ("export.epoch", self.epoch),
        ):
            table.serve(name, handler)
        return router

    async def exports(self, call: Call) -> api.Exports:
        """What left, and what waits to leave."""
        return api.Exports(exports=tuple(each.item() for each in self._queue.newest()))

    async def export(self, call: Call) -> api.ExportItem:
        """One export with its exact bytes."""
        return self._queue.get(call.args["id"]).item(whole=True)

    async def cancel(self, call: Call) -> api.ExportItem:
        """Do not send it."""
        export = self._queue.get(call.args["id"])
        return (await self._workers.cancel(export, f"cancelled by {call.user}")).item()

    async def retry(self, call: Call) -> api.ExportItem:
        """Try a failed one again, if its grant still holds."""
        export = self._queue.get(call.args["id"])
        if self._ended.has_ended(export.grant):
            raise Denied("its permission has ended", remedy="Allow the destination again")
        return (await self._workers.retry(export)).item()

    async def epoch(self, call: Call) -> None:
        """Grants ended: what waits under them is cancelled before this is answered."""
        request: api.EpochRequest = call.message
        self._ended.apply(request.epoch, request.ended)
        for export in self._queue.of_grants(request.ended):
            await self._workers.cancel(export, "its permission ended")

    async def poll(self, call: Call) -> Response:
        """Queue, or tell the state at once."""
        return _reply(self._take(call.request, _asked(call.request.body)))

    async def long_poll(self, call: Call) -> Response:
        """Queue, or wait for a change of state."""
        ask = _asked(call.request.body)
        answer = self._take(call.request, ask)
        if ask.id and answer["state"] != "Finished":
            answer = await self._changed(ask.id, _seconds(call.request))
        return _reply(answer)

    async def websocket(self, call: Call) -> Upgrade:
        """The same requests as text frames; every change of state is pushed."""
        request = call.request

        async def accept(socket: WebSocket) -> None:
            mine: set[str] = set()

            def changed(export: Export) -> None:
                if export.id in mine:
                    _push(socket, _state(export))

            unwatch = self._workers.watch(changed)
            try:
                while (text := await socket.receive()) is not None:
                    self._frame(socket, request, text, mine)
            finally:
                unwatch()

        return Upgrade(accept)

    def _frame(
        self, socket: WebSocket, request: Request, text: str | bytes, mine: set[str]
    ) -> None:
        try:
            ask = _asked(text.encode() if isinstance(text, str) else text)
            answer = self._take(request, ask)
            mine.add(answer["id"])
            _push(socket, answer)
        except NotFound:
            socket.send(f"not recognized id: {ask.id}")
        except DataboxError as error:
            socket.send(error.message)

    def _take(self, request: Request, ask: _Ask) -> dict[str, Any]:
        """A new export, or the state of a known one of the same client."""
        token: Verified = request.token
        if ask.id:
            return self._known(token.client, ask.id)
        destination = parse(ask.uri)
        allowed = token.caveats.destinations
        if allowed is None or destination.url not in allowed:
            raise Denied(
                "Invalid API key/token", code="destination", field="uri", found=ask.uri[:200]
            )
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
        export = self._queue.get(export_id)
        # Delivered once, then forgotten; and never to somebody else.
        over = export.state in OVER
        if export.client != client or (over and not self._queue.tell_once(export)):
            raise NotFound(f"Can't find request with the id of {export_id}")
        return _state(export)

    async def _changed(self, export_id: str, seconds: float) -> dict[str, Any]:
        """Wait until the state in the words of 2017 changes, or the time is up."""
        change = asyncio.Event()

        def changed(export: Export) -> None:
            if export.id == export_id:
                change.set()

        unwatch = self._workers.watch(changed)
        try:
            async with asyncio.timeout(seconds):
                await change.wait()
        except TimeoutError:
            pass
        finally:
            unwatch()
        export = self._queue.get(export_id)
        if export.state in OVER:
            self._queue.tell_once(export)
        return _state(export)


def _asked(body: bytes) -> _Ask:
    try:
        ask = msgspec.json.decode(body, type=_Ask)
    except msgspec.MsgspecError as error:
        raise BadRequest("the request is not as it should be", found=str(error)) from error
    if not (ask.id or ask.uri):
        raise BadRequest("name a destination", field="uri", remedy="Send {id, uri, data}")
    return ask


def _check_json(data: str) -> None:
    if len(data) > MAX_BODY:
        raise BadRequest("too much for one export", field="data", found=f"{len(data)} characters")
    try:
        msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise BadRequest("data must be JSON text", field="data", found=str(error)) from error


def _state(export: Export) -> dict[str, Any]:
    reply: dict[str, str] = {}
    if export.state in OVER:
        status = str(export.status) if export.status else export.state.value
        reply = {"status": f"{status} OK" if export.state is State.SENT else status, "body": ""}
    return {"id": export.id, "state": of_2017(export.state), "ext_response": reply}


def _reply(answer: dict[str, Any]) -> Response:
    return Response(200, json.dumps(answer).encode())


def _push(socket: WebSocket, answer: dict[str, Any]) -> None:
    socket.send(json.dumps(answer))


def _seconds(request: Request) -> float:
    try:
        asked = float(request.parameters.get("timeout", LONG_POLL_S))
    except ValueError as error:
        raise BadRequest("not a number of seconds", field="timeout") from error
    return min(max(asked, 0.0), MOST_LONG_POLL_S)
