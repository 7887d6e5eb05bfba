"""Which bytes of an object a request asks for. Pure.

One range; a request for several is answered with the whole, as a server may.
Source: RFC 9110, sections 13 and 14.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """The bytes from `first` up to before `end`, and the status they are sent with."""

    status: int
    first: int = 0
    end: int = 0

    @property
    def length(self) -> int:
        """How many bytes these are."""
        return self.end - self.first


def asked(headers: Mapping[str, str], etag: str, size: int) -> Asked:
    """What a request's headers, names in lower case, ask of content of `size` bytes.

    200: all; 206: a range; 304: nothing, because the caller has it; 416: a range that is not there.
    """
    if _names(headers.get("if-none-match", ""), etag):
        return Asked(304)
    if headers.get("if-range", etag).strip() != etag:
        # The caller has a part of what was here before: it needs the whole of what is here now.
        return Asked(200, 0, size)
    found = _RANGE.fullmatch(headers.get("range", "").strip())
    if not found or not (found[1] or found[2]):
        return Asked(200, 0, size)
    if not found[1]:
        wanted = min(int(found[2]), size)
        if wanted:
            return Asked(206, size - wanted, size)
        # The end of nothing is all of it, but no range can say so.
        return Asked(416) if size else Asked(200)
    first, last = int(found[1]), int(found[2]) if found[2] else size - 1
    if found[2] and last < first:
        return Asked(200, 0, size)
    return Asked(206, first, min(last + 1, size)) if first < size else Asked(416)


def _names(header: str, etag: str) -> bool:
    """Whether an `If-None-Match` names this, or anything."""
    tags = [each.strip().removeprefix("W/") for each in header.split(",")]
    return "*" in tags or etag in tags
