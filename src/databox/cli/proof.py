"""A proof of possession for each call: the session is of no use without this key.

Source: RFC 9449 (DPoP), RFC 7518 section 3.4 (ES256), RFC 7515 (JWS).
"""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_COORDINATE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request to prove.

    `url`: absolute, without its query; `now`: Unix seconds; `identifier`: used once.
    """

    method: str
    url: str
    session: str
    now: int
    identifier: str


def make_proof(key: ec.EllipticCurvePrivateKey, asked: Asked) -> str:
    """Sign one request."""
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public_jwk(key)}
    claims = {
        "htm": asked.method,
        "htu": asked.url,
        "iat": asked.now,
        "jti": asked.identifier,
        "ath": _base64url(hashlib.sha256(asked.session.encode()).digest()),
    }
    text = f"{_part(header)}.{_part(claims)}"
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{_base64url(_number(r) + _number(s))}"


def public_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """The public half, with only the members that a thumbprint is taken over."""
    numbers = key.public_key().public_numbers()
    return {
        "crv": "P-256",
        "kty": "EC",
        "x": _base64url(_number(numbers.x)),
        "y": _base64url(_number(numbers.y)),
    }


def _number(value: int) -> bytes:
    return value.to_bytes(_COORDINATE, "big")


def _part(value: Mapping[str, object]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
