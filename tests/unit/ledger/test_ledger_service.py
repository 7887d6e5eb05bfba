"""The ledger's endpoints, asked as a part or as the signed-in owner."""

import asyncio
import base64
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from databox.kit.clock import FixedClock
from databox.kit.database import open_database
from databox.kit.http.client import MAX_BODY
from databox.kit.http.message import Answer, Request, Response
from databox.kit.http.router import Router
from databox.kit.table import Table
from databox.ledger import tree
from databox.ledger.bundle import parted, verify_bundle
from databox.ledger.chain import Ledger
from databox.ledger.service import LedgerService
from databox.wire import api
from databox.wire.errors import BadRequest, Denied
from databox.wire.ledger import (
    Access,
    Checkpoint,
    Discrepancy,
    Installed,
    Lifecycle,
    Refused,
    StoreHead,
    TokenMinted,
    leaf_hash,
)

KEY = bytes(range(32))
T = TypeVar("T")


@dataclass
class Person:
    role: str = "owner"
    user: str = "Ada"


@dataclass
class OpenGuard:
    person: Person = field(default_factory=Person)

    def check(self, request: Request) -> Person:
        return self.person


class Box:
    """The endpoints over a fresh ledger."""

    def __init__(self, path: Path) -> None:
        self.guard = OpenGuard()
        self.ledger = Ledger(open_database(path, KEY), KEY, FixedClock())
        self._router = Router()
        LedgerService(self.ledger, FixedClock()).serve(Table(self._router, self.guard))

    def call(self, method: str, path: str, body: object = None, caller: str = "gateway") -> Answer:
        path, _, query = path.partition("?")
        content = b"" if body is None else msgspec.json.encode(body)
        request = Request(method, path, query, {}, path, content, caller)
        return asyncio.run(_settled(self._router.resolve(request).handler(request)))

    def history(self, query: str = "") -> api.History:
        answer = self.call("GET", f"/api/history{query}")
        assert isinstance(answer, Response)
        return msgspec.json.decode(answer.body, type=api.History)


async def _settled(answer: Answer | Awaitable[Answer]) -> Answer:
    return await answer if isinstance(answer, Awaitable) else answer


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path / "authority.db")


def access(operation: str = "read") -> Access:
    return Access(
        store="os-monitor-store", client="graph", user="", source="load", exact="raw",
        operation=operation, count=1, items=10, size=100, label="CPU load",
    )  # fmt: skip


def written(box: Box) -> None:
    install = Installed(
        component="graph", kind="app", title="Graph", version="1", package="", signer=""
    )
    box.call("POST", "/entries", api.EntryRequest(events=(install,)), "manager")
    for _ in range(3):
        events = api.EntryRequest(events=(access(),))
        box.call("POST", "/entries", events, "os-monitor-store")


def test_history_speaks_in_sentences_with_titles(box: Box) -> None:
    written(box)
    rows = box.history().rows
    assert rows[0].sentence == "Graph read 10 values of CPU load"
    assert len(rows) == 4


def test_history_by_day_sums_up(box: Box) -> None:
    written(box)
    rows = box.history("?by=day").rows
    assert rows[0].sentence == "Graph read 30 values of CPU load today"
    assert len(rows) == 2


def test_days_begin_where_a_quarter_of_an_hour_does(box: Box) -> None:
    written(box)
    assert len(box.history("?by=day&zone=345").rows) == 2
    with pytest.raises(BadRequest, match="zone"):
        box.history("?by=day&zone=7")


def test_history_goes_on_where_it_ended(box: Box) -> None:
    written(box)
    first = box.history("?limit=3")
    second = box.history(f"?limit=3&before={first.next}")
    assert [row.entry.n for row in (*first.rows, *second.rows)] == [3, 2, 1, 0]
    assert second.next is None


def test_history_tells_a_source_by_what_its_driver_calls_it(box: Box) -> None:
    written(box)
    refused = Refused(
        client="graph", target="os-monitor-store", method="GET", path="/load/ts", why="token-path"
    )
    box.ledger.append("arbiter", [refused])
    assert box.history().rows[0].sentence == (
        "Graph asked for CPU load and was refused: no permission"
    )


def test_history_marks_what_is_technical_and_leaves_it_out_where_asked(box: Box) -> None:
    written(box)
    minted = TokenMinted(grant="g1", client="graph", target="a-store", method="GET", path="/x")
    box.ledger.append("arbiter", [minted])
    assert [row.technical for row in box.history("?limit=2").rows] == [True, False]
    for by in ("entry", "day"):
        plain = box.history(f"?technical=0&by={by}&limit=1")
        assert [row.entry.event.__class__ for row in plain.rows] == [Access]


