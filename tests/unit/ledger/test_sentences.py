"""Entries in the owner's words."""

import re
from typing import get_args

import pytest

from databox.ledger.names import Names
from databox.ledger.sentences import is_technical, sentence
from databox.wire.ledger import (
    Accepted,
    Access,
    BoxStarted,
    Consent,
    Discrepancy,
    Egress,
    Entry,
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

STORE = "os-monitor-store"
MOMENT = 1_795_246_000_000
"""21 November 2026."""
DAY = 86_400_000
NAMES = Names(
    titles={"computer-graph": "Computer graph", "os-monitor": "This computer", "hue": "Lamps"},
    sources={(STORE, "cpu-load"): "Processor load", (STORE, "memory-used"): "Memory in use"},
)

PROGRAMMERS = re.compile(
    r"\b(drivers?|stores?|tokens?|arbiter|manager|gateway|ledger|caveats?|grants?|revoked?|paths?"
    r"|routes?|export|endpoint|GET|POST|granularity|datasources|sla|urls?)\b|/",
    re.IGNORECASE,
)


def told(event: Event, *, day: str = "") -> str:
    entry = Entry(n=1, t=MOMENT, by="x", event=event)
    return sentence(entry, NAMES, day=day)


def access(**more: object) -> Access:
    fields: dict[str, object] = {
        "store": STORE, "client": "computer-graph", "user": "", "source": "cpu-load",
        "exact": "PT1M", "operation": "read", "count": 24, "items": 1440, "size": 9999,
        "label": "CPU load",
    }  # fmt: skip
    return Access(**(fields | more))  # type: ignore[arg-type]


def granted(*caveats: str, **more: object) -> Granted:
    fields: dict[str, object] = {
        "grant": "g1", "client": "computer-graph", "target": STORE, "routes": ("GET /cpu-load",),
        "caveats": caveats, "kind": "source", "source": "cpu-load", "label": "Processor load",
    }  # fmt: skip
    return Granted(**(fields | more))  # type: ignore[arg-type]


def revoked(**more: object) -> Revoked:
    fields: dict[str, object] = {
        "grant": "g1", "client": "computer-graph", "target": STORE, "why": "by the owner",
        "kind": "source", "source": "cpu-load", "label": "Processor load",
    }  # fmt: skip
    return Revoked(**(fields | more))  # type: ignore[arg-type]


def refused(**more: object) -> Refused:
    fields: dict[str, object] = {
        "client": "computer-graph", "target": STORE, "method": "GET",
        "path": "/memory-used/ts/latest", "why": "Insufficient route permissions",
    }  # fmt: skip
    return Refused(**(fields | more))  # type: ignore[arg-type]


def outcome(outcome: str, detail: str = "") -> ExportOutcome:
    url = "https://a.example/in"
    return ExportOutcome(
        export="1", client="computer-graph", url=url, outcome=outcome, detail=detail
    )


SENTENCES: tuple[tuple[Event, str], ...] = (
    (BoxStarted(version="1", clean=True), "The box started"),
    (BoxStarted(version="1", clean=False), "The box started; it had not been stopped properly"),
    (Login(user="Ana", ok=True, how="passphrase"), "Ana signed in with the passphrase"),
    (
        Login(user="Ana", ok=False, how="passphrase"),
        "Somebody tried to sign in with a wrong passphrase",
    ),
    (Login(user="Ana", ok=True, how="new recovery code"), "Ana made a new recovery code"),
    (
        Login(user="Owner", ok=True, how="command line"),
        "The command line of this computer was let in",
    ),
    (
        Installed(component="computer-graph", kind="app", title="Computer graph", version="0.1.0",
                  package="", signer="Comes with Databox"),
        "Computer graph 0.1.0 was installed (comes with Databox)",
    ),
    (
        Uninstalled(component="computer-graph", kept=False),
        "Computer graph was removed, and what it stored was deleted",
    ),
    (
        Consent(component="computer-graph", text="", choices="", user="Ana"),
        "Ana chose what Computer graph may do",
    ),
    (
        granted("granularity >= PT1M", f"time < {MOMENT + 30 * DAY}"),
        "Computer graph may now see Processor load, each minute, until 21 December",
    ),
    (
        granted(f"startTimestamp >= {MOMENT - DAY}"),
        "Computer graph may now see Processor load, every value, nothing from before 20 November,"
        " until you stop it",
    ),
    (
        granted("precision >= 10 km", 'fields = ["lat","position.lon"]'),
        "Computer graph may now see Processor load, to 10 km, only lat, position.lon,"
        " until you stop it",
    ),
    (
        granted('datasources = ["cpu-load"]', kind="", source="", label=""),
        "Computer graph may now see Processor load, every value, until you stop it",
    ),
    (
        granted("favourite = blue", kind="route", source="", label=""),
        "Computer graph may now use the values of This computer, until you stop it",
    ),
    (
        granted(f"time < {MOMENT + 400 * DAY}", kind="act"),
        "Computer graph may now change Processor load, until 26 December 2027",
    ),
    (
        granted('destination = ["https://a.example/in"]', kind="export", target="export-service",
                source="", label="a.example"),
        "Computer graph may now send to a.example, until you stop it",
    ),
    (
        granted(client="os-monitor", kind="own", source="", label=""),
        "This computer may write its own values",
    ),
    (
        granted(client="manager", kind="part", source="", label=""),
        "The box itself may see the list of the values of This computer",
    ),
    (revoked(), "Computer graph may no longer see Processor load: you stopped it"),
    (
        revoked(why="expiry", kind="act"),
        "Computer graph may no longer change Processor load: its time was over",
    ),
    (
        revoked(kind="export", source="", label="a.example", why="uninstall"),
        "Computer graph may no longer send to a.example: it was removed",
    ),
    (
        revoked(kind="", source="", label="", why="by the manager"),
        "Computer graph may no longer use the values of This computer",
    ),
    (refused(), "Computer graph asked for Memory in use and was refused: no permission"),
    (
        refused(count=3, why="grant-ended", path="/sub/memory-used/ts"),
        "Computer graph asked for Memory in use and was refused, 3 times: access was stopped",
    ),
    (
        refused(method="POST", path="/cpu-load/kv"),
        "Computer graph wanted to change Processor load and was refused: no permission",
    ),
    (
        refused(target="arbiter", method="POST", path="/cm/grant-container-permissions"),
        "Computer graph asked for something of the box itself and was refused: no permission",
    ),
    (
        refused(target="export-service", method="POST", path="/export", why="destination"),
        "Computer graph wanted to send something and was refused: that place is not allowed",
    ),
    (
        refused(client="unknown", path="/cat", why="token-missing"),
        "Somebody asked for something of This computer and was refused: no permission",
    ),
    (
        refused(target="(many others)", method="", path="(many others)", why="(many others)",
                count=9),
        "Computer graph asked for many other things and was refused, 9 times",
    ),
    (
        ExportIntent(export="1", client="computer-graph", url="https://a.example/in", size=999,
                     sha256="", grant="g1"),
        "Computer graph is about to send 999 bytes to a.example",
    ),
    (outcome("sent", "200"), "Computer graph sent something to a.example"),
    (
        outcome("failed", "it answered 404"),
        "Computer graph could not send something to a.example: it answered 404",
    ),
    (
        outcome("unknown"),
        "Perhaps something from Computer graph reached a.example: the box cannot know",
    ),
    (outcome("cancelled"), "Something from Computer graph for a.example was not sent"),
    (
        outcome("refused"),
        "Computer graph wanted to send something to a.example and was refused",
    ),
    (
        Egress(component="hue", host="b.example", connections=1, sent=999, received=1_234_567),
        "Lamps talked to b.example once: 999 bytes sent, 1.2 MB received",
    ),
    (
        Egress(component="hue", host="b.example", connections=0, sent=999, received=0),
        "Lamps went on talking to b.example: 999 bytes sent, 0 bytes received",
    ),
    (
        outcome("{a form}"),
        "Perhaps something from Computer graph reached a.example: the box cannot know",
    ),
    (Lifecycle(component="computer-graph", event="crashed"), "Computer graph crashed"),
    (
        Lifecycle(component="gateway", event="was restarted", reason="it took too long"),
        "A part of the box was restarted: it took too long",
    ),
    (
        TokenMinted(grant="g1", client="computer-graph", target=STORE, method="GET", path="/x"),
        "Computer graph got a pass for the values of This computer",
    ),
    (
        StoreHead(store=STORE, head="00", records=1),
        "The list of 1 look at the values of This computer was sealed",
    ),
    (
        Discrepancy(store=STORE, why="fewer", known=1200, found=1),
        "An older copy of the values of This computer was put back, or its end was cut off:"
        " 1 look on record there, 1,200 were known",
    ),
    (
        Discrepancy(store=STORE, why="other", known=5, found=5),
        "The record of who looked at the values of This computer is another one than was known",
    ),
    (
        Discrepancy(store=STORE, why="broken", known=5, found=5, detail="row 3"),
        "Somebody changed the record of who looked at the values of This computer: row 3",
    ),
    (
        Discrepancy(store=STORE, why="behind", known=5, found=7),
        "An older copy of the History was put back, or its end was cut off:"
        " it knows 5 of the 7 looks on record at the values of This computer",
    ),
    (
        Discrepancy(store="ledger", why="broken", known=5, found=5, detail="entry 3"),
        "The History was changed by somebody: entry 3",
    ),
    (
        Accepted(store=STORE, user="Ada"),
        "Ada let the values of This computer go on with what is there",
    ),
    (Accepted(store="ledger", user=""), "The owner let the History go on with what is there"),
    (access(items=1, exact="raw"), "Computer graph read 1 value of CPU load"),
    (access(label="", exact="raw"), "Computer graph read 1,440 values of Processor load"),
    (
        access(operation="subscribe", items=0),
        "Computer graph asked to be told of new values of CPU load, each minute",
    ),
    (
        access(operation="subscribe", items=0, source="", label="", exact="raw"),
        "Computer graph asked to be told of new values of This computer",
    ),
    (access(items=0, exact="raw"), "Computer graph read no values of CPU load"),
    (
        access(items=4, source="", label="", exact="raw"),
        "Computer graph looked at what there is of This computer",
    ),
    (
        access(operation="delete", items=0, user="Ada", earliest=1000, latest=2000),
        "Ada deleted values of CPU load",
    ),
    (
        access(operation="delete", items=0, user="Ada", earliest=None, latest=None),
        "Ada deleted what there was of CPU load",
    ),
    (
        access(operation="keep", items=0, user="Ada", earliest=None, latest=None),
        "Ada said how long values of CPU load stay",
    ),
    (
        access(operation="subscribe"),
        "Computer graph was told of 1,440 values of CPU load as they came, each minute",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("event", "words"), SENTENCES, ids=[words for _, words in SENTENCES])
def test_sentence_of_an_entry(event: Event, words: str) -> None:
    assert told(event) == words


@pytest.mark.parametrize("event", [event for event, _ in SENTENCES], ids=lambda e: type(e).__name__)
def test_sentence_speaks_as_an_owner_does(event: Event) -> None:
    assert not PROGRAMMERS.search(told(event))


def test_every_kind_of_entry_is_tried_here() -> None:
    assert {type(event) for event, _ in SENTENCES} == set(get_args(Event))


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (access(), "Computer graph read 1,440 values of CPU load today, each minute"),
        (
            access(client="gateway", user="Ana", exact="raw"),
            "Ana read 1,440 values of CPU load today",
        ),
        (
            access(client="os-monitor", operation="write", exact="raw"),
            "This computer wrote 1,440 values of CPU load today",
        ),
    ],
)
def test_sum_of_a_day_names_the_day(event: Event, words: str) -> None:
    assert told(event, day="today") == words


