"""Media types: what a value or an object says it is. Pure; nobody here believes or runs it."""

import re
from collections.abc import Mapping

from databox.wire.errors import BadRequest

JSON = "application/json"
ANYTHING = "application/octet-stream"
LONGEST = 200

_WORD = r"[A-Za-z0-9!#$&^_.+-]{1,64}"
_TYPE = re.compile(
    rf'{_WORD}/{_WORD}(?:[ \t]*;[ \t]*{_WORD}=(?:{_WORD}|"[ !\x23-\x5b\x5d-\x7e]{{0,100}}"))*'
)
_AS_JSON = frozenset({JSON, "application/x-www-form-urlencoded"})
"""Also what `curl --data` says of everything: clients of 2017 send JSON under that name."""

NOSNIFF = ("X-Content-Type-Options", "nosniff")
"""What is stored comes from anybody: a browser must take it for what it says it is."""


def of(headers: Mapping[str, str], default: str) -> str:
    """The media type of a request's body.

    Raises:
        BadRequest: it is not one.
    """
    said = headers.get("content-type", "").strip() or default
    if len(said) > LONGEST or not _TYPE.fullmatch(said):
        raise BadRequest(
            "this is not a media type",
            code="media-type",
            field="content-type",
            found=said[:80],
            remedy="Send one such as image/jpeg",
        )
    return said


def is_json(media_type: str) -> bool:
    """Whether it is JSON, or what has always been taken for it."""
    return essence(media_type) in _AS_JSON


def is_text(media_type: str) -> bool:
    """Whether it is text that people read."""
    return essence(media_type).startswith("text/")


def essence(media_type: str) -> str:
    """Without parameters, in lower case."""
    return media_type.partition(";")[0].strip().lower()
