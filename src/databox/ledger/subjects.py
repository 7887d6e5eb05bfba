"""Whom and what an entry is about, so that a component's history can be found. Pure."""

from databox.wire.ledger import Access, Event, Granted
from databox.wire.names import STORE_SUFFIX

_FIELDS = ("component", "client", "target", "store", "user")


def subjects(event: Event) -> frozenset[str]:
    """Names of all components and people in the entry; a driver for its store as well."""
    names = {str(getattr(event, field, "") or "") for field in _FIELDS} - {""}
    return frozenset(names | {name.removesuffix(STORE_SUFFIX) for name in names})


def label(event: Event) -> tuple[str, str, str] | None:
    """Store, source and what the source is called, if the entry tells it."""
    match event:
        case Access(source=source, label=called) if source and called:
            return event.store, source, called
        case Granted(source=source, label=called) if source and called:
            return event.target, source, called
        case _:
            return None


def kind(event: Event) -> str:
    """The entry's tag on the wire, such as `export-intent`."""
    tag = event.__struct_config__.tag
    assert isinstance(tag, str)
    return tag
