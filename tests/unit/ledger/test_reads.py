"""Who read what: the sums are a plain recount of all lines, for any period and choice."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from databox.kit.clock import FixedClock
from databox.kit.database import open_database
from databox.ledger.chain import Ledger
from databox.ledger.reads import MOST, Asked, Reads
from databox.ledger.summing import DAY, QUARTER
from databox.wire.ledger import Access

KEY = bytes(range(32))
words = st.sampled_from(["a", "b"])
counts = st.integers(0, 1000)
moments = st.integers(0, 5 * DAY)
accesses = st.builds(
    Access, store=words, client=words, user=st.sampled_from(["", "Ada"]), source=words,
    exact=words, operation=st.sampled_from(["read", "subscribe", "write"]), count=counts,
    items=counts, size=counts, earliest=st.none() | moments, latest=st.none() | moments,
    label=st.just("Load"),
)  # fmt: skip
Line = tuple[int, Access]
choices = st.builds(
    Asked, component=words | st.just(""), store=words | st.just(""), source=words | st.just(""),
    since=st.none() | moments, until=st.none() | moments,
)  # fmt: skip


def written(folder: Path, lines: list[Line]) -> Ledger:
    clock = FixedClock(0)
    ledger = Ledger(open_database(folder / "authority.db", KEY), KEY, clock)
    for moment, access in lines:
        clock.time = moment
        ledger.append("store", [access])
    return ledger


def fits(asked: Asked, moment: int, access: Access) -> bool:
    """Whether a line is asked for; periods are whole quarters of an hour."""
    first = 0 if asked.since is None else asked.since // QUARTER * QUARTER
    last = 10 * DAY if asked.until is None else -(-asked.until // QUARTER) * QUARTER
    return (
        access.operation != "write"
        and asked.component in ("", access.client)
        and asked.store in ("", access.store)
        and asked.source in ("", access.source)
        and first <= moment < last
    )


def recount(lines: list[Line], asked: Asked) -> set[tuple[object, ...]]:
    kinds: dict[tuple[str, ...], list[Line]] = {}
    for moment, a in lines:
        if fits(asked, moment, a):
            key = (a.client, a.user, a.store, a.source, a.exact, a.operation)
            kinds.setdefault(key, []).append((moment, a))
    found = set()
    for kind, group in kinds.items():
        sums = (sum(getattr(a, name) for _, a in group) for name in ("count", "items", "size"))
        earliest = min((a.earliest for _, a in group if a.earliest is not None), default=None)
        latest = max((a.latest for _, a in group if a.latest is not None), default=None)
        found.add((*kind, *sums, earliest, latest, group[0][0], group[-1][0]))
    return found


def told(each: Reads) -> tuple[object, ...]:
    a = each.event
    kind = (a.client, a.user, a.store, a.source, a.exact, a.operation)
    return (*kind, a.count, a.items, a.size, a.earliest, a.latest, each.first, each.last)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(moments, accesses), max_size=40), choices)
def test_reads_are_a_plain_recount_of_all_lines(lines: list[Line], asked: Asked) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = written(Path(folder), lines).reads(asked)
    assert {told(each) for each in found} == recount(lines, asked)
    assert all(each.event.label == "Load" for each in found)


def test_more_kinds_than_fit_are_bounded(tmp_path: Path) -> None:
    lines = [(n, access(f"app-{n}")) for n in range(MOST + 10)]
    found = written(tmp_path, lines).reads(Asked())
    assert len(found) == MOST + 1
    assert found[0].event.client == f"app-{MOST + 9}"


def access(client: str) -> Access:
    return Access(
        store="a-store", client=client, user="", source="load", exact="raw", operation="read",
        count=1, items=1, size=1,
    )  # fmt: skip
