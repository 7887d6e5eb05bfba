"""Who may write what into the ledger."""

import pytest

from databox.ledger.permitted import check
from databox.wire.errors import Denied
from databox.wire.ledger import Access, Egress, Event, Lifecycle, Login, Refused, StoreHead

HEAD = StoreHead(store="hue-store", head="00", records=1)
LOGIN = Login(user="Ada", ok=True, how="passphrase")
CRASH = Lifecycle(component="hello", event="crashed")
EGRESS = Egress(component="hue", host="a.example", connections=1, sent=1, received=1)


def access(store: str) -> Access:
    return Access(
        store=store, client="graph", user="", source="load", exact="raw", operation="read",
        count=1, items=1, size=1,
    )  # fmt: skip


def refused(target: str) -> Refused:
    return Refused(client="graph", target=target, method="GET", path="/", why="no token")


@pytest.mark.parametrize(
    ("by", "event"),
    [
        ("hue-store", HEAD),
        ("hue-store", access("hue-store")),
        ("hue-store", refused("hue-store")),
        ("manager", CRASH),
        ("switchboard", EGRESS),
        ("arbiter", LOGIN),
        ("arbiter", refused("hue-store")),
    ],
)
def test_a_part_may_write_its_own_kinds(by: str, event: Event) -> None:
    check(by, [event])


@pytest.mark.parametrize(
    ("by", "event"),
    [
        ("other-store", HEAD),
        ("other-store", access("hue-store")),
        ("other-store", refused("hue-store")),
        ("hue-store", LOGIN),
        ("hue-store", CRASH),
        ("manager", LOGIN),
        ("export-service", refused("hue-store")),
        ("gateway", LOGIN),
        ("hello", CRASH),
        ("store", HEAD),
        ("", CRASH),
    ],
)
def test_anything_else_is_denied(by: str, event: Event) -> None:
    with pytest.raises(Denied):
        check(by, [event])


def test_one_wrong_entry_denies_them_all() -> None:
    with pytest.raises(Denied):
        check("hue-store", [HEAD, CRASH])
