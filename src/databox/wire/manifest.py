"""The manifest: what a component is, what it asks for, and how it is run.

One shape takes both the manifest of 2017 (`manifest-version: 1`, whose known extra fields are
accepted by name) and ours. Unknown fields are refused.

Source: the launch-era manifest format of the Databox project (2017), and DESIGN 18.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from databox.wire import destination, exactness
from databox.wire.errors import BadRequest
from databox.wire.exactness import Exactness
from databox.wire.names import component_name, source_id
from databox.wire.runspec import Limits, Port, WebPort

MAX_MANIFEST = 256 * 1024

Text = Annotated[str, Meta(max_length=2000)]
Line = Annotated[str, Meta(max_length=200)]
ClientId = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$")]
"""How the component calls one of its asks: `DATASOURCE_<clientid>` in its environment."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    pass


class SourceAsk(_Part, frozen=True, kw_only=True):
    """One data source that the component asks to see, or to act on.

    `type` matches the `hasType` of a data source. `exact`: the finest that is of use and the
    coarser ones that still serve, finest first: windows, or for places distances; empty for what
    `exactness.choices` gives. `far_back`: days of history asked for, None for all; no more may be
    granted. `act`: also asks to write, for an actuator.
    """

    type: Line
    clientid: ClientId = "SOURCE"
    required: bool = True
    why: Text = ""
    exact: tuple[Exactness, ...] = ()
    far_back: int | None = None
    act: bool = False
    # Known fields of 2017.
    hypercat: Any = None
    granularities: tuple[Any, ...] = ()
    name: Line = ""
    max: int | None = None
    min: int | None = None

    @property
    def choices(self) -> tuple[Exactness, ...]:
        """How exact the owner may choose to be, finest first."""
        return exactness.choices(self.type, self.exact)


class SourceOffer(_Part, frozen=True, kw_only=True):
    """One data source that a driver provides, registered in its store's catalogue by the driver.

    `fields`: the members of its documents that an owner may choose from, `position.lat` for one
    within another; empty for bare numbers and for documents of any shape.
    """

    id: Line
    type: Line
    description: Line = ""
    unit: Line = ""
    store_type: Line = "store-json"
    actuator: bool = False
    fields: Annotated[tuple[Line, ...], Meta(max_length=64)] = ()


class ExportAsk(_Part, frozen=True, kw_only=True):
    """One exact URL the component asks to send to. `reply`: it also asks to see the answer."""

    url: Text
    description: Text = ""
    what: Text = ""
    reply: bool = False
    idempotent: bool = False


class OutsideAsk(_Part, frozen=True, kw_only=True):
    """Outside hosts that a driver asks to reach. `urls`: origins such as `https://api.example`."""

    urls: tuple[Line, ...]
    description: Text = ""


class Run(_Part, frozen=True, kw_only=True):
    """How the component is started; no shell, no expansion.

    `environment`: the author's own variables; one that the box sets itself always wins.
    """

    command: tuple[str, ...]
    environment: dict[str, Text] = {}
    runtime: Literal["python", "node", "image"] = "python"
    port: Port = 8080
    scheme: Literal["http", "https", "none"] = "http"
    ready: str = "/"
    proc: bool = False
    limits: Limits = Limits()
    schedule: str = "constant"
    scripts: Literal["self", "inline"] = "self"
    screen: Literal["views", "pages", "none"] = "pages"
    """`views`: declarative views at `/databox/view`; `pages`: its own pages in a sealed frame."""

    def web(self) -> WebPort | None:
        """The port to wait for and to show, if there is one."""
        if self.scheme == "none":
            return None
        return WebPort(port=self.port, scheme=self.scheme, ready=self.ready)


class Package2017(_Part, frozen=True, kw_only=True):
    """A bundle of wishes in a manifest of 2017, chosen as a whole."""

    id: Line = ""
    name: Line = ""
    purpose: Text = ""
    install: Line = "optional"
    risk: Text = ""
    risks: Text = ""
    benefits: Text = ""
    datastores: tuple[str, ...] = ()
    datasources: tuple[str, ...] = ()
    required: bool = False
    enabled: bool = False


