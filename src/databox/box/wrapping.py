"""How keys are wrapped: bytes in, bytes out.

The box key is 32 random bytes that everything else hangs on. It is wrapped by the owner's
passphrase (Argon2id), by the recovery code, and in the mode "starts by itself" kept by the machine.
Every other key is random too and wrapped by the box key, with its own name as associated data, so
that no wrapped key can be put in another's place.

Source: RFC 9106 (Argon2id, second recommended option), NIST SP 800-38D (AES-GCM), RFC 5869 (HKDF),
Crockford's Base 32.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from databox.wire.errors import BadRequest, DataboxError, Unauthenticated

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
SALT_BYTES: Final = 16
FORMAT: Final = 1

# RFC 9106, 4: the second recommended option, for less memory.
ITERATIONS, LANES, MEMORY_KIB = 3, 4, 64 * 1024

RECOVERY_BYTES = 20
GROUP = 4
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})

Random = Callable[[int], bytes]


class Wrapped(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wrapped key as it is kept on disk. `salt` is empty where no passphrase is stretched."""

    format: int
    nonce: bytes
    sealed: bytes
    salt: bytes = b""
    iterations: int = 0
    lanes: int = 0
    memory_kib: int = 0


def wrap(name: str, key: bytes, by: bytes, random: Random) -> bytes:
    """Wrap `key` by the 32-byte key `by`; it opens only under the same `name`."""
    nonce = random(NONCE_BYTES)
    sealed = AESGCM(by).encrypt(nonce, key, _associated(name))
    return msgspec.json.encode(Wrapped(format=FORMAT, nonce=nonce, sealed=sealed))


def unwrap(name: str, wrapped: bytes, by: bytes) -> bytes:
    """Open what `wrap` made.

    Raises:
        Unauthenticated: another key wrapped it, it belongs to another name, or it was changed.
        DataboxError: it was written by a newer version.
    """
    return _open(name, _read(wrapped), by)


def wrap_by_passphrase(name: str, key: bytes, passphrase: str, random: Random) -> bytes:
    """Wrap `key` by a passphrase. Takes about a tenth of a second and 64 MiB, which is its use."""
    salt, nonce = random(SALT_BYTES), random(NONCE_BYTES)
    by = _stretch(passphrase, salt, ITERATIONS, LANES, MEMORY_KIB)
    wrapped = Wrapped(
        format=FORMAT,
        nonce=nonce,
        sealed=AESGCM(by).encrypt(nonce, key, _associated(name)),
        salt=salt,
        iterations=ITERATIONS,
        lanes=LANES,
        memory_kib=MEMORY_KIB,
    )
    return msgspec.json.encode(wrapped)


def unwrap_by_passphrase(name: str, wrapped: bytes, passphrase: str) -> bytes:
    """Open what `wrap_by_passphrase` made.

    Raises:
        Unauthenticated: the passphrase is wrong, or the file was changed.
        DataboxError: it was written by a newer version.
    """
    read = _read(wrapped)
    by = _stretch(passphrase, read.salt, read.iterations, read.lanes, read.memory_kib)
    return _open(name, read, by)


def new_recovery_code(random: Random) -> str:
    """A code of 160 random bits: eight groups of four letters and digits."""
    number = int.from_bytes(random(RECOVERY_BYTES))
    letters = [_ALPHABET[number >> (5 * place) & 31] for place in range(RECOVERY_BYTES * 8 // 5)]
    text = "".join(reversed(letters))
    return "-".join(text[at : at + GROUP] for at in range(0, len(text), GROUP))


def recovery_key(code: str) -> bytes:
    """The key that a recovery code stands for. Case, spaces and dashes do not matter.

    Raises:
        BadRequest: this is not the form of a recovery code.
    """
    text = code.upper().replace("-", "").replace(" ", "").translate(_READ_AS)
    if len(text) != RECOVERY_BYTES * 8 // 5 or set(text) - set(_ALPHABET):
        raise BadRequest(
            "this is not a recovery code",
            code="recovery-code",
            field="recovery_code",
            found=f"{len(text)} letters and digits",
            remedy="Type the eight groups of four as they stand on your sheet",
        )
    number = 0
    for letter in text:
        number = number << 5 | _ALPHABET.index(letter)
    # The code has more entropy than a key needs, so nothing has to be stretched.
    derivation = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"databox recovery v1")
    return derivation.derive(number.to_bytes(RECOVERY_BYTES))


def _read(wrapped: bytes) -> Wrapped:
    read = msgspec.json.decode(wrapped, type=Wrapped)
    if read.format > FORMAT:
        raise DataboxError(
            "this key was written by a newer version",
            code="newer-format",
            found=f"format {read.format}",
            remedy="Start the newer version of the box",
        )
    return read


def _open(name: str, wrapped: Wrapped, by: bytes) -> bytes:
    try:
        return AESGCM(by).decrypt(wrapped.nonce, wrapped.sealed, _associated(name))
    except InvalidTag as error:
        raise Unauthenticated("this does not open the key", code="wrong-key") from error


def _stretch(passphrase: str, salt: bytes, iterations: int, lanes: int, memory_kib: int) -> bytes:
    stretched = Argon2id(
        salt=salt, length=KEY_BYTES, iterations=iterations, lanes=lanes, memory_cost=memory_kib
    )
    return stretched.derive(passphrase.encode())


def _associated(name: str) -> bytes:
    return f"databox key v{FORMAT} {name}".encode()
