"""Caveats: the conditions of a token, read once into a form that is checked on every request.

A token holds if *all* its caveats do, so a second caveat of a kind narrows the first. A caveat that
is not known here is refused by name: whoever does not understand a condition cannot keep it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from databox.wire.exactness import DISTANCES_M, RAW, WINDOWS_MS
from databox.wire.patterns import BadPattern, Pattern, compile_pattern
from databox.wire.tokens import BadToken

MAX_LIST = 256
MAX_PATHS = 8
MAX_FIELDS = 64
MAX_DEPTH = 8
"""Steps of a member's path."""
MAX_RATE = 1_000_000
FARTHEST = 1_000_000
"""Metres; a coarser place would say nothing."""
_CAVEAT = re.compile(r"([A-Za-z]{1,32}) (=|<|<=|>=) (.+)", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,16}")
_DISTANCE = re.compile(r"([1-9][0-9]{0,6}) (m|km)")
_RATE = re.compile(r"([1-9][0-9]{0,6})/([A-Z0-9]{1,8})")


class Duty(StrEnum):
    """Caveats about the data itself, which only the service that has the data can keep.

    The guard refuses a token with a duty that its service did not say it keeps.
    """

    SINCE = "startTimestamp"
    UNTIL = "endTimestamp"
    EXACT = "granularity"
    PRECISION = "precision"
    FIELDS = "fields"
    RATE = "rate"
    DATASOURCES = "datasources"
    DESTINATIONS = "destination"


RATE_MS = {"PT1S": 1_000} | WINDOWS_MS
"""Windows that `rate <=` counts in, in ms; they begin at multiples of their length since 1970."""

SOME_FIELDS = "some fields"
"""How exact, where only some members of documents are seen: which ones stands in the caveat."""

_NAMES = {length: name for name, length in WINDOWS_MS.items()}

Path = tuple[str, ...]
"""A member of a document: its name, or the names on the way to it."""


@dataclass(slots=True, frozen=True, order=True)
class Rate:
    """At most `most` requests in each window of `window` ms."""

    window: int
    most: int


@dataclass(slots=True, frozen=True, kw_only=True)
class Caveats:
    """All caveats of one token. A field that is None (or empty, for texts) puts no condition.

    `since`, `until`: Unix ms, bounds of the data, both inclusive. `expires`: Unix ms, the first
    moment at which the token no longer holds. `base`: the windows, in ms, that are made of the
    values themselves, 0 for raw values; `exact`: the shortest that may be shown, each made of
    windows of `base`. `precision`: metres that places are coarsened to, 0 for not at all. `fields`:
    the only members of documents that may be seen, sorted, none within another. `rates`: at most
    one for each length of window. `destinations`: the only URLs data may go to. `datasources`: the
    only sources that may be seen. `duties`: which of these the service itself has to keep.
    """

    target: str | None = None
    method: str | None = None
    paths: tuple[Pattern, ...] = ()
    expires: int | None = None
    since: int | None = None
    until: int | None = None
    base: int = 0
    exact: int = 0
    precision: int = 0
    fields: tuple[Path, ...] | None = None
    rates: tuple[Rate, ...] = ()
    destinations: frozenset[str] | None = None
    datasources: frozenset[str] | None = None
    user: str = ""
    role: str = ""
    never: bool = False
    """Two caveats contradict each other, so no request can satisfy the token."""
    duties: frozenset[Duty] = frozenset()

    def permits_path(self, path: str) -> bool:
        """Whether every path caveat fits."""
        return all(pattern.matches(path) for pattern in self.paths)

    def permits_time(self, now: int) -> bool:
        """Whether the token still holds at `now`, Unix ms."""
        return self.expires is None or now < self.expires

    @property
    def narrows(self) -> bool:
        """Whether data are changed before they leave, reading by reading."""
        return self.precision > 0 or self.fields is not None

    @property
    def exactness(self) -> str:
        """How exact, in the words of `wire.exactness`; several parts are separated by `, `."""
        if not (self.exact or self.narrows):
            return RAW
        parts = (
            _NAMES.get(self.exact, ""),
            distance(self.precision) if self.precision else "",
            SOME_FIELDS if self.fields is not None else "",
        )
        return ", ".join(part for part in parts if part)


