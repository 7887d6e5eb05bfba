"""The manifest of a program that says what it asks for in its own lines."""

import re
from collections.abc import Iterable, Sequence

import msgspec

from databox.sdk.export import Destination
from databox.sdk.readings import EXACTNESS
from databox.sdk.source import Ask
from databox.sdk.writer import Offer
from databox.wire import exactness, manifest
from databox.wire.errors import BadRequest


def component_name(title: str) -> str:
    """A component name made from a title: `Night owl` becomes `night-owl`.

    Raises:
        BadRequest: the title has no letter to begin with.
    """
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:34].rstrip("-")
    if not re.match(r"[a-z]", name):
        raise BadRequest(
            "no component name can be made from this title",
            field="title",
            found=repr(title),
            remedy='Give one: name="night-owl"',
        )
    return name


def source_asks(asks: Iterable[Ask]) -> tuple[manifest.SourceAsk, ...]:
    """The asks, as the manifest has them."""
    return tuple(
        manifest.SourceAsk(
            type=ask.type,
            clientid=ask.clientid,
            required=ask.required,
            why=ask.why,
            exact=serving(ask.type, EXACTNESS[ask.exact]),
            far_back=ask.days,
        )
        for ask in asks
    )


def serving(type: str, finest: exactness.Exactness) -> tuple[exactness.Exactness, ...]:
    """All that serve, from the finest on: what can use seconds can use hours as well."""
    usual = exactness.choices(type, ())
    return usual[usual.index(finest) :] if finest in usual else (finest,)


def export_asks(destinations: Iterable[Destination]) -> tuple[manifest.ExportAsk, ...]:
    """The destinations, as the manifest has them."""
    return tuple(
        manifest.ExportAsk(
            url=destination.url,
            description=destination.why,
            what=destination.what,
            reply=destination.wants_reply,
        )
        for destination in destinations
    )


def source_offers(offers: Iterable[Offer]) -> tuple[manifest.SourceOffer, ...]:
    """The sources a driver provides, as the manifest has them."""
    return tuple(
        manifest.SourceOffer(
            id=offer.id,
            type=offer.type,
            description=offer.description,
            unit=offer.unit,
            store_type=offer.store_type,
            actuator=offer.actuator,
            fields=offer.fields,
        )
        for offer in offers
    )


def command(arguments: Sequence[str]) -> tuple[str, ...]:
    """How the program is started inside its sandbox, from how it was started here."""
    return ("python3", arguments[0].rpartition("/")[2])


def text(described: manifest.Manifest) -> str:
    """The manifest as JSON, checked.

    Raises:
        BadRequest: as `manifest.decode`.
    """
    encoded = msgspec.json.encode(described)
    manifest.decode(encoded)
    return encoded.decode()
