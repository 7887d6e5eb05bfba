"""Who is known to the arbiter: one record for each component, with its key and its secret.

What others may post (`fields`) is kept apart from what only the arbiter writes (the digest of the
key, the secret, grants), so no posted field can overwrite those.
"""

import hashlib
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import apsw
import msgspec

from databox.kit.database import rows
from databox.wire import catalogue
from databox.wire.errors import BadRequest, Conflict
from databox.wire.tokens import SECRET_LENGTH

MAX_FIELDS = 32 * 1024
STORE = "store"
_ALPHABET = string.ascii_letters + string.digits
_COLUMNS = "SELECT name, type, fields, secret FROM arbiter_record"


@dataclass(frozen=True, slots=True)
class Record:
    """One component. `fields`: as posted, in the order posted; `secret`: None until asked for."""

    name: str
    type: str | None
    fields: dict[str, Any]
    secret: str | None


class Records:
    """Reads and writes records; every change within the caller's transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def find(self, name: str) -> Record | None:
        """The record called `name`."""
        found = rows(self._connection, f"{_COLUMNS} WHERE name = ?", (name,))
        return _record(*found[0]) if found else None

    def holder(self, key: str, name: str | None = None) -> Record | None:
        """The oldest record with this key; only the one called `name`, if that is given."""
        found = rows(
            self._connection,
            f"{_COLUMNS} WHERE key_digest = ?1 AND (?2 IS NULL OR name = ?2) ORDER BY id LIMIT 1",
            (_digest(key), name),
        )
        return _record(*found[0]) if found else None

    def stores(self) -> tuple[Record, ...]:
        """Every store, oldest first."""
        found = rows(self._connection, f"{_COLUMNS} WHERE type = ? ORDER BY id", (STORE,))
        return tuple(_record(*row) for row in found)

    def all(self) -> tuple[Record, ...]:
        """Every record, oldest first."""
        return tuple(_record(*row) for row in rows(self._connection, f"{_COLUMNS} ORDER BY id"))

    def merge(self, name: str, posted: Mapping[str, Any]) -> Record:
        """Make a record, or change the posted fields of one, as launch-era managers do.

        A record that becomes a store gets a `catItem` at port 8080, unless one was posted.

        Raises:
            BadRequest: its fields are too long together.
        """
        known = self.find(name)
        fields = (known.fields if known else {}) | dict(posted)
        if fields.get("type") == STORE and "catItem" not in fields:
            fields["catItem"] = _cat_item(name, 8080)
        self._write(name, fields)
        if isinstance(fields.get("key"), str):
            self._set_key(name, fields["key"])
        return Record(name, _type(fields), fields, known.secret if known else None)

    def put(self, name: str, kind: str, key: str) -> None:
        """Make a component known, with its key; the key itself is not kept.

        Raises:
            Conflict: the name belongs to a component of another type.
        """
        known = self.find(name)
        if known and known.type not in (None, kind):
            raise Conflict(
                "this name belongs to a component of another type",
                code="record-type",
                field="type",
                found=str(known.type),
            )
        fields: dict[str, Any] = {"name": name, "type": kind}
        if kind == STORE:
            fields["catItem"] = _cat_item(name, 443)
        self._write(name, fields)
        self._set_key(name, key)

    def ensure(self, name: str, kind: str | None) -> None:
        """Make a record without a key if there is none of this name."""
        if not self.find(name):
            self._write(name, {"name": name} | ({"type": kind} if kind else {}))

    def remove(self, name: str) -> None:
        """Forget a record; its secret goes too, so tokens for it are void for good."""
        self._connection.execute("DELETE FROM arbiter_record WHERE name = ?", (name,))

    def secret_of(self, name: str) -> str:
        """The secret of a known record, made when first asked for."""
        known = self.find(name)
        if known and known.secret:
            return known.secret
        secret = "".join(secrets.choice(_ALPHABET) for _ in range(SECRET_LENGTH))
        self._connection.execute(
            "UPDATE arbiter_record SET secret = ? WHERE name = ?", (secret, name)
        )
        return secret

    def _write(self, name: str, fields: dict[str, Any]) -> None:
        text = msgspec.json.encode(fields).decode()
        if len(text) > MAX_FIELDS:
            raise BadRequest("the record is too long", found=f"{len(text)} characters")
        self._connection.execute(
            "INSERT INTO arbiter_record (name, type, fields) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (name) DO UPDATE SET type = ?2, fields = ?3",
            (name, _type(fields), text),
        )

    def _set_key(self, name: str, key: str) -> None:
        self._connection.execute(
            "UPDATE arbiter_record SET key_digest = ? WHERE name = ?",
            (_digest(key) if key else None, name),
        )


def _record(name: str, kind: str | None, fields: str, secret: str | None) -> Record:
    return Record(name, kind, msgspec.json.decode(fields), secret)


def _type(fields: Mapping[str, Any]) -> str | None:
    kind = fields.get("type")
    return kind if isinstance(kind, str) and kind else None


def _digest(key: str) -> bytes:
    # Keys are 32 random bytes, so a plain hash hides them, and looking one up tells no timing.
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _cat_item(name: str, port: int) -> Any:
    return msgspec.to_builtins(catalogue.store_item(name, f"https://{name}:{port}"))
