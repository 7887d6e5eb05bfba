"""Heads of HTTP/1.1 messages, parsed strictly: bytes in, words out, no I/O.

Rules: lines end with CRLF; no folded lines; no white space before a colon; at most one
`Content-Length`, of digits; never both a length and a transfer coding; the only coding is
`chunked`. Whoever breaks one is refused, so two readers can never disagree on where a message
ends.

Source: RFC 9112, sections 2, 5 and 6.
"""

from typing import NamedTuple

from databox.wire.errors import BadRequest, TooLarge

MAX_HEAD = 16 * 1024
MAX_FIELDS = 100
END = b"\r\n\r\n"

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Head(NamedTuple):
    """A start line's three parts and the fields, names in lower case."""

    start: tuple[str, str, str]
    fields: dict[str, str]

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open after this message."""
        return self.fields.get("connection", "").lower() != "close"


def parse(text: bytes) -> Head:
    """Parse a head without its final empty line.

    Raises:
        BadRequest: it breaks a rule of this file.
    """
    lines = text.decode("latin-1").split("\r\n")
    start = lines[0].split(" ", 2)
    if len(start) == 2:  # a status line without a reason ends after the number
        start.append("")
    if len(start) != 3 or "HTTP/1.1" not in (start[0], start[2]):
        raise _bad("the start line", lines[0])
    if len(lines) > MAX_FIELDS:
        raise _bad("more fields than allowed", str(len(lines)))
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, value = _field(line)
        if name in fields and name in ("content-length", "transfer-encoding", "host"):
            raise _bad("a field that may stand once only", name)
        fields[name] = value
    return Head((start[0], start[1], start[2]), fields)


def body_length(head: Head, limit: int) -> int | None:
    """How many bytes follow the head; None for a chunked body.

    Raises:
        BadRequest: no single reading of the length.
        TooLarge: more than `limit` bytes.
    """
    coding = head.fields.get("transfer-encoding")
    length = head.fields.get("content-length")
    if coding is not None:
        if length is not None or coding.lower() != "chunked":
            raise _bad("the framing of the body", coding)
        return None
    if length is None:
        return 0
    return number(length, 10, limit)


def number(text: str, base: int, limit: int) -> int:
    """Read a length: plain digits, at most `limit`.

    Raises:
        BadRequest: not a number.
        TooLarge: above the limit.
    """
    digits = "0123456789abcdef"[:base]
    if not 0 < len(text) <= 16 or any(letter not in digits for letter in text.lower()):
        raise _bad("the length", text)
    value = int(text, base)
    if value > limit:
        raise TooLarge(
            "the message is too large",
            found=f"{value} bytes",
            remedy=f"At most {limit} bytes are read at once; ask for less",
        )
    return value


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or not _TOKEN.issuperset(name):
        raise _bad("a field", line)
    value = value.strip(" \t")
    if any(letter < " " and letter != "\t" for letter in value):
        raise _bad("a control character in a field", name)
    return name.lower(), value


def _bad(what: str, found: str) -> BadRequest:
    return BadRequest(f"this is not HTTP/1.1: {what}", code="http", found=repr(found[:80]))
