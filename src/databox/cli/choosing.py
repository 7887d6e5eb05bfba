"""From words on the command line to the owner's choices: pure.

`LOAD=os-monitor-store/cpu-load` answers the ask LOAD of an app's manifest by a data source.
"""

import re

import msgspec

from databox.cli.arguments import EXACT
from databox.wire import api
from databox.wire.errors import BadRequest
from databox.wire.sla import Choices, ExportChoice, SourceChoice

DAY = 24 * 3600 * 1000
MONTH = 30
"""Days of history that may be suggested where an app asks for no more."""

_SPAN = re.compile(r"([1-9]\d{0,4})([hdwy])")
_UNITS = {"h": DAY // 24, "d": DAY, "w": 7 * DAY, "y": 365 * DAY}


def until(text: str, now: int) -> int | None:
    """When a permission ends, Unix ms, None for "until I stop it". `text`: `30d`, or `never`.

    Raises:
        BadRequest: the text is neither.
    """
    if text == "never":
        return None
    return now + span(text, field="--until")


def since(back: str | None, screen: api.ConsentScreen, words: str, now: int) -> int | None:
    """The oldest that may be seen, Unix ms; None for everything stored.

    `back`: `30d`, `all`, or nothing said: then what the dashboard suggests, a month at most and
    only if the app asks for that little, else from now on. `words`: as for `source_choice`.

    Raises:
        BadRequest: `back` is no length of time, or the app has no such ask.
    """
    if back == "all":
        return None
    if back:
        return now - span(back, field="--back")
    days = find_ask(screen, words.partition("=")[0]).far_back
    return now - (days if days is not None and days <= MONTH else 0) * DAY


def span(text: str, *, field: str) -> int:
    """A length of time in ms: a number and one of h, d, w, y.

    Raises:
        BadRequest: the text is nothing of this kind.
    """
    found = _SPAN.fullmatch(text)
    if not found:
        raise BadRequest(
            "this is not a length of time",
            field=field,
            found=text,
            remedy="Write a number and one of h, d, w or y, such as 30d",
        )
    return int(found[1]) * _UNITS[found[2]]


def source_choice(  # noqa: PLR0913 - the parts of one answer
    words: str,
    screen: api.ConsentScreen,
    *,
    exact: str | None,
    since: int | None,
    end: int | None,
    fields: str | None = None,
) -> SourceChoice:
    """Answer one ask. `words`: `CLIENTID=STORE/SOURCE`; `exact` None: the finest that is asked.

    `fields`: members of the source's documents, with commas between; None for all.

    Raises:
        BadRequest: the words are not of this form, or the app has no such ask.
    """
    clientid, equals, place = words.partition("=")
    store, slash, source = place.partition("/")
    if not (equals and slash and store and source):
        raise BadRequest(
            "say which source answers which ask",
            found=words,
            remedy="Write CLIENTID=STORE/SOURCE, such as LOAD=os-monitor-store/cpu-load",
        )
    ask = find_ask(screen, clientid)
    return SourceChoice(
        clientid=ask.clientid,
        store=store,
        source=source,
        exact=EXACT[exact] if exact else ask.exact[0],
        fields=tuple(fields.split(",")) if fields is not None else None,
        since=since,
        until=end,
    )


def find_ask(screen: api.ConsentScreen, clientid: str) -> api.AskRow:
    """The ask of this name.

    Raises:
        BadRequest: the app has none; the message lists those it has.
    """
    for ask in screen.asks:
        if ask.clientid == clientid:
            return ask
    raise BadRequest(
        f"{screen.name} does not ask for this",
        field="clientid",
        found=clientid,
        remedy=f"It asks for: {', '.join(ask.clientid for ask in screen.asks) or 'nothing'}",
    )


def present_choices(screen: api.ConsentScreen) -> Choices:
    """What an installed component may do now, as choices: the base for a change of one of them."""
    return Choices(
        sources=tuple(ask.current for ask in screen.asks if ask.current),
        exports=tuple(row.current for row in screen.exports if row.current),
    )


def with_source(choices: Choices, choice: SourceChoice) -> Choices:
    """The choices with this answer in place of an earlier one to the same ask."""
    others = tuple(c for c in choices.sources if c.clientid != choice.clientid)
    return msgspec.structs.replace(choices, sources=(*others, choice))


def with_export(choices: Choices, url: str, end: int | None) -> Choices:
    """The choices with this destination allowed."""
    others = tuple(c for c in choices.exports if c.url != url)
    allowed = ExportChoice(url=url, allowed=True, until=end)
    return msgspec.structs.replace(choices, exports=(*others, allowed))


def still_asked(choices: Choices, screen: api.ConsentScreen) -> Choices:
    """Those choices that answer an ask of `screen` within what it asks; nothing new."""
    asks = {ask.clientid: ask for ask in screen.asks}
    urls = {row.url for row in screen.exports}
    return Choices(
        sources=tuple(
            c for c in choices.sources if c.clientid in asks and _fits(c, asks[c.clientid])
        ),
        exports=tuple(c for c in choices.exports if c.url in urls),
    )


def _fits(choice: SourceChoice, ask: api.AskRow) -> bool:
    picked = (choice.store, choice.source)
    row = next((row for row in ask.candidates if (row.store, row.id) == picked), None)
    return (
        row is not None
        and choice.exact in ask.exact
        and set(choice.fields or ()) <= set(row.fields)
    )
