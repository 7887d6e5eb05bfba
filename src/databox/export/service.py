"""The export service's process, and the owner's view: what left, what waits to leave."""

import asyncio
import logging
import ssl
from contextlib import suppress

from databox.export.launch import Launch
from databox.export.queue import Export, Queue
from databox.export.sender import Sender
from databox.export.workers import ENDED, Workers
from databox.kit import log as lines
from databox.kit.clock import SystemClock
from databox.kit.control import Control
from databox.kit.database import keep_room, open_database
from databox.kit.dialer import Dialer
from databox.kit.guard import EndedGrants, fetch_guard
from databox.kit.http.message import Response
from databox.kit.http.router import Router
from databox.kit.http.server import Server
from databox.kit.refusals import Refusals
from databox.kit.table import Call, Table
from databox.kit.tls import server_context
from databox.wire import api, ledger
from databox.wire.caveats import Duty
from databox.wire.errors import DataboxError, Denied, Unavailable

log = logging.getLogger("databox.export")

TEND_S = 10.0


async def serve(control: Control, trust: ssl.SSLContext | None = None) -> None:
    """Run the export service until the box says stop. `trust`: the certificates to accept."""
    clock = SystemClock()
    key = control.secrets["database"].reveal()
    connection = open_database(control.directory / "export.db", key)
    queue = Queue(connection)
    with suppress(Unavailable):
        keep_room(connection)
    dialer = Dialer(control)
    arbiter_key = control.secrets["arbiter-key"].reveal().decode()
    guard = await fetch_guard(control.part, dialer, arbiter_key, clock, keeps={Duty.DESTINATIONS})
    record = Record(dialer)

    async def permits(export: Export) -> bool:
        # Asked before each try: a grant also ends by time, and while this process is away.
        epoch: api.Epoch = await dialer.call("epoch")
        guard.ended.apply(epoch.epoch, epoch.ended)
        return not guard.ended.has_ended(export.grant)

    sender = Sender(control, trust or ssl.create_default_context())
    workers = Workers(queue, sender.send, record.now, permits, clock)
    refusals = Refusals(clock, record.soon)
    router = Router()
    Launch(queue, workers, guard, refusals, clock).serve(router)
    Owner(queue, workers, guard.ended).serve(Table(router, guard))
    server = Server(router, ssl_context=server_context(control.secrets["tls"], control.directory))
    control.on_listener(lambda each, sock: server.serve_listener(sock, each.caller, each.kind))
    control.on_unlisten(lambda gone: server.close_caller(gone.caller))
    workers.start()
    await control.ready()
    async with asyncio.TaskGroup() as tasks:
        tending = tasks.create_task(_tend(refusals))
        await control.run()
        tending.cancel()
    await server.drain()
    await workers.stop()
    refusals.finish()
    await record.drain()
    connection.close()


class Record:
    """Writes to the ledger: `now`, or `soon` where nobody waits for it."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._open: set[asyncio.Task[None]] = set()

    async def now(self, event: ledger.Event) -> None:
        """Write one entry; durable when this returns."""
        await self._dialer.call("entries", api.EntryRequest(events=(event,)))

    def soon(self, event: ledger.Event) -> None:
        """Write one entry that nothing depends on, such as a refusal."""
        task = asyncio.get_running_loop().create_task(self._try(event))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def drain(self) -> None:
        """Wait for what was to be written soon."""
        await asyncio.gather(*self._open)

    async def _try(self, event: ledger.Event) -> None:
        try:
            await self.now(event)
        except (DataboxError, OSError) as error:
            lines.event(log, logging.WARNING, "entry-lost", kind=type(event).__name__, why=error)


class Owner:
    """What the signed-in owner may see and do, and what the manager tells."""

    def __init__(self, queue: Queue, workers: Workers, ended: EndedGrants) -> None:
        self._queue = queue
        self._workers = workers
        self._ended = ended

    def serve(self, table: Table) -> None:
        """Add every endpoint."""
        for name, handler in (
            ("exports", self.exports),
            ("export", self.export),
            ("export-cancel", self.cancel),
            ("export-retry", self.retry),
            ("export.status", lambda call: Response(200, b"active", "text/plain")),
            ("export.epoch", self.epoch),
        ):
            table.serve(name, handler)

    async def exports(self, call: Call) -> api.Exports:
        """What left, and what waits to leave."""
        return api.Exports(exports=tuple(each.item() for each in self._queue.newest()))

    async def export(self, call: Call) -> api.ExportItem:
        """One export with its exact bytes."""
        return self._queue.get(call.args["id"]).item(whole=True)

    async def cancel(self, call: Call) -> api.ExportItem:
        """Do not send it."""
        export = self._queue.get(call.args["id"])
        return self._workers.cancel(export, f"cancelled by {call.user}").item()

    async def retry(self, call: Call) -> api.ExportItem:
        """Try a failed one again, if its grant still holds."""
        export = self._queue.get(call.args["id"])
        if self._ended.has_ended(export.grant):
            raise Denied(
                ENDED,
                code="grant-ended",
                field="grant",
                found=export.grant,
                remedy="Allow the destination again, and let the app send it anew",
            )
        return (await self._workers.retry(export)).item()

    async def epoch(self, call: Call) -> None:
        """Grants ended: what waits under them is cancelled before this is answered."""
        request: api.EpochRequest = call.message
        self._ended.apply(request.epoch, request.ended)
        for export in self._queue.of_grants(request.ended):
            self._workers.cancel(export, ENDED)


async def _tend(refusals: Refusals) -> None:
    while True:
        await asyncio.sleep(TEND_S)
        refusals.flush()
