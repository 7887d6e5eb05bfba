"""Names of components, data sources and ids: one grammar, checked in one place.

A component name becomes a host name, a file name and part of a token, so the grammar is the
narrowest that serves all three.
"""

import re
from typing import NewType

from databox.wire.errors import BadRequest

ComponentName = NewType("ComponentName", str)
"""A driver, app, store or part of the box: `[a-z][a-z0-9-]{0,39}`."""

SourceId = NewType("SourceId", str)
"""A data source within a store: one path segment, `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`."""

GrantId = NewType("GrantId", str)
"""A grant: never used again after it ended."""

STORE_SUFFIX = "-store"

PARTS = ("authority", "manager", "gateway", "switchboard", "export-service")
"""Our own long-lived processes, by the name they have in pairs and logs."""

RESERVED = frozenset(
    {*PARTS, "arbiter", "ledger", "box", "localhost", "app", "owner", "cli", "databox", "outside"}
    # How the table of endpoints and the ledger speak of every store.
    | {"store"}
)

_COMPONENT = re.compile(r"[a-z][a-z0-9-]{0,39}")
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def component_name(text: str, *, field: str = "name") -> ComponentName:
    """Check the name of a component that somebody wants to install.

    Raises:
        BadRequest: it breaks the grammar, is reserved, or looks like the name of a store.
    """
    _match(_COMPONENT, text, field, "a lower-case letter, then up to 39 letters, digits or dashes")
    if text in RESERVED or text.endswith(STORE_SUFFIX):
        raise BadRequest(
            "this name belongs to the box itself",
            code="name-reserved",
            field=field,
            found=text,
            remedy="Choose another name",
        )
    return ComponentName(text)


def any_name(text: str, *, field: str = "name") -> ComponentName:
    """Check the name of any caller or callee, the box's own parts and stores included.

    Raises:
        BadRequest: it breaks the grammar.
    """
    _match(_COMPONENT, text, field, "a lower-case letter, then up to 39 letters, digits or dashes")
    return ComponentName(text)


def source_id(text: str, *, field: str = "source") -> SourceId:
    """Check the id of a data source, a single path segment.

    Raises:
        BadRequest: it breaks the grammar.
    """
    _match(_SOURCE, text, field, "up to 64 letters, digits, dots, dashes or underscores")
    return SourceId(text)


def store_of(driver: ComponentName) -> ComponentName:
    """The store that belongs to a driver.

    A long driver name is refused by `component_name` of the manifest check, which leaves room for
    the suffix.
    """
    return ComponentName(f"{driver}{STORE_SUFFIX}")


def _match(grammar: re.Pattern[str], text: str, field: str, rule: str) -> None:
    if not grammar.fullmatch(text):
        raise BadRequest(
            "this is not a usable name",
            code="name-grammar",
            field=field,
            found=repr(text[:80]),
            remedy=f"Use {rule}",
        )
