"""Sentences about what somebody may do: given, ended, refused. Pure.

Terms that the box enforces stand in the grant's caveats, so the sentence is read from those, and
nobody can be told of a permission that is narrower than the real one.
"""

from databox.ledger import amounts
from databox.ledger.names import EXPORTS, INNER, Names, host_of
from databox.wire import exactness
from databox.wire.caveats import SOME_FIELDS, Caveats, compile_caveats
from databox.wire.ledger import Entry, Granted, Refused, Revoked, TokenMinted
from databox.wire.names import STORE_SUFFIX
from databox.wire.tokens import BadToken

_ENDED = {
    "by the owner": "you stopped it",
    "expiry": "its time was over",
    "uninstall": "it was removed",
    "narrowed": "it was replaced by another permission",
}

_STOPPED = "access was stopped"
_REFUSED = {
    "grant-ended": _STOPPED,
    _STOPPED: _STOPPED,
    "token-expired": "its time was over",
    "token-since": "that is longer ago than it may see",
    "token-until": "that is later than it may see",
    "destination": "that place is not allowed",
}
"""Why, for what a part writes down; everything else comes to the same for the owner."""

_NO_PERMISSION = "no permission"
_MANY = "(many others)"


def granted(event: Granted, entry: Entry, names: Names) -> str:
    """Somebody may now do something."""
    who, terms = names.who(event.client), _terms(event.caveats)
    what = names.source(event.target, event.source or _only_source(terms), event.label)
    until = _until(terms, entry, names)
    match _kind(event, terms):
        case "source":
            exact = exactness.words(terms.exactness).replace(SOME_FIELDS, _fields(terms))
            return f"{who} may now see {what}, {exact}{_since(terms, entry, names)}{until}"
        case "act":
            return f"{who} may now change {what}{until}"
        case "export":
            return f"{who} may now send to {_places(event, terms)}{until}"
        case "own":
            return f"{who} may write its own values"
        case "part":
            return f"{who} may see the list of {names.values(event.target)}"
        case _:
            return f"{who} may now use {names.values(event.target)}{until}"


def revoked(event: Revoked, names: Names) -> str:
    """Somebody may no longer do something."""
    who, why = names.who(event.client), _ENDED.get(event.why, "")
    what = names.source(event.target, event.source, event.label)
    told = {
        "source": f"see {what}",
        "act": f"change {what}",
        "export": f"send to {event.label or 'any place'}",
        "own": "write its own values",
    }.get(event.kind, f"use {names.values(event.target)}")
    return f"{who} may no longer {told}" + (f": {why}" if why else "")


def refused(event: Refused, names: Names) -> str:
    """Somebody asked and was told no."""
    who = names.who("" if event.client in ("", "unknown", "outside") else event.client)
    why = _REFUSED.get(event.why, _NO_PERMISSION)
    often = f", {amounts.often(event.count)}" if event.count > 1 else ""
    if event.target == _MANY:
        return f"{who} asked for many other things and was refused{often}"
    source = _asked_source(event)
    if source:
        verb = "asked for" if event.method == "GET" else "wanted to change"
        asked = f"{verb} {names.source(event.target, source)}"
    elif event.target == EXPORTS:
        asked = "wanted to send something"
    else:
        asked = f"asked for something of {names.roof(event.target)}"
    return f"{who} {asked} and was refused{often}: {why}"


def token(event: TokenMinted, names: Names, when: str) -> str:
    """Somebody was handed what lets them in."""
    passes = "a pass" if event.count == 1 else f"{event.count:,} passes"
    return f"{names.who(event.client)} got {passes} for {names.values(event.target)}{when}"


def is_technical(event: Granted | Revoked | Refused | TokenMinted) -> bool:
    """Whether it is between parts of the box, or a pass, which a permission leads to by itself."""
    return isinstance(event, TokenMinted) or event.client in INNER


def _terms(caveats: tuple[str, ...]) -> Caveats:
    try:
        return compile_caveats(caveats)
    except BadToken:
        # Terms of a launch-era grant that nobody here can keep: whoever serves it refuses it.
        return Caveats()


def _kind(event: Granted, terms: Caveats) -> str:
    """The kind; a line of the first days does not say it, but shows it."""
    if event.kind:
        return event.kind
    if terms.destinations:
        return "export"
    if event.client in INNER:
        return "part"
    if event.client + STORE_SUFFIX == event.target:
        return "own"
    return "source" if _only_source(terms) else ""


def _only_source(terms: Caveats) -> str:
    sources = terms.datasources or ()
    return next(iter(sources)) if len(sources) == 1 else ""


def _fields(terms: Caveats) -> str:
    """The members of documents that may be seen, as the consent screen has them."""
    return f"only {', '.join('.'.join(path) for path in terms.fields or ()) or 'the times'}"


def _places(event: Granted, terms: Caveats) -> str:
    hosts = sorted({host_of(url) for url in terms.destinations or ()})
    return event.label or ", ".join(hosts) or "nowhere"


def _since(terms: Caveats, entry: Entry, names: Names) -> str:
    if terms.since is None:
        return ""
    return f", nothing from before {amounts.date(terms.since, entry.t, names.zone)}"


def _until(terms: Caveats, entry: Entry, names: Names) -> str:
    if terms.expires is None:
        return ", until you stop it"
    return f", until {amounts.date(terms.expires, entry.t, names.zone)}"


def _asked_source(event: Refused) -> str:
    """The source that a path of a store is about, if it is about one."""
    if not event.target.endswith(STORE_SUFFIX):
        return ""
    parts = [part for part in event.path.split("/") if part]
    if parts[:1] in (["sub"], ["unsub"]):
        parts = parts[1:]
    return parts[0] if len(parts) > 1 else ""
