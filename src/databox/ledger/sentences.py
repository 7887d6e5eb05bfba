"""Entries as plain sentences for the owner. Pure.

Names of apps, people and sources were written by their makers: they stand here as text and must be
shown as text.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from databox.wire.ledger import (
    Access,
    BoxStarted,
    Consent,
    Egress,
    Event,
    ExportIntent,
    ExportOutcome,
    Granted,
    Installed,
    Lifecycle,
    Login,
    Refused,
    Revoked,
    StoreHead,
    TokenMinted,
    Uninstalled,
)
from databox.wire.names import STORE_SUFFIX

Titles = Mapping[str, str]
"""What components are called on screen, by their name."""

_EXACT = {"raw": "", "PT1M": ", by the minute", "PT1H": ", by the hour"}
_OUTCOMES = {
    "sent": "{who} sent data to {url}",
    "failed": "{who} could not send data to {url}",
    "unknown": "It is unknown whether data of {who} reached {url}",
    "cancelled": "Data of {who} for {url} was not sent: it was cancelled",
    "refused": "{who} wanted to send data to {url} and was refused",
}


def sentence(event: Event, titles: Titles, when: str = "", times: int = 1) -> str:
    """Say what happened.

    `when`: a word for the day, used where an entry sums up a stretch. `times`: how many entries
    this one stands for.
    """
    words = _words(event, titles, when, times)
    return words[:1].upper() + words[1:]


def _words(event: Event, titles: Titles, when: str, times: int) -> str:
    match event:
        case TokenMinted() if times > 1:
            who, target = _called(event.client, titles), _called(event.target, titles)
            return f"{who} received {times:,} tokens for {target}{_spaced(when)}"
        case Access():
            return _access(event, titles, when)
        case BoxStarted() | Login() | Lifecycle():
            return _box(event, titles)
        case Installed() | Uninstalled() | Consent():
            return _component(event, titles)
        case Granted() | Revoked() | TokenMinted() | Refused():
            return _right(event, titles)
        case ExportIntent() | ExportOutcome() | Egress():
            return _outwards(event, titles)
        case StoreHead():
            count = _count(event.records, "record", "records")
            return f"{_called(event.store, titles)} sealed its list of {count} of access"


def day_word(day: int, today: int) -> str:
    """How a day is spoken of; both are days since 1970."""
    if day == today:
        return "today"
    if day == today - 1:
        return "yesterday"
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
    return f"on {moment.day} {moment:%B %Y}"


def _access(event: Access, titles: Titles, when: str) -> str:
    who = event.user or _called(event.client, titles)
    what = _source(event, titles)
    readings = _count(event.items, "reading", "readings")
    tail = f"{_spaced(when)}{_exactness(event.exact)}"
    times = _count(event.count, "time", "times")
    match event.operation:
        case "read":
            return f"{who} read {readings} of {what}{tail}"
        case "write":
            return f"{who} wrote {readings} of {what}{tail}"
        case "subscribe" if not event.items:
            return f"{who} asked to be told of new readings of {what}{tail}"
        case "subscribe":
            return f"{who} received {readings} of {what} as they came{tail}"
        case "refuse":
            return f"{who} was refused {what} {times}{tail}"
        case other:
            return f"{who} used {what} {times} ({other}){tail}"


def _box(event: BoxStarted | Login | Lifecycle, titles: Titles) -> str:
    match event:
        case BoxStarted():
            after = "" if event.clean else ", after it had ended without a proper stop"
            return f"The box started (version {event.version}){after}"
        case Login():
            done = "signed in" if event.ok else "failed to sign in"
            return f"{event.user or 'Somebody'} {done} by {event.how}"
        case Lifecycle():
            why = f": {event.reason}" if event.reason else ""
            return f"{_called(event.component, titles)} {event.event}{why}"


def _component(event: Installed | Uninstalled | Consent, titles: Titles) -> str:
    match event:
        case Installed():
            title = event.title or event.component
            return f"{title} {event.version} was installed (signed by: {event.signer})"
        case Uninstalled():
            fate = "kept" if event.kept else "deleted"
            return f"{_called(event.component, titles)} was removed and its data {fate}"
        case Consent():
            who = event.user or "The owner"
            return f"{who} agreed to what {_called(event.component, titles)} asked for"


def _right(event: Granted | Revoked | TokenMinted | Refused, titles: Titles) -> str:
    who, target = _called(event.client, titles), _called(event.target, titles)
    match event:
        case Granted():
            return f"{who} was allowed to use {target}: {', '.join(event.routes)}{_terms(event)}"
        case Revoked():
            return f"{who} may no longer use {target} ({event.why})"
        case TokenMinted():
            return f"{who} received a token for {event.method} {event.path} on {target}"
        case Refused():
            often = f", {_count(event.count, 'time', 'times')}" if event.count > 1 else ""
            asked = f"{event.method} {event.path} on {target}"
            return f"{who} was refused {asked}: {event.why}{often}"


def _outwards(event: ExportIntent | ExportOutcome | Egress, titles: Titles) -> str:
    match event:
        case ExportIntent():
            who = _called(event.client, titles)
            return f"{who} is about to send {_size(event.size)} to {event.url}"
        case ExportOutcome():
            form = _OUTCOMES.get(event.outcome, "{who} and {url}: " + event.outcome)
            words = form.format(who=_called(event.client, titles), url=event.url)
            return f"{words}: {event.detail}" if event.detail else words
        case Egress():
            return (
                f"{_called(event.component, titles)} connected to {event.host}"
                f" {_count(event.connections, 'time', 'times')}:"
                f" {_size(event.sent)} sent, {_size(event.received)} received"
            )


def _called(name: str, titles: Titles) -> str:
    if name in titles:
        return titles[name]
    driver = name.removesuffix(STORE_SUFFIX)
    return f"the store of {titles.get(driver, driver)}" if driver != name else name


def _source(event: Access, titles: Titles) -> str:
    if event.label or event.source:
        return event.label or event.source
    return _called(event.store, titles)


def _terms(event: Granted) -> str:
    return f" (only if {' and '.join(event.caveats)})" if event.caveats else ""


def _exactness(exact: str) -> str:
    return _EXACT.get(exact, f", at {exact}" if exact else "")


def _spaced(word: str) -> str:
    return f" {word}" if word else ""


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _size(size: int) -> str:
    if size < 1000:
        return _count(size, "byte", "bytes")
    value = float(size)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.5:
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{value:,.0f} GB"
