"""Checkpoints as other programs for transparency logs write and read them."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from databox.ledger import signing
from databox.ledger.signing import Signer, fault, note, origin, read_note, verifier

KEY = bytes(range(32))
ROOT = hashlib.sha256(b"root").digest()
CHECKPOINT = Signer(KEY).checkpoint(12, ROOT, 99)
PUBLIC = Signer(KEY).public

# The example of the C2SP signed-note document.
NAME = "example.com/foo"
THEIRS = base64.b64decode("AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
SIGNED = base64.b64decode(
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
)


def test_key_ids_are_those_of_signed_notes() -> None:
    assert signing._key_id(NAME, THEIRS[1:]) == SIGNED[:4] == bytes.fromhex("530d903a")
    Ed25519PublicKey.from_public_bytes(THEIRS[1:]).verify(
        SIGNED[4:], b"This is an example message.\n"
    )


def test_a_note_is_text_a_blank_line_and_a_signature() -> None:
    text, _, signature = note(CHECKPOINT).partition("\n\n")
    root = base64.b64encode(ROOT).decode()
    assert text.split("\n") == [origin(PUBLIC), "12", root, "time 99"]
    name, key_id, key = verifier(PUBLIC).split("+", 2)
    dash, signer, signed = signature.rstrip("\n").split(" ")
    assert (dash, signer) == ("—", name)
    raw = base64.b64decode(signed)
    assert raw[:4].hex() == key_id
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:])
    public.verify(raw[4:], f"{text}\n".encode())


def test_a_note_is_read_back() -> None:
    assert read_note(note(CHECKPOINT), PUBLIC) == CHECKPOINT
    assert fault(CHECKPOINT, PUBLIC) == ""


@pytest.mark.parametrize(
    ("old", "new"), [("\n12\n", "\n13\n"), ("time 99", "time 98"), ("databox/", "datebox/")]
)
def test_a_changed_note_does_not_hold(old: str, new: str) -> None:
    changed = note(CHECKPOINT).replace(old, new, 1)
    try:
        found = fault(read_note(changed, PUBLIC), PUBLIC)
    except ValueError:
        return
    assert found == "the checkpoint's signature does not hold"


@pytest.mark.parametrize("text", ["", "x", "a\nb\nc\nd\n\n", note(CHECKPOINT).replace("12", "x")])
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_note(text, PUBLIC)
