"""The consent screen of something installed shows what holds now."""

import pytest

from databox.manager import consent
from databox.wire import api
from databox.wire.manifest import ExportAsk, Manifest, Package, SourceAsk
from databox.wire.sla import Choices, ExportChoice, SourceChoice

NOW = 1_700_000_000_000
URL = "https://example.test/summary"
APP = Manifest(
    name="graph",
    datasources=(SourceAsk(type="cpu-load", clientid="LOAD"),),
    export_whitelist=(ExportAsk(url=URL),),
)


def screen(choices: Choices) -> api.ConsentScreen:
    known = consent.Known(
        sources=(), offers=(), manifests={"graph": APP}, choices={"graph": choices}, now=NOW
    )
    return consent.screen(Package(digest="digest", manifest=APP, signer="signer"), known)


def picked(until: int | None = None, store: str = "a-store") -> SourceChoice:
    return SourceChoice(clientid="LOAD", store=store, source="load", until=until)


def allowed(until: int | None = None, *, yes: bool = True) -> ExportChoice:
    return ExportChoice(url=URL, allowed=yes, until=until)


@pytest.mark.parametrize("until", [None, NOW + 1])
def test_what_is_allowed_is_shown_with_its_end(until: int | None) -> None:
    shown = screen(Choices(sources=(picked(until),), exports=(allowed(until),)))
    assert shown.asks[0].current == picked(until)
    assert shown.exports[0].current == allowed(until)


@pytest.mark.parametrize(
    "choices",
    [
        Choices(),
        Choices(sources=(picked(store=""),), exports=(allowed(yes=False),)),
        Choices(sources=(picked(NOW),), exports=(allowed(NOW),)),
    ],
    ids=["never answered", "refused", "its time is over"],
)
def test_what_is_not_allowed_now_is_not_shown_as_such(choices: Choices) -> None:
    shown = screen(choices)
    assert shown.asks[0].current is None
    assert shown.exports[0].current is None
