"""Which stretch of time a request asks for, and whether its token allows that. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from databox.kit.http.message import Request
from databox.store.readings import EARLIEST, LATEST, NOT_JSON
from databox.wire.caveats import Caveats
from databox.wire.errors import BadRequest
from databox.wire.tokens import BadToken

_LONGEST_NAME = 128
OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time, both ends inclusive, Unix ms."""

    first: int
    last: int


class _Bounds(msgspec.Struct, frozen=True):
    start: int | None = msgspec.field(default=None, name="startTimestamp")
    end: int | None = msgspec.field(default=None, name="endTimestamp")


def name(request: Request, placeholder: str, caveats: Caveats) -> str:
    """The source or key that the path names, if the token's list of sources has it.

    Raises:
        BadRequest: no usable name.
        BadToken: it is not in the list.
    """
    found = usable(request, placeholder)
    source_permitted(caveats, found)
    return found


def usable(request: Request, placeholder: str) -> str:
    """What a placeholder of the path stands for, if it can be a name.

    Raises:
        BadRequest: it cannot.
    """
    found = request.args[placeholder]
    if not found or len(found) > _LONGEST_NAME or not found.isprintable():
        raise BadRequest(
            "this is not a usable name",
            code="name-grammar",
            field=placeholder,
            found=repr(found[:40]),
            remedy=f"Use up to {_LONGEST_NAME} printable characters",
        )
    return found


def since(body: bytes, query: Mapping[str, str], caveats: Caveats) -> Stretch:
    """The stretch of a `since` request.

    A caveat on a bound that the request does not state is not satisfied: as documented in 2017.

    Raises:
        BadRequest: `startTimestamp` is missing or not a time.
        BadToken: it asks for more than the token allows.
    """
    bounds = _bounds(body, query)
    start = _required(bounds.start, "startTimestamp")
    _permit(caveats, start, None)
    return Stretch(start, LATEST)


def range_(body: bytes, query: Mapping[str, str], caveats: Caveats) -> Stretch:
    """The stretch of a `range` request.

    Raises:
        BadRequest: a bound is missing or not a time.
        BadToken: it asks for more than the token allows.
    """
    bounds = _bounds(body, query)
    start = _required(bounds.start, "startTimestamp")
    end = _required(bounds.end, "endTimestamp")
    _permit(caveats, start, end)
    return Stretch(start, end)


def visible(caveats: Caveats) -> Stretch:
    """All that a token lets see: for the latest reading and for events, which state no bounds."""
    return Stretch(
        EARLIEST if caveats.since is None else caveats.since,
        LATEST if caveats.until is None else caveats.until,
    )


def refuse_bounded(caveats: Caveats) -> None:
    """For what has neither time nor windows, such as values: a token with such caveats is no good.

    Raises:
        BadToken: it has one.
    """
    bounded = caveats.since is not None or caveats.until is not None
    if caveats.exact or caveats.narrows or bounded:
        raise BadToken("the token allows readings of a time or exactness only", code="token-caveat")


def refuse_rated(caveats: Caveats) -> None:
    """For what goes on and on: how often a client may ask would then bound nothing.

    Raises:
        BadToken: the token allows only so many requests.
    """
    if caveats.rates:
        raise BadToken("the token allows single requests only", code="token-caveat")


def refuse_guests(user: str, role: str) -> None:
    """For what a component does by its grant, and of all people only the owner may do.

    Raises:
        BadToken: somebody else is signed in.
    """
    if user and role != OWNER:
        raise BadToken("only the owner may do this", code="token-role", field="role", found=role)


def source_permitted(caveats: Caveats, source: str) -> None:
    """Check a token's list of data sources.

    Raises:
        BadToken: it has one, and `source` is not in it.
    """
    if caveats.datasources is not None and source not in caveats.datasources:
        raise BadToken("the token does not allow this source", code="token-source")


def _bounds(body: bytes, query: Mapping[str, str]) -> _Bounds:
    """From the JSON body, as clients of 2017 send it, or from the query, as browsers must."""
    if not body:
        start, end = (_number(query, name) for name in ("startTimestamp", "endTimestamp"))
        return _Bounds(start, end)
    try:
        return msgspec.json.decode(body, type=_Bounds)
    except NOT_JSON as error:
        raise BadRequest(
            "the body does not say which stretch of time",
            code="not-json",
            field="body",
            found=str(error)[:120],
            remedy='Send {"startTimestamp": milliseconds}',
        ) from error


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 16):
        raise _no_time(name, text)
    return int(text)


def _required(t: int | None, field: str) -> int:
    if t is None or not EARLIEST <= t <= LATEST:
        raise _no_time(field, "nothing" if t is None else str(t))
    return t


def _no_time(field: str, found: str) -> BadRequest:
    return BadRequest(
        "this is not a time in milliseconds",
        code="timestamp",
        field=field,
        found=found[:40],
        remedy="Give milliseconds since 1970",
    )


def _permit(caveats: Caveats, start: int, end: int | None) -> None:
    if caveats.since is not None and start < caveats.since:
        raise BadToken("the token does not reach so far back", code="token-since")
    if caveats.until is not None and (end is None or end > caveats.until):
        raise BadToken("the token ends earlier", code="token-until")
