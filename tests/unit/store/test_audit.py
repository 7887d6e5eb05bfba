"""The chain of accesses: any change shows; sums tell what happened."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from databox.store import audit
from databox.store.audit import READ, REFUSE, START, Record, Row, broken_at, summarize
from databox.wire.ledger import Access, Refused


def chain(*groups: dict[bytes, int]) -> list[Row]:
    rows, head, total = [], START, 0
    for number, records in enumerate(groups, 1):
        blob = audit.pack(records)
        head = audit.next_head(head, 1000 + number, blob)
        total += sum(records.values())
        rows.append(Row(number, 1000 + number, total, blob, head))
    return rows


def read(client: str = "graph", t: int | None = 5) -> bytes:
    return audit.encode(Record(client, "", "g1", READ, "load", "raw", 1, 10, t, t))


ROWS = chain({read(): 2}, {read("other"): 1}, {}, {read(t=9): 3, read("other"): 1})


def test_a_sound_chain_holds() -> None:
    assert broken_at(ROWS) is None
    assert broken_at([]) is None


@given(st.integers(0, 3), st.data())
def test_any_flipped_bit_is_found_at_its_row(number: int, data: st.DataObject) -> None:
    blob = bytearray(ROWS[number].blob)
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    rows = [*ROWS[:number], replace(ROWS[number], blob=bytes(blob)), *ROWS[number + 1 :]]
    assert broken_at(rows) == number + 1


@given(st.integers(0, 2))
def test_a_removed_row_is_found(number: int) -> None:
    assert broken_at(ROWS[:number] + ROWS[number + 1 :]) == number + 2


@given(st.permutations(range(4)))
def test_any_reordering_is_found(order: list[int]) -> None:
    assert (broken_at([ROWS[number] for number in order]) is None) == (order == [0, 1, 2, 3])


def test_a_changed_time_is_found() -> None:
    assert broken_at([ROWS[0], replace(ROWS[1], t=0), *ROWS[2:]]) == 2


def test_records_come_back_with_their_counts() -> None:
    assert [(count, record.client) for count, record in audit.unpack(ROWS[3].blob)] == [
        (3, "graph"), (1, "other"),
    ]  # fmt: skip


def test_one_line_for_each_client_and_kind() -> None:
    events = summarize("a-store", ROWS, {"load": "CPU load"})
    assert events == [
        Access(
            store="a-store", client="graph", user="", source="load", exact="raw",
            operation="read", count=5, items=5, size=50, earliest=5, latest=9, label="CPU load",
        ),
        Access(
            store="a-store", client="other", user="", source="load", exact="raw",
            operation="read", count=2, items=2, size=20, earliest=5, latest=5, label="CPU load",
        ),
    ]  # fmt: skip


def test_refusals_are_told_with_what_was_asked_and_why() -> None:
    first = audit.encode(Record("x", "", "", REFUSE, "GET /a b", "token-expired", items=1))
    more = audit.encode(Record("x", "", "", REFUSE, "GET /a b", "token-expired", items=41))
    assert summarize("a-store", chain({first: 1}, {more: 1}), {}) == [
        Refused(
            client="x", target="a-store", method="GET", path="/a b", why="token-expired", count=42
        )
    ]
