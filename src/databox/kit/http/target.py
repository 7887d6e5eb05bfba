"""Request targets: from the bytes on the wire to a path that means one thing only."""

import re
from urllib.parse import unquote_to_bytes

from databox.wire.errors import BadRequest

MAX_PARAMETERS = 64
_ESCAPE_FAULT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SLASH = re.compile(rb"%2[fF]")
_REFUSED = re.compile(r"[\x00-\x1f\x7f]")


def split_target(raw: bytes) -> tuple[str, str]:
    """Give (path, query) of a request target; the path decoded, the query as it came.

    An encoded slash stays encoded: a check that looks at the path and a route that splits it then
    see the same parts. An absolute URL as target is refused: with it, host and target can disagree.

    Raises:
        BadRequest: Not a path, or one that two readers could understand differently.
    """
    path, _, query = raw.decode("ascii").partition("?")
    if not path.startswith("/"):
        raise _fault("The request target is not a path", raw, "Send the path, starting with /.")
    if b"#" in raw:
        raise _fault("The request target has a fragment", raw, "Leave out # and what follows it.")
    return (_decoded(path.encode()) if "%" in path else path), query


def parameters(query: str) -> dict[str, str]:
    """The parameters of a query or of a form body, each at most once.

    Raises:
        BadRequest: A name came twice, there are too many, or an escape is malformed.
    """
    found: dict[str, str] = {}
    parts = [part for part in query.split("&") if part]
    if len(parts) > MAX_PARAMETERS:
        raise BadRequest(f"There are more than {MAX_PARAMETERS} parameters", field="query")
    for part in parts:
        name, _, value = (_text(each.replace("+", " ").encode()) for each in _pair(part))
        if name in found:
            raise BadRequest("A parameter came twice", field="query", found=name)
        found[name] = value
    return found


def _pair(part: str) -> tuple[str, str, str]:
    return part.partition("=")


def _decoded(path: bytes) -> str:
    text = _text(_SLASH.sub(b"%252F", path))
    if _REFUSED.search(text):
        raise _fault("The path has a control character", path, "Leave it out.")
    return text


def _text(raw: bytes) -> str:
    if _ESCAPE_FAULT.search(raw):
        raise _fault("An escape is malformed", raw, "Write % as %25.")
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise _fault("The text is not UTF-8", raw, "Encode it as UTF-8.") from error


def _fault(message: str, found: bytes, remedy: str) -> BadRequest:
    return BadRequest(message, field="target", found=ascii(found[:200])[2:-1], remedy=remedy)
