"""Entries in words."""

from typing import get_args

import pytest

from databox.ledger.sentences import day_word, sentence
from databox.wire.ledger import (
    Access,
    Egress,
    Event,
    ExportOutcome,
    Granted,
    Lifecycle,
    Login,
    Refused,
    TokenMinted,
)

TITLES = {"computer-graph": "Computer graph", "os-monitor": "This computer"}


def access(**more: object) -> Access:
    fields: dict[str, object] = {
        "store": "os-monitor-store", "client": "computer-graph", "user": "", "source": "load",
        "exact": "PT1M", "operation": "read", "count": 24, "items": 1440, "size": 9999,
        "label": "CPU load",
    }  # fmt: skip
    return Access(**(fields | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("event", "when", "words"),
    [
        (access(), "today", "Computer graph read 1,440 readings of CPU load today, by the minute"),
        (access(items=1, exact="raw"), "", "Computer graph read 1 reading of CPU load"),
        (access(label="", exact="raw"), "", "Computer graph read 1,440 readings of load"),
        (
            access(client="gateway", user="Ada", exact="raw"),
            "today",
            "Ada read 1,440 readings of CPU load today",
        ),
        (
            access(client="os-monitor", operation="write", exact="raw"),
            "",
            "This computer wrote 1,440 readings of CPU load",
        ),
        (Login(user="Ada", ok=False, how="passphrase"), "", "Ada failed to sign in by passphrase"),
        (
            Refused(client="computer-graph", target="os-monitor-store", method="GET", path="/x",
                    why="access was stopped", count=3),
            "",
            "Computer graph was refused GET /x on the store of This computer:"
            " access was stopped, 3 times",
        ),
        (
            Granted(grant="g", client="computer-graph", target="os-monitor-store",
                    routes=("GET /load",), caveats=("granularity >= PT1M",)),
            "",
            "Computer graph was allowed to use the store of This computer: GET /load"
            " (only if granularity >= PT1M)",
        ),
        (
            ExportOutcome(export="1", client="computer-graph", url="https://a.example/",
                          outcome="sent"),
            "",
            "Computer graph sent data to https://a.example/",
        ),
        (
            Egress(component="hue", host="a.example", connections=1, sent=999, received=1_234_567),
            "",
            "Hue connected to a.example 1 time: 999 bytes sent, 1.2 MB received",
        ),
        (Lifecycle(component="computer-graph", event="crashed"), "", "Computer graph crashed"),
    ],
)  # fmt: skip
def test_the_sentence_of_an_entry(event: Event, when: str, words: str) -> None:
    assert sentence(event, TITLES, when) == words


def test_many_tokens_are_one_sentence() -> None:
    minted = TokenMinted(
        grant="g", client="computer-graph", target="os-monitor-store", method="GET", path="/x"
    )
    assert sentence(minted, TITLES, "today", 1200) == (
        "Computer graph received 1,200 tokens for the store of This computer today"
    )


def test_every_kind_of_entry_has_a_sentence() -> None:
    for kind in get_args(Event):
        values = {
            field: [] if "tuple" in str(kind.__annotations__[field])
            else {"int": 1, "bool": True, "str": "x"}[kind.__annotations__[field].__name__]
            for field in kind.__struct_fields__
            if field not in ("earliest", "latest")
        }  # fmt: skip
        words = sentence(kind(**values), {})
        assert words
        assert "Struct" not in words


def test_days_are_called_as_people_do() -> None:
    assert [day_word(day, 20_000) for day in (20_000, 19_999, 19_000)] == [
        "today", "yesterday", "on 8 January 2022",
    ]  # fmt: skip
