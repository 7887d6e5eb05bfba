"""The SLA: a manifest refined by the owner's choices. It is what the grants are made from.

Only choices that the box enforces exist here: which source, how exact, how far back, until
when, which destinations, and whether it may act.
"""

import msgspec

from databox.wire.exactness import Exactness
from databox.wire.manifest import ClientId, Manifest


class _Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class SourceChoice(_Choice, frozen=True, kw_only=True):
    """The owner's answer to one ask. `store` and `source` name the picked source; both empty: none.

    `fields`: the only members of its documents, None for all; `since`: nothing older than this,
    Unix ms, None for all; `until`: the grant ends then, Unix ms, None for "until I stop it"; `act`:
    it may also write to it.
    """

    clientid: ClientId
    store: str = ""
    source: str = ""
    exact: Exactness = "raw"
    fields: tuple[str, ...] | None = None
    since: int | None = None
    until: int | None = None
    act: bool = False


class ExportChoice(_Choice, frozen=True, kw_only=True):
    """The owner's answer to one destination."""

    url: str
    allowed: bool = False
    until: int | None = None


class Choices(_Choice, frozen=True, kw_only=True):
    """All answers to one manifest."""

    sources: tuple[SourceChoice, ...] = ()
    exports: tuple[ExportChoice, ...] = ()


class Sla(_Choice, frozen=True, kw_only=True):
    """The agreement that an installed component runs under. `agreed`: Unix ms; `text`: as shown."""

    manifest: Manifest
    package: str
    choices: Choices
    agreed: int
    text: str