def compile_caveats(texts: Sequence[str]) -> Caveats:
    """Read the caveats of a token.

    Raises:
        BadToken: a caveat that is not known, or one that is malformed; `found` names it.
    """
    draft = _Draft()
    for text in texts:
        found = _CAVEAT.fullmatch(text)
        key = (found[1], found[2]) if found else None
        read = _READERS.get(key) if key else None
        if not found or not read:
            raise BadToken("the token has a caveat that is not known", found=text[:120])
        try:
            read(draft, found[3])
        except (ValueError, BadPattern) as error:
            raise BadToken("the token has a malformed caveat", found=text[:120]) from error
    return draft.finish()


def exact_caveat(exact: str) -> tuple[str, ...]:
    """The caveat for a choice of how exact; `raw` needs none."""
    if exact == RAW:
        return ()
    return (f"{Duty.PRECISION if exact in DISTANCES_M else Duty.EXACT} >= {exact}",)


def distance(metres: int) -> str:
    """A distance as a caveat has it: `100 m`, `1 km`."""
    return f"{metres} m" if metres % 1000 else f"{metres // 1000} km"


def list_caveat(duty: Duty, members: Sequence[str]) -> str:
    """The caveat that allows only these members: `destination = ["https://…"]`."""
    return f"{duty} = {msgspec.json.encode(list(members)).decode()}"


def names_member(text: str) -> bool:
    """Whether a text can stand in a `fields` caveat: names of members, with dots between."""
    try:
        _path(text)
    except ValueError:
        return False
    return text.isprintable()


@dataclass(slots=True)
class _Draft:
    targets: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    roles: set[str] = field(default_factory=set)
    paths: list[Pattern] = field(default_factory=list)
    expires: int | None = None
    since: int | None = None
    until: int | None = None
    base: int = 0
    exact: int = 0
    precision: int = 0
    fields: frozenset[Path] | None = None
    rates: dict[int, int] = field(default_factory=dict)
    destinations: frozenset[str] | None = None
    datasources: frozenset[str] | None = None
    duties: set[Duty] = field(default_factory=set)

    def finish(self) -> Caveats:
        unique = (self.targets, self.methods, self.users, self.roles)
        return Caveats(
            target=_only(self.targets),
            method=_only(self.methods),
            paths=tuple(self.paths),
            expires=self.expires,
            since=self.since,
            until=self.until,
            base=self.base,
            exact=self.exact,
            precision=self.precision,
            fields=None if self.fields is None else tuple(sorted(self.fields)),
            rates=tuple(Rate(window, most) for window, most in sorted(self.rates.items())),
            destinations=self.destinations,
            datasources=self.datasources,
            user=_only(self.users) or "",
            role=_only(self.roles) or "",
            never=any(len(values) > 1 for values in unique),
            duties=frozenset(self.duties),
        )

    def target(self, value: str) -> None:
        self.targets.add(value)

    def method(self, value: str) -> None:
        self.methods.add(value)

    def user(self, value: str) -> None:
        self.users.add(value)

    def role(self, value: str) -> None:
        self.roles.add(value)

    def path(self, value: str) -> None:
        if len(self.paths) >= MAX_PATHS:
            raise ValueError("too many path caveats")
        self.paths.append(compile_pattern(value))

    def time_below(self, value: str) -> None:
        self.expires = _lower(self.expires, _number(value))

    def start_from(self, value: str) -> None:
        self.duties.add(Duty.SINCE)
        self.since = max(self.since or 0, _number(value))

    def end_at(self, value: str) -> None:
        self.duties.add(Duty.UNTIL)
        self.until = _lower(self.until, _number(value))

    def coarser(self, value: str) -> None:
        self.duties.add(Duty.EXACT)
        length = WINDOWS_MS.get(value)
        if length is None:
            raise ValueError("this window is not known")
        # The first is the grant's own. A later one must be made of what the first leaves: made of
        # the values, it would count those that a window of the first hides for being too few.
        self.base = self.base or length
        # Windows divide one another, so the longest satisfies all.
        self.exact = max(self.exact, length)

    def rounder(self, value: str) -> None:
        found = _DISTANCE.fullmatch(value)
        metres = int(found[1]) * (1000 if found[2] == "km" else 1) if found else 0
        if not 0 < metres <= FARTHEST:
            raise ValueError("this is no distance")
        self.duties.add(Duty.PRECISION)
        # The cells of a longer distance are made of those of a shorter one.
        self.precision = max(self.precision, metres)

    def members(self, value: str) -> None:
        self.duties.add(Duty.FIELDS)
        asked = _outermost(frozenset(map(_path, _list(value, MAX_FIELDS))))
        if self.fields is None:
            self.fields = asked
            return
        # What both lists have: of two paths, one of which leads to the other, the longer.
        pairs = ((one, other) for one in self.fields for other in asked)
        self.fields = frozenset(
            max(one, other, key=len)
            for one, other in pairs
            if one[: len(other)] == other[: len(one)]
        )
        if len(self.fields) > MAX_LIST:
            raise ValueError("too many members")

    def slower(self, value: str) -> None:
        found = _RATE.fullmatch(value)
        window = RATE_MS.get(found[2]) if found else None
        if not found or window is None or int(found[1]) > MAX_RATE:
            raise ValueError("this is no rate")
        self.duties.add(Duty.RATE)
        self.rates[window] = _lower(self.rates.get(window), int(found[1]))

    def destination(self, value: str) -> None:
        self.duties.add(Duty.DESTINATIONS)
        self.destinations = _both(self.destinations, _members(value))

    def visible(self, value: str) -> None:
        self.duties.add(Duty.DATASOURCES)
        self.datasources = _both(self.datasources, frozenset(_list(value, MAX_LIST)))


