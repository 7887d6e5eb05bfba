"""Caveats: the conditions of a token, read once into a form that is checked on every request.

A token holds if *all* its caveats do, so a second caveat of a kind narrows the first. A caveat that
is not known here is refused by name: whoever does not understand a condition cannot keep it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from databox.wire.patterns import BadPattern, Pattern, compile_pattern
from databox.wire.tokens import BadToken

MAX_LIST = 256
MAX_PATHS = 8
_CAVEAT = re.compile(r"([A-Za-z]{1,32}) (=|<|<=|>=) (.+)", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,16}")


class Duty(StrEnum):
    """Caveats about the data itself, which only the service that has the data can keep.

    The guard refuses a token with a duty that its service did not say it keeps.
    """

    SINCE = "startTimestamp"
    UNTIL = "endTimestamp"
    EXACT = "granularity"
    DATASOURCES = "datasources"
    DESTINATIONS = "destination"


EXACT_MS = {"PT1M": 60_000, "PT1H": 3_600_000}
"""Windows that `granularity >=` knows, in ms."""


@dataclass(slots=True, frozen=True, kw_only=True)
class Caveats:
    """All caveats of one token. A field that is None (or empty, for texts) puts no condition.

    `since`, `until`: Unix ms, bounds of the data, both inclusive. `expires`: Unix ms, the first
    moment at which the token no longer holds. `exact`: the shortest window that may be shown, in
    ms, 0 for raw values. `destinations`: the only URLs data may go to. `datasources`: the only
    sources that may be seen. `duties`: which of these the service itself has to keep.
    """

    target: str | None = None
    method: str | None = None
    paths: tuple[Pattern, ...] = ()
    expires: int | None = None
    since: int | None = None
    until: int | None = None
    exact: int = 0
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
    """The caveat for a choice of exactness, `raw`, `PT1M` or `PT1H`; raw needs none."""
    return () if exact == "raw" else (f"{Duty.EXACT} >= {exact}",)


def list_caveat(duty: Duty, members: Sequence[str]) -> str:
    """The caveat that allows only these members: `destination = ["https://…"]`."""
    return f"{duty} = {msgspec.json.encode(list(members)).decode()}"


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
    exact: int = 0
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
            exact=self.exact,
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
        if value not in EXACT_MS:
            raise ValueError("this window is not known")
        self.duties.add(Duty.EXACT)
        # Windows divide one another, so the longest satisfies all.
        self.exact = max(self.exact, EXACT_MS[value])

    def destination(self, value: str) -> None:
        self.duties.add(Duty.DESTINATIONS)
        self.destinations = _both(self.destinations, _members(value))

    def visible(self, value: str) -> None:
        self.duties.add(Duty.DATASOURCES)
        if not value.startswith("["):
            raise ValueError("not a list")
        self.datasources = _both(self.datasources, _members(value))


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
    if not value.startswith("["):
        return frozenset((value,))
    try:
        members = msgspec.json.decode(value, type=list[str])
    except msgspec.MsgspecError as error:
        raise ValueError("not a list of texts") from error
    if len(members) > MAX_LIST:
        raise ValueError("too long a list")
    return frozenset(members)
