"""The consent screen, computed: what a package asks and what the box can offer for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from databox.manager import flows
from databox.wire import api
from databox.wire.manifest import ExportAsk, Manifest, Package, SourceAsk
from databox.wire.sla import Choices, ExportChoice, SourceChoice

Choice = TypeVar("Choice", SourceChoice, ExportChoice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the box knows when the screen is made. `now`: Unix ms."""

    sources: Sequence[api.SourceRow]
    offers: Sequence[tuple[api.Offer, Manifest]]
    manifests: Mapping[str, Manifest]
    choices: Mapping[str, Choices]
    now: int


def offer(package: Package, *, installed: bool) -> api.Offer:
    """One tile of the app store page."""
    manifest = package.manifest
    return api.Offer(
        name=manifest.name,
        title=manifest.display,
        kind=manifest.databox_type,
        version=manifest.version,
        maker=maker(manifest),
        description=manifest.description,
        installed=installed,
        signer=package.signer,
        icon=package.icon,
    )


def maker(manifest: Manifest) -> str:
    """The maker's name as the manifest gives it: text, or an object with a name (2017)."""
    author = manifest.author
    if isinstance(author, dict):
        author = author.get("name", "")
    return str(author)[:200] if author else "unknown maker"


def screen(package: Package, known: Known) -> api.ConsentScreen:
    """Everything the consent screen shows for this package."""
    manifest = package.manifest
    current = known.choices.get(manifest.name, Choices())
    places = [flows.Reach(flows.host_of(ask.url)) for ask in manifest.export_whitelist]
    outside = flows.outside(manifest)
    places.extend(flows.Reach(host) for host in outside)
    places.extend(_by_acting(manifest, known))
    return api.ConsentScreen(
        name=manifest.name,
        title=manifest.display,
        kind=manifest.databox_type,
        version=manifest.version,
        maker=maker(manifest),
        package=package.digest,
        signature=package.signer,
        purpose=manifest.description,
        headline=flows.headline(dict.fromkeys(places)),
        leaves=bool(places),
        asks=tuple(_ask(ask, known, current) for ask in manifest.datasources),
        exports=tuple(_export(ask, known, current) for ask in manifest.export_whitelist),
        outside=outside,
        provides=tuple(offer.description or offer.type for offer in manifest.provides),
        notes=_notes(manifest, known),
        pages=manifest.run is not None and manifest.run.screen == "pages",
        installed=manifest.name in known.manifests,
        icon=package.icon,
    )


def _ask(ask: SourceAsk, known: Known, current: Choices) -> api.AskRow:
    given = next((c for c in current.sources if c.clientid == ask.clientid and c.store), None)
    return api.AskRow(
        clientid=ask.clientid,
        type=ask.type,
        why=ask.why,
        required=ask.required,
        exact=ask.choices,
        far_back=ask.far_back,
        act=ask.act,
        candidates=tuple(row for row in known.sources if row.type == ask.type),
        providers=tuple(
            tile
            for tile, manifest in known.offers
            if any(provided.type == ask.type for provided in manifest.provides)
        ),
        current=_in_force(given, known.now),
    )


def _export(ask: ExportAsk, known: Known, current: Choices) -> api.ExportRow:
    given = next((c for c in current.exports if c.url == ask.url and c.allowed), None)
    return api.ExportRow(
        url=ask.url,
        host=flows.host_of(ask.url),
        description=ask.description,
        what=ask.what,
        reply=ask.reply,
        current=_in_force(given, known.now),
    )


def _in_force(choice: Choice | None, now: int) -> Choice | None:
    """The choice, unless its time is over: what has ended is not agreed to again by itself."""
    over = choice is not None and choice.until is not None and choice.until <= now
    return None if over else choice


def _by_acting(manifest: Manifest, known: Known) -> list[flows.Reach]:
    """Hosts of drivers whose sources the package asks to act on."""
    acts = {ask.type for ask in manifest.datasources if ask.act}
    return [
        flows.Reach(host, row.driver)
        for row in known.sources
        if row.actuator and row.type in acts and row.driver in known.manifests
        for host in flows.outside(known.manifests[row.driver])
    ]


def _notes(manifest: Manifest, known: Known) -> tuple[str, ...]:
    """Only what is true of this box: who already reads, and would send out, what this provides."""
    notes = []
    for name, other in known.manifests.items():
        sends = any(choice.allowed for choice in known.choices.get(name, Choices()).exports)
        wants = {ask.type for ask in other.datasources}
        if sends and wants & {provided.type for provided in manifest.provides}:
            notes.append(f"{other.display} may send data out and asks for what this brings in.")
    return tuple(notes)
