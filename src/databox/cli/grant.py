"""`databox grant` and `revoke`: change one permission of an installed app by names."""

import argparse
import time
from pathlib import Path

from databox.cli import choosing, consent
from databox.cli.client import Client, operator
from databox.wire import api
from databox.wire.errors import BadRequest, NotFound
from databox.wire.sla import Choices


def grant(home: Path, words: argparse.Namespace) -> int:
    """Give one permission, keeping the others as they are.

    Raises:
        BadRequest: nothing to grant was named, or the app does not ask for it.
        DataboxError: the box refused it.
    """
    if bool(words.source) == bool(words.export):
        raise BadRequest(
            "name one thing to allow",
            remedy="Write CLIENTID=STORE/SOURCE, or --export URL",
        )
    client = Client(operator(home))
    screen: api.ConsentScreen = client.call("component-consent", name=words.app)
    now = int(time.time() * 1000)
    choices = _changed(words, screen, choosing.present_choices(screen), now)
    text = consent.text(screen, choices)
    client.call(
        "choices",
        api.GrantMoreRequest(component=words.app, choices=choices, text=text),
        name=words.app,
    )
    print(text)
    return 0


def _changed(
    words: argparse.Namespace, screen: api.ConsentScreen, present: Choices, now: int
) -> Choices:
    end = choosing.until(words.until, now)
    if words.export:
        if words.export not in {row.url for row in screen.exports}:
            raise BadRequest(
                f"{screen.name} does not ask to send there",
                field="--export",
                found=words.export,
                remedy="It asks for: " + (", ".join(e.url for e in screen.exports) or "nothing"),
            )
        return choosing.with_export(present, words.export, end)
    since = choosing.since(words.back, screen, words.source, now)
    choice = choosing.source_choice(
        words.source, screen, exact=words.exact, since=since, end=end, fields=words.fields
    )
    return choosing.with_source(present, choice)


def revoke(home: Path, app: str, what: str | None) -> int:
    """End the permissions of `app`: all, or those for one ask, source or address.

    Raises:
        NotFound: it has no such permission, or nothing of this name is installed.
    """
    client = Client(operator(home))
    if what is None:
        client.call("component", name=app)
        _stop(client, [api.StopAccessRequest(component=app)])
        return 0
    grants = [each for each in client.call("grants").grants if each.client == app]
    places = _places(client, app, what)
    over = [each for each in grants if matches(each, what, places)]
    if not over:
        raise NotFound(
            f"{app} has no such permission",
            found=what,
            remedy="It has: " + (", ".join(sorted(map(_label, grants))) or "none"),
        )
    _stop(client, [api.StopAccessRequest(grant=each.id) for each in over])
    return 0


def _places(client: Client, app: str, clientid: str) -> frozenset[tuple[str, str]]:
    """Which source now answers the ask of this name, if there is such an ask."""
    screen: api.ConsentScreen = client.call("component-consent", name=app)
    given = [ask.current for ask in screen.asks if ask.clientid == clientid and ask.current]
    return frozenset((choice.store, choice.source) for choice in given)


def matches(grant: api.Grant, what: str, places: frozenset[tuple[str, str]]) -> bool:
    """Whether the owner's word names this grant: its source, its address, or its ask's source."""
    if grant.kind == "export":
        return what in grant.destinations
    return what == f"{grant.target}/{grant.source}" or (grant.target, grant.source) in places


def _label(grant: api.Grant) -> str:
    return " ".join(grant.destinations) or f"{grant.target}/{grant.source}".rstrip("/")


def _stop(client: Client, requests: list[api.StopAccessRequest]) -> None:
    replies = [client.call("stop-access", request) for request in requests]
    ended = sum(reply.ended for reply in replies)
    took = sum(reply.took_ms for reply in replies)
    print(f"{ended} {'permission' if ended == 1 else 'permissions'} ended in {took} ms.")
