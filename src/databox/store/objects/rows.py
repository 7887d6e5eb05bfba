"""What a store's database knows of its objects: which keys hold which file.

    object   one row a file: its name, its secret, its content's digest and size
    held     one row a key: which object, what media type, since when; of a source's many objects
             the key is its name, a slash, and the object's own name

The same content is there once, in the newest file of it, whoever holds it. An object that no key
holds any more loses its row, and with that its secret, in the same transaction; only then is its
file removed. If that does not happen any more, the file is found at the next start by having no
row; nobody can read it.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import apsw

from databox.kit.database import rows
from databox.store.objects.stored import Stored
from databox.store.writes import DeleteObject, DeleteObjects, ObjectWrite, Superfluous

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
class Held:
    """What a key holds. `t`: since when, Unix ms."""

    key: str
    type: str
    t: int
    stored: Stored


def write(connection: apsw.Connection, change: ObjectWrite) -> Superfluous | None:
    """Do one change, within a transaction of the caller."""
    if isinstance(change, DeleteObject):
        return _let_go(connection, [change.key])
    if isinstance(change, DeleteObjects):
        below = f"{change.source}/"
        query = "SELECT key FROM held WHERE key = ? OR substr(key, 1, ?) = ?"
        found = rows(connection, query, (change.source, len(below), below))
        return _let_go(connection, [row[0] for row in found])
    new, superfluous = change.stored, Superfluous()
    found = rows(connection, "SELECT id, name FROM object WHERE digest = ?", (new.digest,))
    if found:
        # The new file is known to be good, the old one may have been damaged since.
        number, superfluous = found[0][0], (found[0][1],)
        connection.execute(
            "UPDATE object SET name = ?, secret = ? WHERE id = ?", (new.name, new.secret, number)
        )
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


class ObjectRows:
    """What is committed, for one thread that reads."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def find(self, key: str) -> Held | None:
        """What a key holds."""
        found = rows(self._connection, f"{_HELD} WHERE key = ?", (key,))
        return _held(found[0]) if found else None

    def listed(self, prefix: str, after: str, limit: int) -> list[Held]:
        """What the keys hold that begin with `prefix`, in order, from behind `after` on."""
        query = f"{_HELD} WHERE key >= ?1 AND key > ?2 ORDER BY key LIMIT ?3"
        found = map(_held, rows(self._connection, query, (prefix, after, limit)))
        return list(takewhile(lambda held: held.key.startswith(prefix), found))

    def known(self, names: Collection[bytes]) -> set[bytes]:
        """Which of these objects there are."""
        query = "SELECT name FROM object WHERE name IN (SELECT unhex(value) FROM json_each(?))"
        asked = json.dumps([name.hex() for name in names])
        return {row[0] for row in rows(self._connection, query, (asked,))}


_HELD = (
    "SELECT key, type, t, name, secret, digest, size"
    " FROM held JOIN object ON object.id = held.object"
)


def _held(row: Sequence[Any]) -> Held:
    key, kind, t, *stored = row
    return Held(key, kind, t, Stored(*stored))


def _let_go(connection: apsw.Connection, keys: Sequence[str]) -> Superfluous | None:
    query = "DELETE FROM held WHERE key = ? RETURNING object"
    found = {row[0] for key in keys for row in rows(connection, query, (key,))}
    gone = [name for number in found for name in _forget(connection, number)]
    return tuple(gone) if found else None


def _forget(connection: apsw.Connection, number: int) -> Superfluous:
    """Drop an object's row, if nobody holds it any more."""
    found = rows(
        connection,
        "DELETE FROM object WHERE id = ?1 AND NOT EXISTS"
        " (SELECT 1 FROM held WHERE object = ?1) RETURNING name",
        (number,),
    )
    return tuple(row[0] for row in found)
