"""The consent screen as plain text: what the command line shows, and what the ledger keeps."""

from datetime import UTC, datetime

from databox.wire import api, exactness
from databox.wire.sla import Choices, SourceChoice


def text(screen: api.ConsentScreen, choices: Choices) -> str:
    """Everything the screen says, and the answers given to it. Times in UTC."""
    lines = [f"{screen.title} {screen.version} by {screen.maker}. {screen.signature}."]
    lines += [screen.headline + "."]
    if screen.purpose:
        lines += [f"In its maker's words: {screen.purpose}"]
    given = {choice.clientid: choice for choice in choices.sources if choice.store}
    lines += [_ask(ask, given) for ask in screen.asks]
    allowed = {choice.url: choice for choice in choices.exports if choice.allowed}
    for row in screen.exports:
        answer = (
            f"allowed {_until(allowed[row.url].until)}" if row.url in allowed else "not allowed"
        )
        lines.append(f"- leaves the box to {row.url}{_because(row.description)}: {answer}")
    lines += [f"- reaches the outside host {host}" for host in screen.outside]
    lines += [f"- brings in: {what}" for what in screen.provides]
    lines += screen.notes
    return "\n".join(lines)


def _ask(ask: api.AskRow, given: dict[str, SourceChoice]) -> str:
    choice = given.get(ask.clientid)
    line = f"- {ask.clientid}: may see {ask.type}{_because(ask.why)}: "
    if choice is None:
        return line + "not allowed"
    since = f", since {_day(choice.since)}" if choice.since is not None else ""
    exact = exactness.WORDS[choice.exact]
    if choice.fields is not None:
        exact += f", only {', '.join(choice.fields)}"
    return line + f"{choice.store}/{choice.source}, {exact}{since}, {_until(choice.until)}"


def _because(why: str) -> str:
    return f" ({why})" if why else ""


def _until(end: int | None) -> str:
    return "until stopped" if end is None else f"until {_day(end)}"


def _day(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
