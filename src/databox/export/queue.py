"""The queue on disk: an export is acknowledged when it is durable here."""

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import apsw

from databox.export.states import OPEN, State, found_at_start
from databox.wire import api
from databox.wire.errors import NotFound, Unavailable

MOST_PER_CLIENT = 1000
SHOWN = 64 * 1024

_SCHEMA = """
CREATE TABLE IF NOT EXISTS export (
    id TEXT PRIMARY KEY, client TEXT NOT NULL, grant_id TEXT NOT NULL, url TEXT NOT NULL,
    body BLOB NOT NULL, state TEXT NOT NULL, made INTEGER NOT NULL, tries INTEGER NOT NULL,
    next_try INTEGER, status INTEGER NOT NULL, detail TEXT NOT NULL, told INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS export_state ON export (state, client, made);
"""
_COLUMNS = "id, client, grant_id, url, body, state, made, tries, next_try, status, detail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One export. Times in Unix ms; `body`: the exact bytes."""

    id: str
    client: str
    grant: str
    url: str
    body: bytes
    state: State
    made: int
    tries: int = 0
    next_try: int | None = None
    status: int = 0
    detail: str = ""

    @property
    def sha256(self) -> str:
        """Of the body, hex."""
        return hashlib.sha256(self.body).hexdigest()

    def item(self, *, whole: bool = False) -> api.ExportItem:
        """As the owner sees it; `whole`: with its bytes."""
        return api.ExportItem(
            id=self.id,
            client=self.client,
            url=self.url,
            state=self.state.value,
            size=len(self.body),
            sha256=self.sha256,
            made=self.made,
            tries=self.tries,
            next_try=self.next_try,
            detail=self.detail,
            data=self.body[:SHOWN].decode("utf-8", "replace") if whole else "",
        )


class Queue:
    """All exports, one queue a client, oldest first."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        connection.execute(_SCHEMA)
        for export in self._select("state = ?", (State.SENDING.value,)):
            self.set(export, found_at_start(export.state), detail="the box stopped while sending")

    def add(self, *, client: str, grant: str, url: str, body: bytes, now: int) -> Export:
        """Take a new export; durable when this returns.

        Raises:
            Unavailable: this client has too many waiting.
        """
        count = self._connection.execute(
            "SELECT count(*) FROM export WHERE client = ? AND state IN (?, ?)",
            (client, *(state.value for state in OPEN)),
        ).fetchone()
        if count and count[0] >= MOST_PER_CLIENT:
            raise Unavailable("too much waits to leave already", code="queue-full")
        export = Export(
            id=str(uuid.uuid4()),
            client=client,
            grant=grant,
            url=url,
            body=body,
            state=State.QUEUED,
            made=now,
        )
        self._connection.execute(
            "INSERT INTO export VALUES (?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, '', 0)",
            (export.id, client, grant, url, body, export.state.value, now),
        )
        return export

    def get(self, export: str) -> Export:
        """One export.

        Raises:
            NotFound: there is none with this id.
        """
        for found in self._select("id = ?", (export,)):
            return found
        raise NotFound("there is no such export", field="id", found=export[:80])

    def set(  # noqa: PLR0913 - what may change of a row
        self,
        export: Export,
        state: State,
        *,
        tries: int | None = None,
        next_try: int | None = None,
        status: int = 0,
        detail: str = "",
    ) -> Export:
        """Write a new state; durable when this returns."""
        self._connection.execute(
            "UPDATE export SET state = ?, tries = ?, next_try = ?, status = ?, detail = ?"
            " WHERE id = ?",
            (
                state.value,
                export.tries if tries is None else tries,
                next_try,
                status,
                detail,
                export.id,
            ),
        )
        return self.get(export.id)

    def next(self, client: str) -> Export | None:
        """The oldest export of a client that is to be sent; later ones wait for it."""
        states = tuple(state.value for state in OPEN)
        for export in self._select(
            "client = ? AND state IN (?, ?) ORDER BY made, rowid LIMIT 1", (client, *states)
        ):
            return export
        return None

    def clients(self) -> list[str]:
        """Clients with something to send."""
        states = tuple(state.value for state in OPEN)
        rows = self._connection.execute(
            "SELECT DISTINCT client FROM export WHERE state IN (?, ?)", states
        )
        return [row[0] for row in rows]

    def of_grants(self, grants: Iterable[str]) -> list[Export]:
        """What still waits under these grants."""
        ended = set(grants)
        states = tuple(state.value for state in OPEN)
        return [e for e in self._select("state IN (?, ?)", states) if e.grant in ended]

    def newest(self, most: int = 500) -> list[Export]:
        """The newest first."""
        return list(self._select("1 ORDER BY made DESC, rowid DESC LIMIT ?", (most,)))

    def tell_once(self, export: Export) -> bool:
        """Whether a finished result may be given now: it is delivered once, then forgotten."""
        self._connection.execute(
            "UPDATE export SET told = 1 WHERE id = ? AND told = 0", (export.id,)
        )
        return self._connection.changes() == 1

    def _select(self, where: str, values: tuple[Any, ...]) -> list[Export]:
        # `where` is one of the constant texts above, never anything from a caller.
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM export WHERE {where}", values)  # noqa: S608
        return [_export(row) for row in rows]


def _export(row: tuple[Any, ...]) -> Export:
    return Export(
        id=row[0],
        client=row[1],
        grant=row[2],
        url=row[3],
        body=row[4],
        state=State(row[5]),
        made=row[6],
        tries=row[7],
        next_try=row[8],
        status=row[9],
        detail=row[10],
    )
