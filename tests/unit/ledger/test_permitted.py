"""Who may write what into the ledger."""

from typing import get_args

import pytest

from databox.ledger.permitted import check
from databox.wire.errors import Denied
from databox.wire.ledger import (
    Accepted,
    Access,
    BoxStarted,
    Consent,
    Discrepancy,
    Egress,
    Event,
    ExportIntent,
    ExportOutcome,
    Granted,
    Installed,
    Lifecycle,
    Login,
    Refused,
    Revoked,
    StoreHead,
    TokenMinted,
    Uninstalled,
)

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


CALLERS = ("manager", "arbiter", "export-service", "switchboard", "hue-store", "gateway", "box",
           "ledger", "hello", "store", "authority", "")  # fmt: skip

# One entry of each kind, and who may write it. The ledger and the arbiter write within their own
# process: nobody has a pair by which it could call as one of them.
MAY: tuple[tuple[Event, set[str]], ...] = (
    (BoxStarted(version="1", clean=True), {"arbiter"}),
    (LOGIN, {"arbiter"}),
    (Installed(component="a", kind="app", title="", version="", package="", signer=""),
     {"manager"}),
    (Uninstalled(component="a", kept=True), {"manager"}),
    (Consent(component="a", text="", choices="", user=""), {"manager"}),
    (Granted(grant="g", client="a", target="hue-store", routes=(), caveats=()), {"arbiter"}),
    (Revoked(grant="g", client="a", target="hue-store", why=""), {"arbiter"}),
    (TokenMinted(grant="g", client="a", target="hue-store", method="GET", path="/"), {"arbiter"}),
    (refused("hue-store"), {"arbiter", "hue-store"}),
    (refused("export-service"), {"arbiter", "export-service"}),
    (ExportIntent(export="e", client="a", url="", size=1, sha256="", grant="g"),
     {"export-service"}),
    (ExportOutcome(export="e", client="a", url="", outcome="sent"), {"export-service"}),
    (EGRESS, {"switchboard"}),
    (HEAD, {"hue-store"}),
    (access("hue-store"), {"hue-store"}),
    (Discrepancy(store="hue-store", why="fewer", known=2, found=1), {"hue-store"}),
    (Discrepancy(store="other-store", why="fewer", known=2, found=1), set()),
    (Discrepancy(store="ledger", why="broken", known=2, found=1), set()),
    (Accepted(store="hue-store", user="Ada"), set()),
    (CRASH, {"manager"}),
)  # fmt: skip


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("event", "may"), MAY, ids=lambda value: type(value).__name__)
def test_every_kind_is_written_by_nobody_else(event: Event, may: set[str], caller: str) -> None:
    if caller in may:
        check(caller, [event])
    else:
        with pytest.raises(Denied):
            check(caller, [event])


def test_every_kind_is_tried_here() -> None:
    assert {type(event) for event, _ in MAY} == set(get_args(Event))
