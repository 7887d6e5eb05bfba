"""A whole arbiter in memory, asked without a network."""

import asyncio
import base64
import inspect
import json
from collections.abc import Callable
from typing import Any

import apsw

from databox.arbiter.launch import Setting
from databox.arbiter.passphrase import Cost, Passphrases
from databox.arbiter.service import Arbiter
from databox.arbiter.state import State
from databox.kit.clock import FixedClock
from databox.kit.http.message import Request, Response
from databox.wire.errors import DataboxError
from databox.wire.ledger import Event

NOW = 1_500_000_000_000
CHEAP = Cost(memory=64, iterations=1, lanes=1)


def key(name: str) -> str:
    """The arbiter key of a component, base64 of 32 bytes."""
    return base64.b64encode(name.encode().ljust(32, b".")[:32]).decode()


class World:
    """An arbiter with its clock and the entries it wrote.

    Entries go to a table of the same database, as in the box, so that a transaction that fails
    takes its entry along.
    """

    def __init__(self, connection: apsw.Connection, setting: Setting, clock: FixedClock) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS entry (kind TEXT, event TEXT)")
        self.connection = connection
        self.clock = clock
        self.written: list[Event] = []
        self.state = State(connection)
        self.arbiter = Arbiter(
            self.state,
            self.record,
            self.state.steady(clock),
            setting=setting,
            passphrases=Passphrases(CHEAP),
        )

    def record(self, event: Event) -> None:
        """Write one entry."""
        self.connection.execute("INSERT INTO entry VALUES (?, ?)", (type(event).__name__, "x"))
        self.written.append(event)

    def entries(self, kind: type[Any]) -> list[Any]:
        """The entries of one kind."""
        return [event for event in self.written if isinstance(event, kind)]

    def stored(self) -> int:
        """How many entries were committed."""
        return len(self.connection.execute("SELECT 1 FROM entry").fetchall())

    def send(self, request: Request) -> Response:
        """The answer to a request; an error as its answer."""
        try:
            answer = self.arbiter.router.resolve(request).handler(request)
            if inspect.isawaitable(answer):
                answer = asyncio.run(_wait(answer))
        except DataboxError as error:
            return Response(error.status, json.dumps(error.as_json()).encode())
        assert isinstance(answer, Response)
        return answer

    def ask(
        self, method: str, path: str, body: Any = None, *, by: str = "manager", **headers: str
    ) -> Response:
        """Send a request as the component `by`, with its own key."""
        path, _, query = path.partition("?")
        sent = {"x-api-key": key(by), "content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        request = Request(method, path, query, sent, path, raw, caller=by)
        return self.send(request)

    def token(self, by: str, target: str, path: str, method: str = "GET", **more: Any) -> Response:
        """Ask for a token."""
        body = {"target": target, "path": path, "method": method, **more}
        return self.ask("POST", "/token", body, by=by)


MakeWorld = Callable[..., World]


async def _wait(answer: Any) -> Any:
    return await answer
