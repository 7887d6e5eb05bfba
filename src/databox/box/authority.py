"""The authority's process: arbiter and ledger over one database.

So a grant and its entry are one transaction: neither is ever there without the other.
"""

import asyncio
from contextlib import suppress

import apsw

from databox.arbiter.service import Arbiter
from databox.arbiter.state import State
from databox.box.settings import CLEANLY, STARTED, STILL, VERSION
from databox.kit.clock import SystemClock
from databox.kit.control import Control
from databox.kit.database import keep_room, open_database
from databox.kit.http.router import Router
from databox.kit.http.server import Server
from databox.kit.table import Table
from databox.kit.tls import server_context
from databox.ledger.chain import Ledger
from databox.ledger.service import LedgerService
from databox.wire.errors import Unavailable
from databox.wire.ledger import BoxStarted, Event

BY = "arbiter"
ROOM_SECONDS = 30.0


async def serve(control: Control) -> None:
    """Run both until the box says stop."""
    key = control.secrets["database"].reveal()
    connection = open_database(control.directory / "authority.db", key)
    state = State(connection)
    clock = state.steady(SystemClock())
    ledger = Ledger(connection, control.secrets["ledger-key"].reveal(), clock)

    def record(event: Event) -> None:
        ledger.append(BY, (event,))

    arbiter = Arbiter(state, record, clock)
    book = Router()
    LedgerService(ledger, clock).serve(Table(book, state.guard("ledger", clock)))
    tls = server_context(control.secrets["tls"], control.directory)
    servers = {"arbiter": Server(arbiter.router, ssl_context=tls), "ledger": Server(book)}
    control.on_listener(
        lambda each, sock: servers[each.callee].serve_listener(sock, each.caller, each.kind)
    )
    control.on_unlisten(lambda gone: servers[gone.callee].close_caller(gone.caller))
    if control.config[STARTED] != STILL:
        clean = control.config[STARTED] == CLEANLY
        record(BoxStarted(version=control.config[VERSION], clean=clean))
    loop = asyncio.get_running_loop()
    tending = (
        loop.create_task(arbiter.tend_always()),
        loop.create_task(_keep_room(connection)),
    )
    await control.ready()
    await control.run()
    for task in tending:
        task.cancel()
    await asyncio.gather(*(server.drain() for server in servers.values()))
    arbiter.finish()
    connection.close()


async def _keep_room(connection: apsw.Connection) -> None:
    """The owner can stop access on a full disk too, and it is on the record."""
    while True:
        # Too late for more now; what was set aside before is there.
        with suppress(Unavailable):
            keep_room(connection)
        await asyncio.sleep(ROOM_SECONDS)
