r"""The ledger before it was a tree: a chain of heads, checked a last time when the tree is made.

`head[n] = SHA-256(0x01 || head[n-1] || SHA-256(0x00 || leaf))`, `head[-1]` = 32 zero bytes. A
checkpoint signed `databox ledger v1\n<size>\n<base64 head>\n<time>\n`.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import apsw
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from databox.kit.database import rows
from databox.wire.ledger import leaf_hash

_BATCH = 500


class Before:
    """Such a ledger, once its tables have the new form but its lines not yet.

    Args:
        connection: Its database, with a transaction open.
        public_key: The raw key that its checkpoints must be signed by.
    """

    def __init__(self, connection: apsw.Connection, public_key: bytes) -> None:
        self._connection = connection
        self._key = Ed25519PublicKey.from_public_bytes(public_key)

    def problem(self) -> str:
        """What is wrong with it, "" if nothing."""
        signed = self._signed()
        if signed is None:
            return "a checkpoint of before the tree is not signed by this box"
        head, size = bytes(32), 0
        for leaf, noted in self._lines():
            head = hashlib.sha256(b"\x01" + head + leaf_hash(leaf)).digest()
            size += 1
            if head != noted or signed.pop(size, head) != head:
                return f"entry {size - 1} was changed before there was a tree"
        if any(signed):
            return f"entries {size} to {max(signed) - 1} were missing before there was a tree"
        return ""

    @contextmanager
    def open_to_change(self) -> Iterator[None]:
        """Lines may be given their hash, and nothing may be changed afterwards."""
        trigger = rows(
            self._connection,
            "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = 'ledger_no_change'",
        )
        self._connection.execute("DROP TRIGGER ledger_no_change")
        yield
        self._connection.execute(str(trigger[0][0]))
        self._connection.execute("DROP TABLE ledger_checkpoint_before")

    def _signed(self) -> dict[int, bytes] | None:
        """The head at each size that was signed, None if a signature does not hold."""
        found: dict[int, bytes] = {}
        for size, head, time, signature in rows(
            self._connection, "SELECT size, head, time, signature FROM ledger_checkpoint_before"
        ):
            statement = f"databox ledger v1\n{size}\n{head}\n{time}\n"
            try:
                self._key.verify(base64.b64decode(signature), statement.encode())
                found[size] = base64.b64decode(head)
            except (binascii.Error, ValueError, InvalidSignature):
                return None
        found.pop(0, None)
        return found

    def _lines(self) -> Iterator[tuple[bytes, bytes]]:
        after = -1
        while found := rows(
            self._connection,
            "SELECT n, leaf, hash FROM ledger_entry WHERE n > ? ORDER BY n LIMIT ?",
            (after, _BATCH),
        ):
            yield from ((leaf, noted) for _, leaf, noted in found)
            after = found[-1][0]