class Manifest(_Part, frozen=True, kw_only=True):
    """A component's own statement. Everything shown from it is quoted as the maker's words."""

    name: str
    manifest_version: int = 2
    databox_type: Literal["app", "driver"] = "app"
    version: Line = "0.0.0"
    title: Line = ""
    description: Text = ""
    author: Any = ""
    license: Line = ""
    tags: tuple[Line, ...] = ()
    homepage: Line = ""
    repository: Any = None
    icon: Line = ""
    run: Run | None = None
    datasources: tuple[SourceAsk, ...] = ()
    provides: tuple[SourceOffer, ...] = ()
    export_whitelist: tuple[ExportAsk, ...] = ()
    external_whitelist: tuple[OutsideAsk, ...] = ()
    resource_requirements: dict[str, Any] = {}
    # Known fields of 2017.
    packages: tuple[Package2017, ...] = ()
    allowed_combinations: tuple[Any, ...] = ()
    published: bool | None = None

    @property
    def display(self) -> str:
        """The name for people."""
        return self.title or self.name


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A package: its content digest (hex SHA-256), its manifest, and its signer in words.

    `icon`: its picture as a `data:` URL, empty if it has none.
    """

    digest: str
    manifest: Manifest
    signer: str
    icon: str = ""


def decode(text: bytes) -> Manifest:
    """Read and check a manifest.

    Raises:
        BadRequest: too long, not JSON, an unknown or missing field, a wrong type, a name outside
            the grammar, two asks of one `clientid`, an address that nothing is sent to, a wish
            that its kind may not have.
    """
    if len(text) > MAX_MANIFEST:
        raise BadRequest(
            "the manifest is too long",
            code="manifest-size",
            field="manifest",
            found=f"{len(text)} bytes",
            remedy=f"Keep it under {MAX_MANIFEST} bytes",
        )
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.ValidationError as error:
        raise invalid(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(
            "the manifest is not JSON",
            code="manifest-json",
            field="manifest",
            found=str(error),
            remedy="Write one JSON object; mind commas after the last of a list",
        ) from error
    manifest = _as_meant_in_2017(manifest)
    check(manifest)
    return manifest


def check(manifest: Manifest) -> None:
    """Check what the types cannot say.

    Raises:
        BadRequest: as `decode`.
    """
    component_name(manifest.name)
    if len(manifest.name) > 34:
        raise BadRequest(
            "the name is too long",
            code="name-grammar",
            field="name",
            found=manifest.name,
            remedy="Use at most 34 letters, digits and dashes",
        )
    _unique("datasources", [ask.clientid for ask in manifest.datasources])
    _unique("provides", [offer.id for offer in manifest.provides])
    _unique("export-whitelist", [ask.url for ask in manifest.export_whitelist])
    for ask in manifest.datasources:
        _fitting(ask)
    for offer in manifest.provides:
        source_id(offer.id, field="provides.id")
    for export in manifest.export_whitelist:
        destination.parse(export.url, field="export-whitelist.url")
    for outside in manifest.external_whitelist:
        for url in outside.urls:
            destination.parse(url, field="external-whitelist.urls")
    # No component both reads somebody else's data and talks to the outside (DESIGN 10).
    if manifest.external_whitelist and manifest.databox_type == "app":
        raise BadRequest(
            "an app cannot reach outside hosts",
            code="manifest-outside",
            field="external-whitelist",
            found=", ".join(url for ask in manifest.external_whitelist for url in ask.urls)[:200],
            remedy="Ask for export-whitelist, or make it a driver",
        )
    if manifest.external_whitelist and manifest.datasources:
        raise BadRequest(
            "a component with outside hosts cannot read other sources",
            code="manifest-outside",
            field="datasources",
            found=", ".join(ask.clientid for ask in manifest.datasources)[:200],
            remedy="Split it into a driver and an app",
        )


def _fitting(ask: SourceAsk) -> None:
    """How exact is a distance for places, and a window for everything else."""
    for exact in ask.exact:
        if not exactness.fits(ask.type, exact):
            raise BadRequest(
                "sources of this type cannot be shown as exact as that",
                code="manifest-exact",
                field="datasources.exact",
                found=f"{ask.type}, {exact}",
                remedy=f"Use some of {', '.join(exactness.choices(ask.type, ()))}",
            )


def _as_meant_in_2017(manifest: Manifest) -> Manifest:
    """A driver of 2017 lists what it provides where an app lists what it asks for."""
    if manifest.manifest_version != 1 or manifest.databox_type != "driver":
        return manifest
    offers = tuple(
        SourceOffer(id=ask.clientid, type=ask.type, description=ask.name)
        for ask in manifest.datasources
    )
    return msgspec.structs.replace(manifest, datasources=(), provides=(*manifest.provides, *offers))


def invalid(error: msgspec.ValidationError, *, whole: str = "manifest") -> BadRequest:
    """Turn msgspec's message, `<what> - at `$.path``, into field and finding.

    `whole`: what to call the document where it is wrong as such.
    """
    what, _, where = str(error).partition(" - at `")
    field = where.rstrip("`").removeprefix("$").lstrip(".") or whole
    return BadRequest(
        "this part of the document does not fit its schema",
        code="schema",
        field=field,
        found=what,
        remedy=f"See the reference for the fields of the {whole} and their types",
    )


def _unique(field: str, values: list[str]) -> None:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise BadRequest(
            "the same name stands twice",
            code="duplicate",
            field=field,
            found=", ".join(twice)[:200],
            remedy="Give each a name of its own, or remove one",
        )
