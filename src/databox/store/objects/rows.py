"""What a store's database knows of its objects: which keys hold which file.

    object   one row a file: its name, its secret, its content's digest and size
    held     one row a key: which object, what media type, since when

The same content is there once, whoever holds it. An object that no key holds any more loses its
row, and with that its secret, in the same transaction; only then is its file removed. If that does
not happen any more, the file is found at the next start by having no row; nobody can read it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from databox.kit.database import rows
from databox.store.objects.stored import Stored

STEPS = (
    """
    CREATE TABLE object (
        id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, secret BLOB NOT NULL,
        digest BLOB NOT NULL UNIQUE, size INTEGER NOT NULL);
    CREATE TABLE held (
        key TEXT PRIMARY KEY, object INTEGER NOT NULL REFERENCES object (id), type TEXT NOT NULL,
        t INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX held_object ON held (object);
    """,
)


@dataclass(frozen=True, slots=True)
class NewObject:
    """Hold a file under a key, in place of what it held; gives the files nobody needs any more.

    One of these may be the new file itself, where the content was there already. `type`: media
    type; `t`: Unix ms.
    """

    key: str
    type: str
    t: int
    stored: Stored


@dataclass(frozen=True, slots=True)
class DeleteObject:
    """Let go what a key holds; gives the files nobody needs any more, None if it held nothing."""

    key: str


@dataclass(frozen=True, slots=True)
class Held:
    """What a key holds. `t`: since when, Unix ms."""

    key: str
    type: str
    t: int
    stored: Stored


Superfluous = tuple[bytes, ...]
"""Names of objects whose files can be removed once the transaction is durable."""


def write(connection: apsw.Connection, change: NewObject | DeleteObject) -> Superfluous | None:
    """Do one change, within a transaction of the caller."""
    if isinstance(change, DeleteObject):
        return _let_go(connection, change.key)
    new, superfluous = change.stored, Superfluous()
    found = rows(connection, "SELECT id FROM object WHERE digest = ?", (new.digest,))
    if found:
        number, superfluous = found[0][0], (new.name,)
    else:
        connection.execute(
            "INSERT INTO object (name, secret, digest, size) VALUES (?, ?, ?, ?)",
            (new.name, new.secret, new.digest, new.size),
        )
        number = connection.last_insert_rowid()
    before = rows(connection, "SELECT object FROM held WHERE key = ?", (change.key,))
    connection.execute(
        "INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?)",
        (change.key, number, change.type, change.t),
    )
    return (*superfluous, *(_forget(connection, before[0][0]) if before else ()))


def find(connection: apsw.Connection, key: str) -> Held | None:
    """What a key holds."""
    found = rows(connection, f"{_HELD} WHERE key = ?", (key,))
    return _held(found[0]) if found else None


def listed(
    connection: apsw.Connection, first: str, behind: str | None, after: str, limit: int
) -> list[Held]:
    """What keys hold from `first` up to before `behind`, and after `after`, in order."""
    found = rows(
        connection,
        f"{_HELD} WHERE key >= ?1 AND (?2 IS NULL OR key < ?2) AND key > ?3 ORDER BY key LIMIT ?4",
        (first, behind, after, limit),
    )
    return [_held(row) for row in found]


def known(connection: apsw.Connection, names: Collection[bytes]) -> set[bytes]:
    """Which of these objects there are."""
    return {
        name for name in names if rows(connection, "SELECT 1 FROM object WHERE name = ?", (name,))
    }


_HELD = (
    "SELECT key, type, t, name, secret, digest, size"
    " FROM held JOIN object ON object.id = held.object"
)


def _held(row: Sequence[Any]) -> Held:
    key, kind, t, *stored = row
    return Held(key, kind, t, Stored(*stored))


def _let_go(connection: apsw.Connection, key: str) -> Superfluous | None:
    found = rows(connection, "DELETE FROM held WHERE key = ? RETURNING object", (key,))
    return _forget(connection, found[0][0]) if found else None


def _forget(connection: apsw.Connection, number: int) -> Superfluous:
    """Drop an object's row, if nobody holds it any more."""
    found = rows(
        connection,
        "DELETE FROM object WHERE id = ?1 AND NOT EXISTS"
        " (SELECT 1 FROM held WHERE object = ?1) RETURNING name",
        (number,),
    )
    return tuple(row[0] for row in found)
