import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from databox.gateway.proof import Expected, Proven, Used, jwk_of, thumbprint, verify
from databox.wire.errors import BadRequest, Unauthenticated

NOW = 1_700_000_000_000
URL = "http://databox.localhost:8989/api/sources"
KEY = ec.generate_private_key(ec.SECP256R1())


def b64(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def proof(*, key=KEY, header=None, **changes):
    claims = {
        "htm": "GET",
        "htu": URL,
        "iat": NOW // 1000,
        "jti": "one",
        "ath": b64(hashlib.sha256(b"session").digest()),
        **changes,
    }
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk_of(key.public_key()), **(header or {})}
    text = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{b64(r.to_bytes(32) + s.to_bytes(32))}"


EXPECTED = Expected("GET", URL, "session", NOW)


def test_a_sound_proof_names_the_key_that_made_it():
    assert verify(proof(), EXPECTED) == Proven(thumbprint(jwk_of(KEY.public_key())), "one")


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "POST"},
        {"htu": URL + "/x"},
        {"htu": URL.replace("8989", "9999")},
        {"iat": NOW // 1000 - 61},
        {"iat": NOW // 1000 + 61},
        {"ath": b64(hashlib.sha256(b"other").digest())},
        {"header": {"alg": "none"}},
        {"header": {"typ": "JWT"}},
        {"header": {"jwk": jwk_of(ec.generate_private_key(ec.SECP256R1()).public_key())}},
        {"header": {"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}},
    ],
)
def test_a_proof_for_anything_else_is_refused(changes):
    with pytest.raises(Unauthenticated):
        verify(proof(**changes), EXPECTED)


def test_a_proof_works_once():
    used, proven = Used(), verify(proof(), EXPECTED)
    used.take(proven, NOW)
    with pytest.raises(Unauthenticated, match="used before"):
        used.take(proven, NOW)


def test_a_full_memory_of_proofs_refuses_rather_than_forgets():
    used, other = Used(most=1), Proven("key", "b")
    used.take(Proven("key", "a"), NOW)
    with pytest.raises(Unauthenticated):
        used.take(other, NOW + 1000)
    used.take(other, NOW + 200_000)


def test_a_key_of_another_kind_has_no_thumbprint():
    with pytest.raises(BadRequest):
        thumbprint({"kty": "RSA", "n": "x", "e": "AQAB"})


@given(st.text(max_size=300))
def test_garbage_is_refused_and_never_crashes(text):
    with pytest.raises(Unauthenticated):
        verify(text, EXPECTED)


@given(st.integers(0, 400), st.integers(1, 255))
def test_any_changed_byte_is_refused(at, change):
    text = proof().encode()
    at %= len(text)
    broken = text[:at] + bytes([text[at] ^ change]) + text[at + 1 :]
    with pytest.raises((Unauthenticated, UnicodeDecodeError)):
        verify(broken.decode(), EXPECTED)
