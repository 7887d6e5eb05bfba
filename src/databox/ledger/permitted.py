"""Which entries a caller may write. Pure.

Whoever takes over one part can lie about itself, but not in another's name.
"""

from collections.abc import Sequence

from databox.wire.errors import Denied
from databox.wire.ledger import ALLOWED, Access, Discrepancy, Event, Refused, StoreHead
from databox.wire.names import STORE_SUFFIX


def check(by: str, events: Sequence[Event]) -> None:
    """Check that `by`, known by its pair, may write all of `events`.

    Raises:
        Denied: one is not of its kinds, or names another store or service than itself.
    """
    kinds = ALLOWED.get("store" if by.endswith(STORE_SUFFIX) else by, frozenset())
    for event in events:
        if type(event) not in kinds or not _own(by, event):
            raise Denied(
                "this part may not write such an entry",
                code="entry-kind",
                field="events",
                found=f"{type(event).__name__} by {by}",
            )


def _own(by: str, event: Event) -> bool:
    match event:
        case StoreHead() | Access() | Discrepancy():
            return event.store == by
        case Refused() if by != "arbiter":
            return event.target == by
        case _:
            return True
