"""Entries as plain sentences for the owner. Pure.

The words are those of the dashboard: source, app, may see, how exact, until, stop access. Names of
apps, people and sources were written by their makers: they must be shown as text.
"""

from databox.ledger import amounts, permissions
from databox.ledger.names import INNER, Names, host_of
from databox.wire import exactness
from databox.wire.ledger import (
    NEW_CODE,
    Accepted,
    Access,
    BoxStarted,
    Consent,
    Discrepancy,
    Egress,
    Entry,
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

_OUTCOMES = {
    "sent": "{who} sent something to {place}",
    "failed": "{who} could not send something to {place}",
    "unknown": "Perhaps something from {who} reached {place}: the box cannot know",
    "cancelled": "Something from {who} for {place} was not sent",
    "refused": "{who} wanted to send something to {place} and was refused",
}

LEDGER = "ledger"
_BY_COMMAND = "command line"
_HOW = {"passphrase": "passphrase", "recovery code": "recovery code"}


def sentence(entry: Entry, names: Names, *, day: str = "") -> str:
    """Say what happened.

    `day`: a word for the day, used where an entry sums up a stretch.
    """
    words = _words(entry, names, f" {day}" if day else "")
    return words[:1].upper() + words[1:]


def is_technical(event: Event) -> bool:
    """Whether it only concerns the inner working of the box."""
    match event:
        case StoreHead():
            return True
        case Granted() | Revoked() | Refused() | TokenMinted():
            return permissions.is_technical(event)
        case Login():
            return event.ok and event.how == _BY_COMMAND
        case Access():
            return event.client in INNER and not event.user
        case _:
            return False


def _words(entry: Entry, names: Names, when: str) -> str:
    match entry.event:
        case Granted() as event:
            return permissions.granted(event, entry, names)
        case Revoked() as event:
            return permissions.revoked(event, names)
        case Refused() as event:
            return permissions.refused(event, names)
        case TokenMinted() as event:
            return permissions.token(event, names, when)
        case Access() as event:
            return _access(event, names, when)
        case BoxStarted() | Login() | Lifecycle() | StoreHead() as event:
            return _box(event, names)
        case Discrepancy() as event:
            return _discrepancy(event, names)
        case Accepted() as event:
            what = "the History" if event.store == LEDGER else names.values(event.store)
            return f"{event.user or 'the owner'} let {what} go on with what is there"
        case Installed() | Uninstalled() | Consent() as event:
            return _component(event, names)
        case ExportIntent() | ExportOutcome() | Egress() as event:
            return _outwards(event, names, when)


def _access(event: Access, names: Names, when: str) -> str:
    who = event.user or names.who(event.client)
    what = names.source(event.store, event.source, event.label)
    values = amounts.count(event.items, "value", "values") if event.items else "no values"
    exact = "" if event.exact in ("", "raw") else exactness.words(event.exact)
    tail = when + (f", {exact}" if exact else "")
    match event.operation:
        case "read" if not event.source:
            return f"{who} looked at what there is of {what}{tail}"
        case "read":
            return f"{who} read {values} of {what}{tail}"
        case "write":
            return f"{who} wrote {values} of {what}{tail}"
        case "subscribe" if not event.items:
            return f"{who} asked to be told of new values of {what}{tail}"
        case "subscribe":
            return f"{who} was told of {values} of {what} as they came{tail}"
        case "delete" if event.client == event.store:
            return f"your rule let {values} of {what} go; what they came to by the hour stays{when}"
        case "delete" if event.items:
            return f"{who} deleted {values} of {what}{when}"
        case "delete" if event.earliest is not None:
            return f"{who} deleted values of {what}{when}"
        case "keep":
            return f"{who} said how long values of {what} stay{when}"
        case "delete":
            return f"{who} deleted what there was of {what}{when}"
        case _:
            return f"{who} used {what} {amounts.often(event.count)}{tail}"


def _box(event: BoxStarted | Login | Lifecycle | StoreHead, names: Names) -> str:
    match event:
        case BoxStarted():
            return "the box started" + ("" if event.clean else "; it had not been stopped properly")
        case Login(ok=True, how="command line"):
            return "the command line of this computer was let in"
        case Login(ok=True) if event.how == NEW_CODE:
            return f"{event.user or 'somebody'} made a new recovery code"
        case Login():
            how = _HOW.get(event.how, event.how)
            right = f"{event.user or 'somebody'} signed in with the {how}"
            return right if event.ok else f"somebody tried to sign in with a wrong {how}"
        case Lifecycle():
            inner = event.component in INNER
            who = "a part of the box" if inner else names.who(event.component)
            return f"{who} {event.event}" + (f": {event.reason}" if event.reason else "")
        case StoreHead():
            lines = amounts.count(event.records, "look", "looks")
            return f"the list of {lines} at {names.values(event.store)} was sealed"


def _discrepancy(event: Discrepancy, names: Names) -> str:
    tail = f": {event.detail}" if event.detail else ""
    if event.store == LEDGER:
        return f"the History was changed by somebody{tail}"
    what = names.values(event.store)
    there = amounts.count(event.found, "look", "looks")
    match event.why:
        case "fewer":
            return (
                f"an older copy of {what} was put back, or its end was cut off:"
                f" {there} on record there, {event.known:,} were known"
            )
        case "behind":
            return (
                "an older copy of the History was put back, or its end was cut off:"
                f" it knows {event.known:,} of the {there} on record at {what}"
            )
        case "broken":
            return f"somebody changed the record of who looked at {what}{tail}"
        case _:
            return f"the record of who looked at {what} is another one than was known{tail}"


def _component(event: Installed | Uninstalled | Consent, names: Names) -> str:
    match event:
        case Installed():
            signer = event.signer[:1].lower() + event.signer[1:]
            return f"{event.title or event.component} {event.version} was installed ({signer})"
        case Uninstalled():
            fate = "kept" if event.kept else "deleted"
            return f"{names.who(event.component)} was removed, and what it stored was {fate}"
        case Consent():
            return f"{event.user or 'the owner'} chose what {names.who(event.component)} may do"


def _outwards(event: ExportIntent | ExportOutcome | Egress, names: Names, when: str) -> str:
    match event:
        case ExportIntent():
            size = amounts.size(event.size)
            return f"{names.who(event.client)} is about to send {size} to {host_of(event.url)}"
        case ExportOutcome():
            # The outcome is a part's own word, and no form: a brace in it would end the History.
            form = _OUTCOMES.get(event.outcome, _OUTCOMES["unknown"])
            words = form.format(who=names.who(event.client), place=host_of(event.url))
            untold = event.detail and event.outcome not in ("sent", "unknown")
            return f"{words}: {event.detail}" if untold else words
        case Egress():
            sent, received = amounts.size(event.sent), amounts.size(event.received)
            talked = f"talked to {event.host} {amounts.often(event.connections)}"
            if not event.connections:
                talked = f"went on talking to {event.host}"
            return f"{names.who(event.component)} {talked}{when}: {sent} sent, {received} received"
