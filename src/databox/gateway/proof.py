"""Proof that a request comes from the browser that signed in: a signature by its own key.

The key cannot be taken out of the browser and belongs to one origin, port included. So a stolen
session text is of no use elsewhere, and a page on another port of the same name gets nothing.

Source: RFC 9449 (DPoP), RFC 7638 (thumbprint); here with a session in place of an access token.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from databox.wire.errors import BadRequest, Unauthenticated

WINDOW_MS = 60_000
MAX_PROOF = 2048


class _Header(msgspec.Struct, frozen=True):
    typ: str
    alg: str
    jwk: dict[str, str]


class _Claims(msgspec.Struct, frozen=True):
    htm: str
    htu: str
    iat: int
    jti: str
    ath: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What a proof must be about. `now`: Unix ms."""

    method: str
    url: str
    session: str
    now: int


def thumbprint(key: dict[str, str]) -> str:
    """The name of a P-256 public key (JWK): base64url SHA-256 of its required members.

    Raises:
        BadRequest: it is not a P-256 public key.
    """
    _public_key(key)
    members = {name: key[name] for name in ("crv", "kty", "x", "y")}
    text = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return _b64(hashlib.sha256(text.encode()).digest())


@dataclass(frozen=True, slots=True)
class Proven:
    """A sound proof: the thumbprint of the key that made it, and the proof's own name."""

    thumbprint: str
    jti: str


def verify(proof: str, expected: Expected) -> Proven:
    """Check a proof. That its key is the session's, and that it is new, is left to the caller.

    Raises:
        Unauthenticated: malformed, for another request or session, too old, or not signed by the
            key it shows.
    """
    if len(proof) > MAX_PROOF or proof.count(".") != 2:
        raise _refused("is malformed")
    head, body, signature = proof.split(".")
    try:
        header = msgspec.json.decode(_unb64(head), type=_Header)
        claims = msgspec.json.decode(_unb64(body), type=_Claims)
        name = thumbprint(header.jwk)
        _check_signature(header, f"{head}.{body}".encode(), _unb64(signature))
    except (msgspec.MsgspecError, BadRequest, ValueError, InvalidSignature) as error:
        raise _refused("is malformed or not signed by its key") from error
    _check_claims(claims, expected)
    return Proven(name, claims.jti)


class Used:
    """Remembers proofs for as long as they would be accepted, so each works once.

    Only for proofs of live sessions: anybody can make sound proofs for a session that is none, and
    enough of them would shut the owner out.
    """

    def __init__(self, most: int = 20_000) -> None:
        self._seen: dict[str, int] = {}
        self._most = most

    def take(self, proven: Proven, now: int) -> None:
        """Use a proof up.

        Raises:
            Unauthenticated: it was used before, or too many were and none is old enough to forget.
        """
        if not self._first_time(f"{proven.thumbprint}:{proven.jti}", now):
            raise _refused("was used before")

    def _first_time(self, proof: str, now: int) -> bool:
        if proof in self._seen:
            return False
        if len(self._seen) >= self._most:
            self._forget(now)
        if len(self._seen) >= self._most:
            return False
        self._seen[proof] = now
        return True

    def _forget(self, now: int) -> None:
        self._seen = {k: t for k, t in self._seen.items() if t + 2 * WINDOW_MS > now}


def _check_claims(claims: _Claims, expected: Expected) -> None:
    if (claims.htm, claims.htu) != (expected.method, expected.url):
        raise _refused("is for another request")
    if claims.ath != _b64(hashlib.sha256(expected.session.encode()).digest()):
        raise _refused("is for another session")
    if abs(claims.iat * 1000 - expected.now) > WINDOW_MS:
        raise _refused("is too old; is the clock of this computer right?")


def _check_signature(header: _Header, signed: bytes, signature: bytes) -> None:
    if header.typ != "dpop+jwt" or header.alg != "ES256" or len(signature) != 64:
        raise ValueError("not an ES256 proof")
    r, s = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
    key = _public_key(header.jwk)
    key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))


def _public_key(key: dict[str, str]) -> ec.EllipticCurvePublicKey:
    try:
        if (key["kty"], key["crv"]) != ("EC", "P-256"):
            raise ValueError("not a P-256 key")
        x, y = (int.from_bytes(_unb64(key[name])) for name in ("x", "y"))
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except (KeyError, ValueError, TypeError) as error:
        raise BadRequest("this is not a P-256 public key", field="key", found=str(error)) from error


def _unb64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error


def _b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"the proof of this request {why}", code="proof", remedy="Sign in again")


def jwk_of(public: ec.EllipticCurvePublicKey) -> dict[str, Any]:
    """A public key as the JWK that a proof carries."""
    numbers = public.public_numbers()
    x, y = (_b64(value.to_bytes(32)) for value in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}
