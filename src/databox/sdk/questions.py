"""What is asked of many points, and how it is put into a request. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from databox.sdk.readings import EXACTNESS
from databox.wire.errors import BadRequest
from databox.wire.exactness import WINDOWS_MS

EARLIEST, LATEST = -62_135_596_800_000, 253_402_300_799_999
"""The times that a store keeps, Unix ms."""
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
_DURATION = re.compile(
    r"P(?:([0-9]{1,4})D)?(?:T(?=[0-9])(?:([0-9]{1,5})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,8})S)?)?"
)
_UNITS = (86_400_000, 3_600_000, 60_000, 1000)

Time = int | datetime
"""Unix ms, or a `datetime`."""


class Question(NamedTuple):
    """Which points. `since`, `until`: Unix ms, both included, None for all that may be seen."""

    since: int | None = None
    until: int | None = None
    limit: int | None = None
    newest_first: bool = False
    fields: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


class WindowQuestion(NamedTuple):
    """Which windows. `every`: their length, ms; `of`: what to tell of each."""

    every: int
    of: tuple[str, ...]
    since: int | None
    until: int | None
    fields: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]


class Window(NamedTuple):
    """What the points of one window come to.

    `t`: its start; `field`: the member of documents, empty for bare numbers; `values`: by the
    names that were asked for. `approximate`: percentiles are right to one percent only.
    """

    t: int
    field: str
    values: Mapping[str, float]
    approximate: bool = False


# Each says one thing of the question.
def points(  # noqa: PLR0913 - what a question has
    *,
    since: Time | None,
    until: Time | None,
    limit: int | None,
    newest_first: bool,
    fields: Sequence[str] | None,
    tags: Mapping[str, str] | None,
) -> Question:
    """The question of `source.points`."""
    if limit is not None and limit < 1:
        raise BadRequest("a limit is above zero", field="limit", found=str(limit))
    return Question(
        ms(since), ms(until), limit, newest_first, _names(fields), tuple((tags or {}).items())
    )


# As above.
def windows(  # noqa: PLR0913 - what a question has
    *,
    every: str,
    of: Sequence[str] | str,
    since: Time | None,
    until: Time | None,
    field: Sequence[str] | str | None,
    tags: Mapping[str, str] | None,
) -> WindowQuestion:
    """The question of `source.windows`."""
    return WindowQuestion(
        length(every), _names(of), ms(since), ms(until), _names(field), tuple((tags or {}).items())
    )


def moment(at: Time) -> int:
    """A time in Unix ms."""
    return int(at.timestamp() * 1000) if isinstance(at, datetime) else at


def ms(at: Time | None) -> int | None:
    """A time in Unix ms, where there is one."""
    return None if at is None else moment(at)


def length(every: str) -> int:
    """The length of windows in ms, by a word such as `hour`, or such as `PT6H`.

    Raises:
        BadRequest: it is neither.
    """
    found = _DURATION.fullmatch(EXACTNESS.get(every, every))
    parts = found.groups() if found else ()
    total = sum(int(n or 0) * unit for n, unit in zip(parts, _UNITS, strict=False))
    if not total:
        words = ", ".join(word for word, exact in EXACTNESS.items() if exact in WINDOWS_MS)
        raise BadRequest(
            "windows do not know this length",
            field="every",
            found=repr(every),
            remedy=f"Use one of {words}, or a duration such as PT6H",
        )
    return total


def refuse_windows_only(exact: str, what: str) -> None:
    """For what tells of single points.

    Raises:
        BadRequest: `exact` says that windows are shown only.
    """
    if exact in WINDOWS_MS:
        word = next(word for word, each in EXACTNESS.items() if each == exact)
        raise BadRequest(
            "this source shows windows only, which tell of no single point",
            code="windows-only",
            field=what,
            found=word,
            remedy="Use windows(), at(), follow(), or since() and the like",
        )


def query(**parameters: object) -> str:
    """The query of a request; `first` stands for `from`; what is None or empty is left out."""
    return "&".join(
        f"{'from' if name == 'first' else name}={quoted(str(value))}"
        for name, value in parameters.items()
        if value is not None and value != ""
    )


def tagged(text: str, tags: Sequence[tuple[str, str]]) -> str:
    """A query with the tags that a series must have."""
    return "&".join([text] * bool(text) + [f"tag.{quoted(n)}={quoted(v)}" for n, v in tags])


def quoted(text: str) -> str:
    """A text as it may stand in a query."""
    # By hand: the library for this costs 1.5 MB in every component.
    return "".join(chr(c) if c in _PLAIN else f"%{c:02X}" for c in text.encode())


def _names(names: Sequence[str] | str | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())
