"""What a request of the richer interface asks for, read from its query. Pure.

A bound that is stated is held against the token; one that is left out is all that the token lets
see. A parameter that nobody knows is refused: left alone, a misspelt bound would answer with more
than was asked for.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from databox.store.asked import Stretch
from databox.store.engine.points import Position
from databox.store.readings import EARLIEST, LATEST
from databox.wire.caveats import Caveats
from databox.wire.errors import BadRequest
from databox.wire.tokens import BadToken

MOST_POINTS = 1_000_000_000
MOST_FIELDS = 64
MOST_KEYS = 1_000
MOST_PERCENTILES = 8
SHORTEST, LONGEST = 1_000, 366 * 86_400_000
"""Windows, ms."""

_TAG = "tag."
_TIME = re.compile(r"-?[0-9]{1,16}", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,10}", re.ASCII)
_CURSOR = re.compile(r"([on])(-?[0-9]{1,16})\.([0-9]{1,12})", re.ASCII)
_DURATION = re.compile(
    r"P(?:([0-9]{1,4})D)?(?:T(?=[0-9])(?:([0-9]{1,5})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,8})S)?)?",
    re.ASCII,
)
_UNITS = (86_400_000, 3_600_000, 60_000, 1_000)
_PERCENTILE = re.compile(r"p([0-9]{1,2}(?:\.[0-9]{1,3})?)", re.ASCII)
PLAIN = frozenset({"count", "sum", "min", "max", "mean"})
_NUMBERS = PLAIN | {"sd", "median"}


@dataclass(frozen=True, slots=True)
class Points:
    """Which points of a source, in which order.

    `tags`: what a series must have. `fields`: the members to show of each document, None for all.
    `after`: where an earlier answer ended.
    """

    stretch: Stretch
    tags: Mapping[str, str]
    fields: tuple[str, ...] | None
    limit: int | None
    newest_first: bool
    after: Position | None


@dataclass(frozen=True, slots=True)
class Windows:
    """Which windows of a source. `every`: their length, ms; `of`: what to tell of each, in order.

    `by_series`: each series by itself.
    """

    stretch: Stretch
    tags: Mapping[str, str]
    every: int
    of: tuple[str, ...]
    fields: tuple[str, ...] | None
    by_series: bool

    @property
    def percentiles(self) -> tuple[float, ...]:
        """The percentiles that are needed, 0 to 100."""
        return tuple(rank for rank in map(percentile, self.of) if rank is not None)


@dataclass(frozen=True, slots=True)
class Keys:
    """Which keys: those that begin with `prefix`, behind `after`, at most `limit`."""

    prefix: str
    after: str
    limit: int


def points(query: Mapping[str, str], caveats: Caveats) -> Points:
    """The question of `points`.

    Raises:
        BadRequest: a parameter is not known or not well formed.
        BadToken: it asks for more than the token allows.
    """
    known(query, ("from", "to", "limit", "order", "cursor", "fields"))
    newest_first = _choice(query, "order", ("oldest", "newest")) == "newest"
    return Points(
        stretch(query, caveats),
        tags(query),
        fields(query),
        _limit(query),
        newest_first,
        _after(query, newest_first),
    )


def windows(query: Mapping[str, str], caveats: Caveats) -> Windows:
    """The question of `windows`.

    Raises:
        BadRequest: a parameter is not known or not well formed.
        BadToken: it asks for more than the token allows.
    """
    known(query, ("from", "to", "every", "of", "field", "by"))
    return Windows(
        stretch(query, caveats),
        tags(query),
        _every(query, caveats),
        _of(query, caveats),
        fields(query, "field"),
        _choice(query, "by", ("all", "series")) == "series",
    )


def keys(query: Mapping[str, str]) -> Keys:
    """The question of the list of keys.

    Raises:
        BadRequest: a parameter is not known or not well formed.
    """
    known(query, ("prefix", "after", "limit"))
    limit = _limit(query)
    return Keys(query.get("prefix", ""), query.get("after", ""), min(limit or MOST_KEYS, MOST_KEYS))


def prefix(query: Mapping[str, str]) -> str:
    """The `prefix` of the count of keys.

    Raises:
        BadRequest: another parameter is there.
    """
    known(query, ("prefix",))
    return query.get("prefix", "")


def moment(query: Mapping[str, str], caveats: Caveats) -> int:
    """The `t` of a question about one moment.

    Raises:
        BadRequest: it is missing, or no time; another parameter is not known.
        BadToken: the token does not reach there.
    """
    known(query, ("t",))
    t = _time(query, "t")
    if t is None:
        raise _bad("t", "nothing", "Give the moment in milliseconds since 1970")
    return _permitted(Stretch(t, t), caveats, t, t).first


def stretch_alone(query: Mapping[str, str], caveats: Caveats) -> Stretch:
    """The stretch of a question that has nothing else but tags.

    Raises:
        BadRequest: a parameter is not known or not well formed.
        BadToken: it asks for more than the token allows.
    """
    known(query, ("from", "to"))
    return stretch(query, caveats)


def nothing_else(query: Mapping[str, str]) -> None:
    """Check that there is nothing in a query but tags.

    Raises:
        BadRequest: there is.
    """
    known(query, ())


def stretch(query: Mapping[str, str], caveats: Caveats) -> Stretch:
    """From `from` to `to`, both inclusive; what is left out is all that the token lets see.

    Raises:
        BadRequest: a bound is no time, or the end lies before the start.
        BadToken: a bound lies outside of what the token allows.
    """
    first, last = _time(query, "from"), _time(query, "to")
    if first is not None and last is not None and first > last:
        raise _bad("to", str(last), "Give an end that is not before the start")
    seen = Stretch(
        EARLIEST if caveats.since is None else caveats.since,
        LATEST if caveats.until is None else caveats.until,
    )
    return _permitted(seen, caveats, first, last)


def tags(query: Mapping[str, str]) -> dict[str, str]:
    """What a series must have: each `tag.NAME=VALUE`."""
    return {name.removeprefix(_TAG): value for name, value in query.items() if _is_tag(name)}


def fields(query: Mapping[str, str], name: str = "fields") -> tuple[str, ...] | None:
    """The members of documents that are asked for, None for all.

    Raises:
        BadRequest: too many, or none.
    """
    text = query.get(name)
    if text is None:
        return None
    found = tuple(dict.fromkeys(text.split(",")))
    if len(found) > MOST_FIELDS or "" in found:
        raise _bad(name, text, f"Name 1 to {MOST_FIELDS} members, separated by commas")
    return found


def percentile(name: str) -> float | None:
    """The rank that `median` or `p95` stands for, 0 to 100; None for what is no percentile."""
    if name == "median":
        return 50.0
    found = _PERCENTILE.fullmatch(name)
    return float(found[1]) if found else None


def duration(text: str) -> int | None:
    """The length, ms, of an ISO 8601 duration in days, hours, minutes and seconds."""
    found = _DURATION.fullmatch(text)
    if not found or not any(found.groups()):
        return None
    return sum(int(n or 0) * unit for n, unit in zip(found.groups(), _UNITS, strict=True))


def cursor(at: Position, *, newest_first: bool) -> str:
    """The text by which the next question goes on after a point."""
    return f"{'n' if newest_first else 'o'}{at.t}.{at.series}"


def _permitted(seen: Stretch, caveats: Caveats, first: int | None, last: int | None) -> Stretch:
    if first is not None and caveats.since is not None and first < caveats.since:
        raise BadToken(
            "the token does not reach so far back",
            code="token-since",
            field="from",
            found=str(first),
            remedy=f"Ask from {caveats.since} on",
        )
    if last is not None and caveats.until is not None and last > caveats.until:
        raise BadToken(
            "the token ends earlier",
            code="token-until",
            field="to",
            found=str(last),
            remedy=f"Ask up to {caveats.until}",
        )
    return Stretch(seen.first if first is None else first, seen.last if last is None else last)


def known(query: Mapping[str, str], names: Collection[str]) -> None:
    """Check that a query has nothing but these parameters and tags.

    Raises:
        BadRequest: it has another.
    """
    for name in query:
        if name not in names and not _is_tag(name):
            listed = ", ".join((*names, f"{_TAG}NAME"))
            raise BadRequest(
                "this parameter is not known here",
                code="unknown-parameter",
                field=name[:40],
                found=query[name][:40],
                remedy=f"Known are {listed}",
            )


def _is_tag(name: str) -> bool:
    return name.startswith(_TAG) and len(name) > len(_TAG)


def _choice(query: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    text = query.get(name, choices[0])
    if text not in choices:
        raise _bad(name, text, f"Choose one of {', '.join(choices)}")
    return text


def _time(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not _TIME.fullmatch(text) or not EARLIEST <= int(text) <= LATEST:
        raise _bad(name, text, "Give a time in milliseconds since 1970")
    return int(text)


def _limit(query: Mapping[str, str]) -> int | None:
    text = query.get("limit")
    if text is None:
        return None
    if not _COUNT.fullmatch(text) or not 1 <= int(text) <= MOST_POINTS:
        raise _bad("limit", text, f"Give a whole number from 1 to {MOST_POINTS}")
    return int(text)


def _after(query: Mapping[str, str], newest_first: bool) -> Position | None:
    text = query.get("cursor")
    if text is None:
        return None
    found = _CURSOR.fullmatch(text)
    if not found or (found[1] == "n") != newest_first:
        raise _bad("cursor", text, "Give `next` of an answer in the same order, unchanged")
    return Position(int(found[2]), int(found[3]))


def _every(query: Mapping[str, str], caveats: Caveats) -> int:
    text = query.get("every")
    if text is None and caveats.exact:
        return caveats.exact
    length = duration(text) if text else None
    if length is None or not SHORTEST <= length <= LONGEST:
        raise _bad("every", text or "nothing", "Give the windows' length, such as PT1H or P1D")
    if caveats.exact and length % caveats.exact:
        raise BadToken(
            "the token shows whole windows of its own length only",
            code="token-caveat",
            field="every",
            found=text,
            remedy=f"Ask for a multiple of {caveats.exact // 1000} seconds",
        )
    return length


def _of(query: Mapping[str, str], caveats: Caveats) -> tuple[str, ...]:
    text = query.get("of", "min,max,mean,count")
    found = tuple(dict.fromkeys(text.split(",")))
    wrong = [name for name in found if name not in _NUMBERS and percentile(name) is None]
    ranks = [name for name in found if percentile(name) is not None]
    if wrong or len(ranks) > MOST_PERCENTILES:
        raise _bad(
            "of",
            wrong[0] if wrong else f"{len(ranks)} percentiles",
            f"Name some of {', '.join(sorted(_NUMBERS))} and up to {MOST_PERCENTILES} such as p95",
        )
    hidden = [name for name in found if name not in PLAIN]
    if caveats.exact and hidden:
        raise BadToken(
            "the token shows minimum, maximum, mean, count and sum of a window only",
            code="token-caveat",
            field="of",
            found=hidden[0],
            remedy="Leave it out",
        )
    return found


def _bad(field: str, found: str, remedy: str) -> BadRequest:
    return BadRequest(
        "this parameter is not well formed",
        code="parameter",
        field=field,
        found=found[:40],
        remedy=remedy,
    )
