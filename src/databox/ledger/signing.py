"""Checkpoints: the ledger's state at one moment, signed, and how they are written as text.

Source: RFC 8032 (Ed25519); C2SP tlog-checkpoint and signed-note.
"""

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from databox.wire.ledger import Checkpoint

_ED25519 = b"\x01"
_DASH = "\N{EM DASH} "
_TIME = "time "
_KEY_ID = 4


class Signer:
    """Signs checkpoints by a raw key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(key)
        self.public = self._key.public_key().public_bytes_raw()

    def checkpoint(self, size: int, root: bytes, time: int) -> Checkpoint:
        """Sign that the ledger had `size` entries and this root at `time`, Unix ms."""
        statement = _statement(origin(self.public), size, _text(root), time)
        return Checkpoint(
            size=size,
            root=_text(root),
            time=time,
            key=_text(self.public),
            signature=_text(self._key.sign(statement.encode())),
        )


def fault(checkpoint: Checkpoint, public_key: bytes | None) -> str:
    """What is wrong with a checkpoint, "" if nothing.

    `public_key`: the raw key it must be signed by. Without one, the key it names itself is used,
    which proves only that it is of one piece.
    """
    try:
        key = base64.b64decode(checkpoint.key, validate=True)
        signature = base64.b64decode(checkpoint.signature, validate=True)
        if public_key is not None and key != public_key:
            return "the checkpoint is signed by another key than this box's"
        statement = _statement(origin(key), checkpoint.size, checkpoint.root, checkpoint.time)
        Ed25519PublicKey.from_public_bytes(key).verify(signature, statement.encode())
    except (binascii.Error, ValueError, InvalidSignature):
        return "the checkpoint's signature does not hold"
    return ""


def origin(key: bytes) -> str:
    """The name of the ledger whose checkpoints this public key signs."""
    return f"databox/{hashlib.sha256(key).hexdigest()[:16]}"


def note(checkpoint: Checkpoint) -> str:
    """The checkpoint as a signed note, which other programs for transparency logs can read."""
    key = base64.b64decode(checkpoint.key)
    name = origin(key)
    signed = _key_id(name, key) + base64.b64decode(checkpoint.signature)
    statement = _statement(name, checkpoint.size, checkpoint.root, checkpoint.time)
    return f"{statement}\n{_DASH}{name} {_text(signed)}\n"


def verifier(key: bytes) -> str:
    """The public key as those programs take it: name, key id and key."""
    name = origin(key)
    return f"{name}+{_key_id(name, key).hex()}+{_text(_ED25519 + key)}"


def read_note(text: str, key: bytes) -> Checkpoint:
    """The checkpoint that a note of ours holds; whether it is signed well says `fault`.

    `key`: the raw public key, since a note only names it.

    Raises:
        ValueError: it is no checkpoint of the ledger with this key.
    """
    statement, _, signatures = text.partition("\n\n")
    lines = statement.split("\n")
    name = origin(key)
    if len(lines) != 4 or lines[0] != name or not lines[3].startswith(_TIME):
        raise ValueError(f"this is no checkpoint of {name}")
    signature = next(
        (each for each in signatures.split("\n") if each.startswith(f"{_DASH}{name} ")), ""
    )
    signed = base64.b64decode(signature.rpartition(" ")[2], validate=True)
    return Checkpoint(
        size=int(lines[1]),
        root=lines[2],
        time=int(lines[3].removeprefix(_TIME)),
        key=_text(key),
        signature=_text(signed[_KEY_ID:]),
    )


def _statement(name: str, size: int, root: str, time: int) -> str:
    return f"{name}\n{size}\n{root}\n{_TIME}{time}\n"


def _key_id(name: str, key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key).digest()[:_KEY_ID]


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
