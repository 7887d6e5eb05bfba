"""Where data may go: an address is read in one way, by all who check it and who send to it."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from databox.wire.errors import BadRequest

MAX_URL = 2000
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
_TARGET = re.compile(r"/[\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]*")


@dataclass(frozen=True, slots=True)
class Destination:
    """An address in parts; `target`: path and query as they will be sent."""

    url: str
    host: str
    port: int
    target: str

    @property
    def place(self) -> str:
        """`host:port`, as the switchboard knows it."""
        return f"{self.host}:{self.port}"


def parse(url: str, *, field: str = "uri") -> Destination:
    """Read an address in the one form that all who look at it read the same way.

    `field`: where it stood, for the refusal.

    Raises:
        BadRequest: not https, a user, a fragment, a backslash, white space, a raw address, a name
            that is not plain after IDNA, or too long.
    """
    if len(url) > MAX_URL or any(c in url for c in "\\#@") or any(c <= " " for c in url):
        raise _refused(url, field)
    try:
        parts = urlsplit(url)
        port = 443 if parts.port is None else parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii").lower()
    except (ValueError, UnicodeError) as error:
        raise _refused(url, field) from error
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    plain = _HOST.fullmatch(host) and not host.rsplit(".", 1)[-1].isdigit()
    if parts.scheme != "https" or not (plain and port) or not _TARGET.fullmatch(target):
        raise _refused(url, field)
    return Destination(url, host, port, target)


def _refused(url: str, field: str) -> BadRequest:
    return BadRequest(
        "data cannot be sent to this address",
        code="destination",
        field=field,
        found=repr(url[:100]),
        remedy="Use https, a host name, and no user, fragment or backslash",
    )
