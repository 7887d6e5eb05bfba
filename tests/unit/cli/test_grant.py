from pathlib import Path

import pytest
from tests.unit.cli.consents import PICKED, URL, asking, grant, screen
from tests.unit.cli.pretended import PretendedClient, pretend

from databox.cli import grant as verbs
from databox.cli.arguments import parser
from databox.wire import api
from databox.wire.errors import BadRequest, NotFound

HOME = Path("/nowhere")
SOURCE = grant(id="7", target="os-monitor-store", kind="source", source="cpu-load")
EXPORT = grant(id="8", destinations=(URL,))


def box(monkeypatch: pytest.MonkeyPatch, *grants: api.Grant, **fields: object) -> PretendedClient:
    answers = {
        "component-consent": screen(**fields),
        "grants": api.Grants(grants=grants),
        "stop-access": api.StopAccessReply(ended=1, took_ms=3),
    }
    return pretend(monkeypatch, verbs, answers)


def allow(*words: str) -> int:
    return verbs.grant(HOME, parser().parse_args(["grant", "graph", *words]))


def test_the_line_of_the_reference_gives_one_permission(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = box(monkeypatch)
    words = ("LOAD=os-monitor-store/cpu-load", "--exact", "minute", "--until", "30d")
    assert allow(*words) == 0
    [request] = client.messages("choices")
    [choice] = request.choices.sources
    assert (choice.store, choice.source, choice.exact) == ("os-monitor-store", "cpu-load", "PT1M")
    assert choice.until is not None
    assert request.text in capsys.readouterr().out


def test_the_other_permissions_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    client = box(monkeypatch, SOURCE, asks=(asking(PICKED),))
    allow("--export", URL, "--until", "never")
    [request] = client.messages("choices")
    assert [choice.clientid for choice in request.choices.sources] == ["LOAD"]
    assert [(e.url, e.allowed, e.until) for e in request.choices.exports] == [(URL, True, None)]


@pytest.mark.parametrize("words", [(), ("LOAD=a-store/b", "--export", URL)])
def test_it_takes_one_thing_to_allow(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    client = box(monkeypatch)
    with pytest.raises(BadRequest, match="name one thing"):
        allow(*words)
    assert client.asked == []


def test_an_address_that_is_not_asked_for_is_refused_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box(monkeypatch)
    with pytest.raises(BadRequest, match=f"It asks for: {URL}"):
        allow("--export", "https://other.example/")


@pytest.mark.parametrize("what", ["LOAD", "os-monitor-store/cpu-load"])
def test_a_source_is_revoked_by_its_ask_or_its_place(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    client = box(monkeypatch, SOURCE, EXPORT, asks=(asking(PICKED),))
    verbs.revoke(HOME, "graph", what)
    assert client.messages("stop-access") == [api.StopAccessRequest(grant="7")]


def test_a_destination_is_revoked_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    client = box(monkeypatch, SOURCE, EXPORT)
    verbs.revoke(HOME, "graph", URL)
    assert client.messages("stop-access") == [api.StopAccessRequest(grant="8")]


def test_everything_is_revoked_when_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    client = box(monkeypatch, SOURCE, EXPORT)
    verbs.revoke(HOME, "graph", None)
    assert client.messages("stop-access") == [api.StopAccessRequest(component="graph")]


def test_revoking_from_what_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    client = pretend(monkeypatch, verbs, {"component": NotFound("no such component")})
    with pytest.raises(NotFound):
        verbs.revoke(HOME, "grahp", None)
    assert client.messages("stop-access") == []


def test_a_permission_of_another_app_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    other = grant(id="9", client="other", target="os-monitor-store", source="cpu-load")
    client = box(monkeypatch, other)
    with pytest.raises(NotFound, match="It has: none"):
        verbs.revoke(HOME, "graph", "os-monitor-store/cpu-load")
    assert client.messages("stop-access") == []