def test_many_passes_are_one_sentence() -> None:
    minted = TokenMinted(
        grant="g", client="computer-graph", target=STORE, method="GET", path="/x", count=1200
    )
    assert told(minted, day="today") == (
        "Computer graph got 1,200 passes for the values of This computer today"
    )


@pytest.mark.parametrize(
    ("event", "technical"),
    [
        (StoreHead(store=STORE, head="", records=1), True),
        (TokenMinted(grant="", client="os-monitor", target=STORE, method="", path=""), True),
        (granted(client="manager", kind="part"), True),
        (revoked(client="manager"), True),
        (refused(client="gateway"), True),
        (access(client="manager"), True),
        (Login(user="Owner", ok=True, how="command line"), True),
        (Login(user="Owner", ok=False, how="command line"), False),
        (granted(), False),
        (granted(client="os-monitor", kind="own"), False),
        (revoked(), False),
        (refused(), False),
        (refused(client="unknown"), False),
        (access(), False),
        (access(client="gateway", user="Ana"), False),
        (Login(user="Ana", ok=True, how="passphrase"), False),
        (Lifecycle(component="gateway", event="crashed"), False),
    ],
)
def test_only_inner_working_is_technical(event: Event, technical: bool) -> None:
    assert is_technical(event) is technical


def test_day_of_a_permission_is_that_of_the_owners_clock() -> None:
    late = 1_795_299_000_000  # 21 November, 22:10 in Greenwich
    entry = Entry(n=1, t=MOMENT, by="arbiter", event=granted(f"time < {late}"))
    assert sentence(entry, NAMES).endswith("until 21 November")
    assert sentence(entry, Names(zone=120)).endswith("until 22 November")
