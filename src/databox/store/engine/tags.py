"""Tags, which tell the series of one source apart, and the one text that stands for them. Pure."""

import re
from collections.abc import Mapping

import msgspec

from databox.wire.errors import BadRequest

MOST = 16
LONGEST_VALUE = 128
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


def canonical(tags: Mapping[str, str]) -> str:
    """The text for these tags: a JSON object with its names in order, or nothing for none.

    Raises:
        BadRequest: there are too many, or a name or value is not usable.
    """
    if len(tags) > MOST:
        raise _unusable(f"{len(tags)} tags", f"Use at most {MOST}")
    for name, value in tags.items():
        if not _NAME.fullmatch(name):
            raise _unusable(repr(name[:50]), "Begin a tag's name with a-z; go on with a-z0-9_-")
        if not value or len(value) > LONGEST_VALUE or not value.isprintable():
            remedy = f"Give a tag up to {LONGEST_VALUE} printable characters"
            raise _unusable(f"{name}={value[:50]!r}", remedy)
    return msgspec.json.encode(dict(sorted(tags.items()))).decode() if tags else ""


def parse(text: str) -> dict[str, str]:
    """The tags that a canonical text stands for."""
    return msgspec.json.decode(text, type=dict[str, str]) if text else {}


def _unusable(found: str, remedy: str) -> BadRequest:
    return BadRequest(
        "these are not usable tags", code="tags", field="tags", found=found, remedy=remedy
    )
