"""Whom an entry is about, so that a component's history can be found. Pure."""

from databox.wire.ledger import Event
from databox.wire.names import STORE_SUFFIX

_FIELDS = ("component", "client", "target", "store", "user")


def subjects(event: Event) -> frozenset[str]:
    """Names of all components and people in the entry; a driver for its store as well."""
    names = {str(getattr(event, field, "") or "") for field in _FIELDS} - {""}
    return frozenset(names | {name.removesuffix(STORE_SUFFIX) for name in names})


def kind(event: Event) -> str:
    """The entry's tag on the wire, such as `export-intent`."""
    tag = event.__struct_config__.tag
    assert isinstance(tag, str)
    return tag
