r"""Tokens: macaroons, version 1, binary, in URL-safe base64, checked by HMAC-SHA256 alone.

A token is made of packets, `<four hex digits: whole length><key> <value>\n`: a location, an
identifier, caveats (`cid`), a signature. The signature is a chain of HMACs over the identifier and
each caveat in turn, so whoever holds a token may add caveats but never take one away.

Source: Birgisson et al., "Macaroons: Cookies with Contextual Caveats" (NDSS 2014), and the packet
format that macaroons.js 0.3 and pymacaroons 0.13 read and write.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from databox.wire.errors import Unauthenticated

MAX_TOKEN = 16 * 1024
"""Characters. A token of the box is about 300."""
MAX_CAVEATS = 64
SECRET_LENGTH = 43
"""Characters of a secret: the base64 length of 32 bytes, so a reader of either era can use it."""

_KEY_GENERATOR = b"macaroons-key-generator"
_TEXT = re.compile(r"[A-Za-z0-9_-]+={0,2}")
_SECRET = re.compile(r"[A-Za-z0-9]{43}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HEADER = 4
_MAX_PACKET = 0xFFFF


class BadToken(Unauthenticated):
    """The token is malformed, has a caveat nobody knows, or its signature does not hold."""

    code = "bad-token"


@dataclass(frozen=True, slots=True)
class Macaroon:
    """A token, read but not yet checked. `signature`: 32 bytes."""

    location: str
    identifier: str
    caveats: tuple[str, ...]
    signature: bytes

    def restrict(self, *caveats: str) -> "Macaroon":
        """The same token with more caveats; needs no secret, as any holder may do it."""
        signature = _chain(self.signature, caveats)
        return Macaroon(self.location, self.identifier, (*self.caveats, *caveats), signature)

    def serialize(self) -> str:
        """The token as text, without padding.

        Raises:
            BadToken: a part is too long or has a control character.
        """
        parts = [("location", self.location), ("identifier", self.identifier)]
        parts += [("cid", caveat) for caveat in self.caveats]
        packets = b"".join(_packet(key, _writable(value)) for key, value in parts)
        packets += _packet("signature", self.signature)
        text = base64.urlsafe_b64encode(packets).rstrip(b"=").decode()
        if len(text) > MAX_TOKEN or len(self.caveats) > MAX_CAVEATS:
            raise BadToken("the token would be too long", found=f"{len(text)} characters")
        return text


def mint(secret: str, *, location: str, identifier: str, caveats: Sequence[str]) -> str:
    """Make a token under `secret` (43 letters and digits) and give it as text.

    Raises:
        BadToken: a part is too long or has a control character.
    """
    signature = _chain(_hmac(_root_key(secret), identifier.encode()), caveats)
    return Macaroon(location, identifier, tuple(caveats), signature).serialize()


def parse(token: str) -> Macaroon:
    """Read a token; its signature is not checked yet.

    Raises:
        BadToken: longer than 16 KiB, not base64, a packet that does not fit, parts missing or out
            of order, a third party's caveat, more than 64 caveats.
    """
    if len(token) > MAX_TOKEN:
        raise BadToken("the token is too long", found=f"{len(token)} characters")
    packets = _packets(_decode(token))
    if len(packets) < 3 or len(packets) - 3 > MAX_CAVEATS:
        raise BadToken("the token has too few or too many parts", found=f"{len(packets)} parts")
    keys = [key for key, _ in packets]
    expected = [b"location", b"identifier", *[b"cid"] * (len(packets) - 3), b"signature"]
    if keys != expected or len(packets[-1][1]) != 32:
        raise BadToken("the token's parts are not those of a first-party token")
    location, identifier, *caveats = (_readable(value) for _, value in packets[:-1])
    return Macaroon(location, identifier, tuple(caveats), packets[-1][1])


def verify(macaroon: Macaroon, secret: str) -> None:
    """Check that the token was minted under `secret` and that no caveat was removed or changed.

    Raises:
        BadToken: it was not.
    """
    start = _hmac(_root_key(secret), macaroon.identifier.encode())
    if not hmac.compare_digest(_chain(start, macaroon.caveats), macaroon.signature):
        raise BadToken("the token's signature does not hold")


def is_secret(text: str) -> bool:
    """Whether `text` has the form of a secret."""
    return _SECRET.fullmatch(text) is not None


def _root_key(secret: str) -> bytes:
    return _hmac(_KEY_GENERATOR, secret.encode())


def _chain(signature: bytes, caveats: Sequence[str]) -> bytes:
    for caveat in caveats:
        signature = _hmac(signature, caveat.encode())
    return signature


def _hmac(key: bytes, message: bytes) -> bytes:
    # The string "sha256" takes OpenSSL's one-call path; a constructor is five times slower.
    return hmac.digest(key, message, "sha256")


def _packet(key: str, value: bytes) -> bytes:
    length = _HEADER + len(key) + 1 + len(value) + 1
    if length > _MAX_PACKET:
        raise BadToken("a part of the token is too long", field=key, found=f"{length} bytes")
    return b"%04x%s %s\n" % (length, key.encode(), value)


def _writable(value: str) -> bytes:
    if _CONTROL.search(value):
        raise BadToken("a part of the token has a control character", found=ascii(value[:80]))
    return value.encode()


def _readable(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise BadToken("a part of the token is not UTF-8") from error
    # A line break would let one caveat look like two to whoever prints a token.
    if _CONTROL.search(text):
        raise BadToken("a part of the token has a control character")
    return text


def _decode(token: str) -> bytes:
    # b64decode skips characters it does not know, which would give one token many texts.
    if not _TEXT.fullmatch(token):
        raise BadToken("the token is not URL-safe base64")
    bare = token.rstrip("=")
    try:
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error as error:
        raise BadToken("the token is cut off") from error


def _packets(raw: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    start = 0
    while start < len(raw):
        end = start + _length(raw[start : start + _HEADER])
        key, space, value = raw[start + _HEADER : end].partition(b" ")
        if end > len(raw) or not space or not value.endswith(b"\n"):
            raise BadToken("the token is cut off, or a packet is malformed")
        found.append((key, value[:-1]))
        start = end
    return found


def _length(header: bytes) -> int:
    # `int(text, 16)` would also take signs, blanks and underscores.
    try:
        length = int.from_bytes(binascii.unhexlify(header))
    except binascii.Error as error:
        raise BadToken("a packet's length is malformed") from error
    if len(header) != _HEADER or length <= _HEADER:
        raise BadToken("a packet's length is malformed")
    return length
