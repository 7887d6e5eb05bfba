import hashlib
import json
from base64 import urlsafe_b64decode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from databox.cli.proof import Asked, make_proof
from databox.gateway import proof as gateway

ASKED = Asked(
    method="POST",
    url="http://databox.localhost:1/api/install",
    session="s",
    now=1_700_000_000,
    identifier="x1",
)


def bytes_of(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_proof_says_what_was_asked_and_for_which_session() -> None:
    header, claims, _ = make_proof(ec.generate_private_key(ec.SECP256R1()), ASKED).split(".")
    assert json.loads(bytes_of(header))["typ"] == "dpop+jwt"
    found = json.loads(bytes_of(claims))
    assert bytes_of(found.pop("ath")) == hashlib.sha256(b"s").digest()
    assert found == {"htm": "POST", "htu": ASKED.url, "iat": 1_700_000_000, "jti": "x1"}


@given(st.integers(1, 2**200))
def test_a_signature_has_64_bytes_and_holds_for_every_key(secret: int) -> None:
    key = ec.derive_private_key(secret, ec.SECP256R1())
    text, _, signature = make_proof(key, ASKED).rpartition(".")
    raw = bytes_of(signature)
    assert len(raw) == 64
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.public_key().verify(der, text.encode(), ec.ECDSA(hashes.SHA256()))


def test_the_gateway_accepts_it() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    expected = gateway.Expected("POST", ASKED.url, "s", ASKED.now * 1000)
    said = gateway.verify(make_proof(key, ASKED), expected).thumbprint
    jwk = json.loads(bytes_of(make_proof(key, ASKED).split(".")[0]))["jwk"]
    assert said == gateway.thumbprint(jwk)
