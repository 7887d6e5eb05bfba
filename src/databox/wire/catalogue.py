"""Catalogues: which stores there are, and which data sources each of them has.

A catalogue is a Hypercat document: pairs of `rel` and `val` about itself, and items, each with an
address and its own pairs. The arbiter's lists the stores, a store's lists its data sources.

Source: Hypercat, BSI PAS 212:2016, and the relations that the Databox project added in 2017. The
names and the order of the pairs are those of 2017, `Xhypercat` included: clients compare the text.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from databox.wire.errors import BadRequest
from databox.wire.manifest import invalid
from databox.wire.names import SourceId, source_id

CONTENT_TYPE = "application/vnd.hypercat.catalogue+json"
MAX_ITEM = 32 * 1024
_HYPERCAT = "urn:X-hypercat:rels:"
_DATABOX = "urn:X-databox:rels:"

IS_CONTENT_TYPE = _HYPERCAT + "isContentType"
DESCRIPTION = _HYPERCAT + "hasDescription:"
DESCRIPTION_EN = DESCRIPTION + "en"
VENDOR = _DATABOX + "hasVendor"
TYPE = _DATABOX + "hasType"
DATASOURCE_ID = _DATABOX + "hasDatasourceid"
STORE_TYPE = _DATABOX + "hasStoreType"
IS_ACTUATOR = _DATABOX + "isActuator"
UNIT = _DATABOX + "hasUnit"
LOCATION = _DATABOX + "hasLocation"
GRANULARITY = _DATABOX + "hasGranularity"
PRECISION = _DATABOX + "hasPrecision"
FIELDS = _DATABOX + "hasFields"
"""The members of a source's documents, separated by `, `."""

_REQUIRED = (IS_CONTENT_TYPE, VENDOR, TYPE, DATASOURCE_ID, STORE_TYPE)

Value = Annotated[str, Meta(max_length=2000)] | bool | int | float


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One statement about an item or a catalogue."""

    rel: Annotated[str, Meta(min_length=1, max_length=256)]
    val: Value


class Item(msgspec.Struct, frozen=True, kw_only=True, rename={"metadata": "item-metadata"}):
    """One entry of a catalogue."""

    metadata: Annotated[tuple[Pair, ...], Meta(max_length=64)]
    href: Annotated[str, Meta(min_length=1, max_length=512)]

    def value(self, rel: str) -> Value | None:
        """What the first pair with this relation says."""
        return next((pair.val for pair in self.metadata if pair.rel == rel), None)

    @property
    def source(self) -> SourceId:
        """The id of the data source that the item describes.

        Raises:
            BadRequest: it has none, or one that is not a path segment.
        """
        return source_id(str(self.value(DATASOURCE_ID) or ""), field=DATASOURCE_ID)


class Catalogue(
    msgspec.Struct, frozen=True, kw_only=True, rename={"metadata": "catalogue-metadata"}
):
    """A whole catalogue."""

    metadata: tuple[Pair, ...]
    items: tuple[Item, ...]


def root(items: Iterable[Item]) -> Catalogue:
    """The arbiter's catalogue: one item for each store."""
    return Catalogue(metadata=_about("Databox Root Catalogue"), items=tuple(items))


def of_store(items: Iterable[Item]) -> Catalogue:
    """A store's catalogue: one item for each data source."""
    return Catalogue(metadata=_about("Databox Datasource Catalogue"), items=tuple(items))


def store_item(name: str, href: str) -> Item:
    """The root catalogue's item for a store; clients append `/cat` to `href`."""
    return Item(
        metadata=(
            Pair(rel=IS_CONTENT_TYPE, val=CONTENT_TYPE),
            Pair(rel=DESCRIPTION_EN, val=name),
        ),
        href=href,
    )


def decode_source(body: bytes) -> Item:
    """Read the item that a driver registers for a data source.

    Raises:
        BadRequest: not JSON, longer than 32 KiB, no `item-metadata` or `href`, a pair without
            `rel` or `val`, one of the required relations missing or twice, an unusable id.
    """
    item = decode_item(body)
    relations = [pair.rel for pair in item.metadata]
    if not any(rel.startswith(DESCRIPTION) for rel in relations):
        raise _missing(f"{DESCRIPTION}en")
    for rel in _REQUIRED:
        if rel not in relations:
            raise _missing(rel)
        if relations.count(rel) > 1:
            raise BadRequest("the item says this twice", code="catalogue", field=rel)
    item.source  # noqa: B018 - read for its check
    return item


def decode_item(body: bytes) -> Item:
    """Read any item.

    Raises:
        BadRequest: not JSON, longer than 32 KiB, or not of the shape of an item.
    """
    if len(body) > MAX_ITEM:
        raise BadRequest("the item is too long", code="catalogue", found=f"{len(body)} bytes")
    try:
        return msgspec.json.decode(body, type=Item)
    except msgspec.ValidationError as error:
        raise invalid(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("the item is not JSON", code="catalogue", found=str(error)) from error


def encode(document: Catalogue | Item) -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(document)


def search(items: Sequence[Item], query: Mapping[str, str]) -> tuple[Item, ...]:
    """The items that a simple search asks for: `rel`, `val` and `href`, each optional.

    `rel` and `val` must hold in one and the same pair. Other parameters are not looked at.
    """
    rel, val, href = (query.get(key) for key in ("rel", "val", "href"))
    return tuple(
        item
        for item in items
        if (href is None or item.href == href)
        and ((rel is None and val is None) or any(_fits(p, rel, val) for p in item.metadata))
    )


def _fits(pair: Pair, rel: str | None, val: str | None) -> bool:
    return rel in (None, pair.rel) and val in (None, _as_text(pair.val))


def _as_text(value: Any) -> str:
    """A value as a query writes it: `true`, not `True`."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _about(description: str) -> tuple[Pair, ...]:
    return (
        Pair(rel=IS_CONTENT_TYPE, val=CONTENT_TYPE),
        Pair(rel=DESCRIPTION_EN, val=description),
        Pair(rel=_HYPERCAT + "hasHomepage", val="http://www.databoxproject.uk/"),
        Pair(rel=_HYPERCAT + "containsContentType", val=CONTENT_TYPE),
        Pair(rel="urn:Xhypercat:rels:supportsSearch", val="urn:X-hypercat:search:simple"),
    )


def _missing(rel: str) -> BadRequest:
    return BadRequest(
        "the item does not say enough about the data source",
        code="catalogue",
        field=rel,
        remedy="Add a pair with this rel",
    )
