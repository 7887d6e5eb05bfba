"""Bodies of 2017: JSON, or extended form encoding such as `route[target]=x&caveats[0]=y`. Pure."""

import re
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from databox.wire.errors import BadRequest

MAX_FIELDS = 256
MAX_DEPTH = 4
_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")

Fields = dict[str, Any]


def read(content_type: str, body: bytes) -> Fields:
    """The fields of a body; none if it is empty, not an object, or of another type.

    Raises:
        BadRequest: it is of a known type and malformed, or a form too large or too deep.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" and body:
        return _json(body)
    if kind == "application/x-www-form-urlencoded":
        return extended(body)
    return {}


def extended(body: bytes) -> Fields:
    """Read extended form encoding. Every value is a text; a repeated name makes a list.

    Raises:
        BadRequest: too many fields, too deep, a malformed name, or a name that is both a value
            and an object.
    """
    pairs = [pair for pair in body.split(b"&") if pair]
    if len(pairs) > MAX_FIELDS:
        raise BadRequest("the form has too many fields", found=str(len(pairs)))
    fields: Fields = {}
    for pair in pairs:
        name, _, value = pair.partition(b"=")
        _put(fields, _path(_text(name)), _text(value))
    return {name: _lists(value) for name, value in fields.items()}


def _json(body: bytes) -> Fields:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest("the body is not JSON") from error
    return value if isinstance(value, dict) else {}


def _text(raw: bytes) -> str:
    try:
        return unquote_plus(raw.decode("ascii"), errors="strict")
    except UnicodeDecodeError as error:
        raise BadRequest("the form is not UTF-8") from error


def _path(name: str) -> list[str]:
    """`route[target]` as `["route", "target"]`."""
    found = _KEY.fullmatch(name)
    if not found:
        raise BadRequest("a name in the form is malformed", found=name[:80])
    path = [found[1], *_PART.findall(found[2])]
    if len(path) > MAX_DEPTH:
        raise BadRequest("a name in the form is too deep", found=name[:80])
    return path


def _put(fields: Fields, path: list[str], value: str) -> None:
    *parents, last = path
    for part in parents:
        fields = fields.setdefault(part or str(len(fields)), {})
        if not isinstance(fields, dict):
            raise BadRequest("a name in the form is both a value and an object", found=part[:80])
    last = last or str(len(fields))
    known = fields.get(last)
    match known:
        case None:
            fields[last] = value
        case str():
            fields[last] = [known, value]
        case list():
            known.append(value)
        case _:
            raise BadRequest("a name in the form is both a value and an object", found=last[:80])


def _lists(value: Any) -> Any:
    """Turn objects whose names are all numbers into lists, in the order of the numbers."""
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(each) for name, each in value.items()}
    if inner and all(name.isascii() and name.isdecimal() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
