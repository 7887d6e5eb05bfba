"""A store that really runs, file, writer and HTTP over unix sockets; only the arbiter is played.

Run as a program it serves callers until it is killed: `running.py FOLDER CALLER...`.
"""

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from databox.kit.clock import Clock, SystemClock
from databox.kit.guard import EndedGrants, Guard
from databox.kit.http.client import Connection
from databox.kit.http.message import Response
from databox.kit.http.server import Server
from databox.kit.http.websocket import WebSocket
from databox.store.file import StoreFile
from databox.store.service import KEEPS, Store
from databox.wire import api, tokens
from databox.wire.errors import Unavailable
from databox.wire.ledger import Event

KEY = bytes(range(32))
SECRET = "s" * 43
NAME = "hue-store"
NOTHING = object()
"""No body, which is something else than `null`."""
DRIVER, APP = "hue", "graph"


def token(
    client: str, method: str, path: str, *caveats: str, grant: str = "g1", target: str = NAME
) -> str:
    """A token as the arbiter would mint it."""
    bounds = (f"target = {target}", f"path = {path}", f"method = {method}", *caveats)
    return tokens.mint(
        SECRET, location="https://arbiter:443", identifier=f"{client}:{grant}:n", caveats=bounds
    )


class Running:
    """A store, its callers' sockets and what it told the ledger."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        origin: str = f"https://{NAME}:443",
        known: api.KnownHead | None = None,
    ) -> None:
        self.folder = folder
        self.ledger: list[Event] = []
        self.ledger_is_away = False
        self.ended = EndedGrants(0, ())
        self.file = StoreFile(folder / "store.db", KEY)
        self.store = Store(NAME, self.file, folder, clock=clock)
        guard = Guard(NAME, SECRET, self.store.clock, self.ended, keeps=KEEPS)
        self.known = known
        ask = self._known if known else None
        self.store.open(guard, self._send, origin=origin, known=known, ask=ask)
        self.server = Server(self.store.router)
        self._listening: set[str] = set()

    def listen(self, caller: str) -> Path:
        """Serve `caller` on a socket of its own."""
        path = self.folder / f"{caller}.sock"
        path.unlink(missing_ok=True)
        self._listening.add(caller)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(64)
        self.server.serve_listener(listener, caller)
        return path

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = NOTHING,
        *,
        caller: str = APP,
        caveats: Sequence[str] = (),
        key: str | None = None,
        grant: str | None = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """One request with a token for exactly this path, unless another `key` is given."""
        connection = self.connect(caller)
        plain = path.partition("?")[0]
        grant = grant or ("own" if caller == DRIVER else "g1")
        shown = token(caller, method, plain, *caveats, grant=grant) if key is None else key
        named = ({"x-api-key": shown} if shown else {}) | dict(headers or {})
        content = raw if raw is not None else b"" if body is NOTHING else json.dumps(body).encode()
        try:
            return await connection.request(method, path, named, content)
        finally:
            connection.close()

    def connect(self, caller: str) -> Connection:
        """A connection of this caller."""
        path = self.folder / f"{caller}.sock"
        if caller not in self._listening:
            self.listen(caller)
        connected = socket.socket(socket.AF_UNIX)
        connected.connect(str(path))
        connected.setblocking(False)
        return Connection(connected)

    async def websocket(
        self, caller: str = APP, *caveats: str, grant: str = "g1", user: str = ""
    ) -> WebSocket:
        """An open WebSocket of this caller."""
        if user:
            grant, caveats = "user", (*caveats, f"user = {user}", "role = owner")
        key = token(caller, "GET", "/ws", *caveats, grant=grant)
        return await self.connect(caller).websocket("/ws", {"x-api-key": key})

    async def close(self) -> None:
        """Stop as the box stops it."""
        self.store.dismiss()
        await self.server.drain(0.2)
        await self.store.close()

    async def _known(self) -> api.KnownHead:
        assert self.known is not None
        return self.known

    async def _send(self, events: tuple[Event, ...]) -> bool:
        if self.ledger_is_away:
            raise Unavailable("the ledger is away")
        self.ledger += events
        return False


@contextlib.asynccontextmanager
async def running(
    folder: Path, clock: Clock | None = None, known: api.KnownHead | None = None
) -> AsyncIterator[Running]:
    """A store that runs for this long. `known`: what the ledger knows of it."""
    store = Running(folder, clock or SystemClock(), known=known)
    try:
        yield store
    finally:
        await store.close()


def answer(response: Response) -> Any:
    """The JSON of a good answer."""
    assert response.status == 200, response.body
    return json.loads(response.body)


async def _serve_for_ever(folder: Path, callers: Sequence[str]) -> None:
    async with running(folder) as store:
        for caller in callers:
            store.listen(caller)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve_for_ever(Path(sys.argv[1]), sys.argv[2:]))
