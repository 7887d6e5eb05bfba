"""Checkpoints: the ledger's state at one moment, signed. Source: RFC 8032 (Ed25519)."""

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from databox.wire.ledger import Checkpoint


class Signer:
    """Signs checkpoints by a raw key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(key)
        self.public = self._key.public_key().public_bytes_raw()

    def checkpoint(self, size: int, head: bytes, time: int) -> Checkpoint:
        """Sign that the ledger had `size` entries and this head at `time`, Unix ms."""
        return Checkpoint(
            size=size,
            head=_text(head),
            time=time,
            key=_text(self.public),
            signature=_text(self._key.sign(_statement(size, _text(head), time))),
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
        statement = _statement(checkpoint.size, checkpoint.head, checkpoint.time)
        Ed25519PublicKey.from_public_bytes(key).verify(signature, statement)
    except (binascii.Error, ValueError, InvalidSignature):
        return "the checkpoint's signature does not hold"
    return ""


def _statement(size: int, head: str, time: int) -> bytes:
    return f"databox ledger v1\n{size}\n{head}\n{time}\n".encode()


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