@pytest.mark.parametrize(
    "query",
    [
        "technical=no",
        "limit=0",
        "limit=x",
        "limit=501",
        "before=-1",
        "since=1e9",
        "by=week",
        "zone=900",
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(box: Box, query: str) -> None:
    with pytest.raises(BadRequest) as error:
        box.history(f"?{query}")
    assert error.value.field == query.partition("=")[0]


def test_a_part_may_not_write_in_anothers_name(box: Box) -> None:
    for caller in ("hue-store", "manager", "gateway"):
        with pytest.raises(Denied):
            box.call("POST", "/entries", api.EntryRequest(events=(access(),)), caller)
    assert box.ledger.size() == 0


def test_only_the_owner_reads_the_history(box: Box) -> None:
    box.guard.person = Person(role="")
    for path in ("", "/bundle", "/checkpoint", "/verdict"):
        with pytest.raises(Denied):
            box.call("GET", f"/api/history{path}")


def pages(box: Box) -> list[tuple[bytes, int | None]]:
    """Every page, while entries are written in between."""
    found: list[tuple[bytes, int | None]] = []
    at: int | None = 0
    while at is not None:
        answer = box.call("GET", f"/api/history/bundle?from={at}")
        assert isinstance(answer, Response)
        assert len(answer.body) < MAX_BODY
        found.append(parted(answer.body))
        at = found[-1][1]
        box.ledger.append("manager", [Lifecycle(component="graph", event="crashed")])
    return found


def lines_of(found: list[tuple[bytes, int | None]]) -> list[bytes]:
    return b"".join(page for page, _ in found).splitlines(keepends=True)


def grown(box: Box, entries: int = 90) -> None:
    """Far more than an answer may hold, in few entries."""
    long = Lifecycle(component="graph", event="crashed", reason="x" * 200_000)
    box.ledger.append("manager", [long] * entries)


def test_the_bundle_verifies_without_the_box(box: Box) -> None:
    written(box)
    found = pages(box)
    verdict = verify_bundle(lines_of(found), box.ledger.public_key)
    assert (verdict.problem, verdict.size, len(found)) == ("", 4, 1)


def test_heads_that_wait_for_their_lines_are_in_the_bundle(box: Box) -> None:
    written(box)
    head = StoreHead(store="os-monitor-store", head="05", records=5)
    box.call("POST", "/entries", api.EntryRequest(events=(head,)), "os-monitor-store")
    verdict = verify_bundle(lines_of(pages(box)), box.ledger.public_key)
    assert (verdict.problem, verdict.size) == ("", 5)


def test_a_ledger_larger_than_an_answer_comes_in_pages_that_verify(box: Box) -> None:
    grown(box)
    found = pages(box)
    lines = lines_of(found)
    assert sum(map(len, lines)) > MAX_BODY
    verdict = verify_bundle(lines, box.ledger.public_key)
    assert verdict.problem == ""
    assert verdict.size == 90 + len(found) - 1


def test_an_entry_lost_where_two_pages_meet_is_named(box: Box) -> None:
    grown(box, 30)
    found = pages(box)
    border = found[0][1]
    assert border is not None
    for at in (border - 1, border):
        lines = lines_of(found)
        del lines[at]
        problem = verify_bundle(lines, box.ledger.public_key).problem
        assert problem == f"entry {at} is missing: entry {at + 1} stands in its place"


def test_an_entry_changed_where_two_pages_meet_is_named(box: Box) -> None:
    grown(box, 30)
    found = pages(box)
    border = found[0][1]
    assert border is not None
    lines = lines_of(found)
    lines[border] = lines[border].replace(b"xx", b"xy", 1)
    problem = verify_bundle(lines, box.ledger.public_key).problem
    assert problem.startswith(f"entry {border} was changed")


def test_a_page_beyond_the_ledger_is_refused(box: Box) -> None:
    written(box)
    with pytest.raises(BadRequest, match="from"):
        box.call("GET", "/api/history/bundle?from=5")


def test_the_last_page_may_hold_the_checkpoint_alone(box: Box) -> None:
    written(box)
    answer = box.call("GET", "/api/history/bundle?from=4")
    assert isinstance(answer, Response)
    assert msgspec.json.decode(answer.body)["size"] == 4


def test_the_box_checks_itself(box: Box) -> None:
    written(box)
    answer = box.call("GET", "/api/history/verdict")
    assert isinstance(answer, Response)
    verdict = msgspec.json.decode(answer.body, type=api.Verdict)
    assert verdict.ok
    assert verdict.size == 4


def asked(box: Box, path: str, kind: type[T]) -> T:
    answer = box.call("GET", f"/api/history/{path}")
    assert isinstance(answer, Response)
    return msgspec.json.decode(answer.body, type=kind)


def raw(texts: Sequence[str]) -> list[bytes]:
    return [base64.b64decode(text) for text in texts]


def test_an_entry_is_proven_to_be_under_the_checkpoint(box: Box) -> None:
    grown(box, 20)
    checkpoint = asked(box, "checkpoint", Checkpoint)
    for n in (0, 7, 19):
        proof = asked(box, f"inclusion?n={n}&size=20", api.Inclusion)
        root = base64.b64decode(checkpoint.root)
        leaf = leaf_hash(proof.leaf.encode())
        assert tree.includes(leaf, n, checkpoint.size, raw(proof.path), root)


def test_nothing_is_proven_to_have_changed_since_a_checkpoint(box: Box) -> None:
    written(box)
    old = asked(box, "checkpoint", Checkpoint)
    grown(box, 20)
    now = asked(box, "checkpoint", Checkpoint)
    proof = asked(box, f"consistency?from={old.size}&to={now.size}", api.Consistency)
    roots = raw([old.root, now.root])
    assert tree.consistent(old.size, roots[0], now.size, roots[1], raw(proof.path))


@pytest.mark.parametrize(
    "path",
    ["inclusion?n=4", "inclusion?n=0&size=5", "consistency?from=5", "consistency?from=2&to=1"],
)
def test_what_is_not_there_cannot_be_proven(box: Box, path: str) -> None:
    written(box)
    with pytest.raises(BadRequest):
        box.call("GET", f"/api/history/{path}")


def test_an_empty_ledger_proves_nothing(box: Box) -> None:
    with pytest.raises(BadRequest, match="size"):
        box.call("GET", "/api/history/inclusion")
    assert asked(box, "consistency", api.Consistency).path == ()


def test_reads_are_told_in_sentences_with_their_sums(box: Box) -> None:
    written(box)
    (row,) = asked(box, "reads?component=graph&since=0", api.Reads).rows
    assert row.sentence == "Graph read 30 values of CPU load"
    assert (row.access.count, row.access.items, row.access.size) == (3, 30, 300)
    assert asked(box, "reads?component=other", api.Reads).rows == ()
    assert asked(box, "reads?store=os-monitor-store&source=other", api.Reads).rows == ()


def test_the_period_that_is_told_is_said(box: Box) -> None:
    told = asked(box, "reads?since=1000&until=900001", api.Reads)
    assert (told.since, told.until) == (0, 1_800_000)


def test_parts_are_told_for_a_while_that_somebody_looks(box: Box) -> None:
    def watched() -> bool:
        events = api.EntryRequest(events=(access(),))
        answer = box.call("POST", "/entries", events, "os-monitor-store")
        assert isinstance(answer, Response)
        return msgspec.json.decode(answer.body, type=api.EntryReply).watched

    assert not watched()
    box.history()
    assert watched()


def test_a_store_is_told_its_own_head_and_no_other(box: Box) -> None:
    head = StoreHead(store="os-monitor-store", head="05", records=5)
    box.call("POST", "/entries", api.EntryRequest(events=(head,)), "os-monitor-store")
    for caller, records in (("os-monitor-store", 5), ("hue-store", 0)):
        answer = box.call("GET", "/known-head", caller=caller)
        assert isinstance(answer, Response)
        assert msgspec.json.decode(answer.body, type=api.KnownHead).records == records
    with pytest.raises(Denied):
        box.call("GET", "/known-head", caller="manager")


def test_what_was_put_back_is_an_alarm_until_the_owner_accepts(box: Box) -> None:
    found = Discrepancy(store="os-monitor-store", why="fewer", known=5, found=3)
    box.call("POST", "/entries", api.EntryRequest(events=(found,)), "os-monitor-store")
    (alarm,) = asked(box, "alarms", api.Alarms).alarms
    assert alarm.sentence.startswith("An older copy of the values of os-monitor was put back")
    box.call("POST", "/api/history/accept", api.AcceptRequest(store="os-monitor-store"))
    assert asked(box, "alarms", api.Alarms).alarms == ()
    (row,) = box.history("?kind=accepted").rows
    assert row.sentence.startswith("Ada let the values of os-monitor go on")
    box.guard.person = Person(role="")
    for method, path in (("GET", "alarms"), ("POST", "accept"), ("GET", "reads")):
        with pytest.raises(Denied):
            box.call(method, f"/api/history/{path}", api.AcceptRequest(store="a"))
