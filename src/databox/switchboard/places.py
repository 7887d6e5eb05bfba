"""Outside places, `host:port`: one grammar, no addresses, no wildcards. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from databox.wire.errors import BadRequest

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})+")
_PLACE = re.compile(r"([a-z0-9.-]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Place:
    """A host name, in lower case, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse(text: str) -> Place:
    """Read `host:port`, or an `https` origin such as a manifest names.

    Raises:
        BadRequest: an address in place of a name, a wildcard, clear text, or not well formed.
    """
    if "://" in text:
        parts = urlsplit(text)
        if parts.scheme != "https" or parts.username or parts.query or parts.fragment:
            raise _refused(text)
        text = f"{(parts.hostname or '').lower()}:{parts.port or 443}"
    match = _PLACE.fullmatch(text)
    if match is None or not _HOST.fullmatch(match[1]) or match[1].split(".")[-1].isdigit():
        raise _refused(text)
    port = int(match[2])
    if not 0 < port < 65536:
        raise _refused(text)
    return Place(match[1], port)


def _refused(text: str) -> BadRequest:
    return BadRequest(
        "this is not a place outside that can be reached",
        code="place",
        found=repr(text[:100]),
        remedy="Name a host and a port, such as api.example:443; no address and no wildcard",
    )
