"""The queue on disk: an export is acknowledged when it is durable here.

Beside the state of each stands whether the ledger knows its outcome yet, so that a fall between
the two leaves no export without its end on the record.
"""

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import apsw

from databox.export.states import OPEN, OVER, State, found_at_start
from databox.kit.database import explained, prepare, rows
from databox.wire import api
from databox.wire.errors import NotFound, Unavailable

MOST_WAITING, MOST_BYTES_WAITING = 1000, 64 * 1024 * 1024
"""Of one client."""
MOST_KEPT = 1000
"""Exports that are over, of one client, kept with their bytes; the ledger keeps all of them."""
SHOWN = 64 * 1024

_STEPS = (
    """
CREATE TABLE IF NOT EXISTS export (
    id TEXT PRIMARY KEY, client TEXT NOT NULL, grant_id TEXT NOT NULL, url TEXT NOT NULL,
    body BLOB NOT NULL, state TEXT NOT NULL, made INTEGER NOT NULL, tries INTEGER NOT NULL,
    next_try INTEGER, status INTEGER NOT NULL, detail TEXT NOT NULL, told INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS export_state ON export (state, client, made);
""",
    "ALTER TABLE export ADD COLUMN unwritten INTEGER NOT NULL DEFAULT 0",
)
_COLUMNS = "id, client, grant_id, url, body, state, made, tries, next_try, status, detail"
_WAITING = tuple(state.value for state in OPEN)


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
        prepare(connection, "export", _STEPS)
        for export in self._select("state = ?", (State.SENDING.value,)):
            self.set(export, found_at_start(export.state), detail="the box stopped while sending")

    def add(self, *, client: str, grant: str, url: str, body: bytes, now: int) -> Export:
        """Take a new export; durable when this returns.

        Raises:
            Unavailable: this client has too much waiting, or the disk takes no more.
        """
        self._make_room(client, len(body))
        export = Export(
            id=str(uuid.uuid4()),
            client=client,
            grant=grant,
            url=url,
            body=body,
            state=State.QUEUED,
            made=now,
        )
        self._change(
            "INSERT INTO export VALUES (?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, '', 0, 0)",
            (export.id, client, grant, url, body, export.state.value, now),
        )
        return export

    def get(self, export: str) -> Export:
        """One export.

        Raises:
            NotFound: there is none with this id.
        """
        found = self._select("id = ?", (export,))
        if found:
            return found[0]
        raise NotFound(
            "nothing of this number left or waits to leave", field="id", found=export[:80]
        )

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
        """Write a new state; durable when this returns. One that is over waits for the ledger."""
        self._change(
            "UPDATE export SET state = ?, tries = ?, next_try = ?, status = ?, detail = ?,"
            " unwritten = ? WHERE id = ?",
            (
                state.value,
                export.tries if tries is None else tries,
                next_try,
                status,
                detail,
                state in OVER,
                export.id,
            ),
        )
        return self.get(export.id)

    def next(self, client: str) -> Export | None:
        """The oldest export of a client that is to be sent; later ones wait for it."""
        oldest = "client = ? AND state IN (?, ?) ORDER BY made, rowid LIMIT 1"
        found = self._select(oldest, (client, *_WAITING))
        return found[0] if found else None

    def clients(self) -> list[str]:
        """Clients with something to send, or to tell the ledger."""
        text = "SELECT DISTINCT client FROM export WHERE state IN (?, ?) OR unwritten"
        return [row[0] for row in self._rows(text, _WAITING)]

    def unwritten(self, client: str) -> list[Export]:
        """What is over, and the ledger does not know it yet."""
        return self._select("client = ? AND unwritten ORDER BY made, rowid", (client,))

    def written(self, export: Export) -> None:
        """The ledger knows this outcome."""
        self._change(
            "UPDATE export SET unwritten = 0 WHERE id = ? AND state = ?",
            (export.id, export.state.value),
        )

    def of_grants(self, grants: Iterable[str]) -> list[Export]:
        """What still waits under these grants."""
        ended = set(grants)
        return [each for each in self._select("state IN (?, ?)", _WAITING) if each.grant in ended]

    def newest(self, most: int = 500) -> list[Export]:
        """The newest first."""
        return list(self._select("1 ORDER BY made DESC, rowid DESC LIMIT ?", (most,)))

    def tell_once(self, export: Export) -> bool:
        """Whether a finished result may be given now: it is delivered once, then forgotten."""
        return self._change("UPDATE export SET told = 1 WHERE id = ? AND told = 0", (export.id,))

    def _make_room(self, client: str, size: int) -> None:
        count, total = self._rows(
            "SELECT count(*), total(length(body)) FROM export WHERE client = ? AND state IN (?, ?)",
            (client, *_WAITING),
        )[0]
        if count >= MOST_WAITING or total + size > MOST_BYTES_WAITING:
            raise Unavailable(
                "too much waits to leave already",
                code="queue-full",
                found=f"{count} exports, {int(total)} bytes",
                remedy="Wait until some of it has left",
            )
        self._change(
            "DELETE FROM export WHERE id IN (SELECT id FROM export"
            " WHERE client = ? AND state NOT IN (?, ?, ?) AND NOT unwritten"
            " ORDER BY made DESC, rowid DESC LIMIT -1 OFFSET ?)",
            (client, *_WAITING, State.SENDING.value, MOST_KEPT - 1),
        )

    def _change(self, text: str, values: tuple[Any, ...]) -> bool:
        with explained():
            self._connection.execute(text, values)
            return self._connection.changes() > 0

    def _rows(self, text: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return rows(self._connection, text, values)

    def _select(self, where: str, values: tuple[Any, ...]) -> list[Export]:
        # `where` is one of the constant texts above, never anything from a caller.
        text = f"SELECT {_COLUMNS} FROM export WHERE {where}"  # noqa: S608 - fixed words only
        found = self._rows(text, values)
        return [_export(row) for row in found]


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
