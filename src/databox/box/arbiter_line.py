"""What the box itself asks of the arbiter: make its parts known, and the operator's session."""

import base64
import hashlib
import json
import socket
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from databox.box.reception import Reception
from databox.kit.dialer import Dialer
from databox.wire import api

CALLER = "box"
_COORDINATE = 32

Kind = Literal["part", "export-service", "store"]


class _Connector:
    """Connections as the box itself."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    async def connect(self, callee: str) -> socket.socket:
        return await self._reception.connect(CALLER, callee)


class ArbiterLine:
    """The box as a caller of the arbiter."""

    def __init__(self, reception: Reception) -> None:
        self._dialer = Dialer(_Connector(reception))

    async def know(self, name: str, kind: Kind, key: str) -> None:
        """Make a part or store known by its key, base64 of 32 bytes.

        Raises:
            DataboxError: the arbiter refused or does not answer.
        """
        await self._dialer.call(
            "component.make", api.ComponentRequest(name=name, type=kind, key=key)
        )

    async def replace_passphrase(self, passphrase: str) -> None:
        """Give the owner's account the passphrase that the box was just recovered to.

        Raises:
            DataboxError: the arbiter refused or does not answer.
        """
        await self._dialer.call("owner.passphrase", api.PassphraseRequest(passphrase=passphrase))

    async def expect_recovery_code(self, code: str) -> None:
        """Tell the owner's account that a new recovery code is still to be proven.

        Raises:
            DataboxError: the arbiter refused or does not answer.
        """
        part = code.rpartition("-")[2]
        await self._dialer.call("owner.recovery", api.ProofRequest(part=part))

    async def operator(self, address: str) -> bytes:
        """A session for the command line and the key that it is bound to, as the file's content.

        Raises:
            DataboxError: the arbiter refused or does not answer; there may be no owner yet.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        request = api.OperatorRequest(thumbprint=_thumbprint(key.public_key()))
        session: api.Session = await self._dialer.call("session.operator", request)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return json.dumps({"address": address, "session": session.session, "key": pem}).encode()

    def close(self) -> None:
        """Hang up."""
        self._dialer.close()


def _thumbprint(key: ec.EllipticCurvePublicKey) -> str:
    """Source: RFC 7638; the members in this order and form are what is hashed."""
    numbers = key.public_numbers()
    members = {"crv": "P-256", "kty": "EC", "x": _text(numbers.x), "y": _text(numbers.y)}
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _text(number: int) -> str:
    raw = number.to_bytes(_COORDINATE)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