_READERS: dict[tuple[str, str], Callable[[_Draft, str], None]] = {
    ("target", "="): _Draft.target,
    ("method", "="): _Draft.method,
    ("path", "="): _Draft.path,
    ("user", "="): _Draft.user,
    ("role", "="): _Draft.role,
    ("time", "<"): _Draft.time_below,
    ("startTimestamp", ">="): _Draft.start_from,
    ("endTimestamp", "<="): _Draft.end_at,
    ("granularity", ">="): _Draft.coarser,
    ("precision", ">="): _Draft.rounder,
    ("fields", "="): _Draft.members,
    ("rate", "<="): _Draft.slower,
    ("destination", "="): _Draft.destination,
    ("datasources", "="): _Draft.visible,
}


def _only(values: set[str]) -> str | None:
    # min, so that a contradiction (then `never` is set) reads the same each time.
    return min(values, default=None)


def _number(value: str) -> int:
    if not _NUMBER.fullmatch(value):
        raise ValueError("not a number")
    return int(value)


def _lower(known: int | None, new: int) -> int:
    return new if known is None else min(known, new)


def _both(known: frozenset[str] | None, new: frozenset[str]) -> frozenset[str]:
    return new if known is None else known & new


def _members(value: str) -> frozenset[str]:
    """A JSON list of texts, or one bare text."""
    return frozenset(_list(value, MAX_LIST) if value.startswith("[") else (value,))


def _list(value: str, longest: int) -> list[str]:
    try:
        members = msgspec.json.decode(value, type=list[str])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("not a list of texts") from error
    if len(members) > longest:
        raise ValueError("too long a list")
    return members


def _path(text: str) -> Path:
    steps = tuple(text.split("."))
    if not all(steps) or len(steps) > MAX_DEPTH:
        raise ValueError("this names no member")
    return steps


def _outermost(paths: frozenset[Path]) -> frozenset[Path]:
    """Without the paths that lead into a member which is there as a whole."""
    return frozenset(
        path for path in paths if not any(path[:end] in paths for end in range(1, len(path)))
    )
