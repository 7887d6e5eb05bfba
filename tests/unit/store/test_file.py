"""The store's file: groups are whole or not at all, and nothing in it is readable."""

from dataclasses import replace
from pathlib import Path

import pytest

from databox.store import audit
from databox.store.audit import ROWS_A_PACK, broken_at
from databox.store.engine.points import RUN_BYTES
from databox.store.file import (
    NewEndings,
    NewItem,
    NewReading,
    NewState,
    NewValue,
    PackAudit,
    StoreFile,
    Write,
)
from databox.store.readings import EARLIEST, LATEST, Reading
from databox.wire.errors import Unavailable

KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def times(file: StoreFile, source: str = "load") -> list[int]:
    batches = file.reader().readings(source, EARLIEST, LATEST, batch=3)
    return [each.t for batch in batches for each in batch]


def test_readings_come_in_order_of_time_and_the_last_written_counts(path: Path) -> None:
    file = StoreFile(path, KEY)
    for group in ([3, 1, 2], [2, 9], [2]):
        writes = [NewReading("load", t, b"%d" % (10 * len(group) + t)) for t in group]
        file.commit({}, writes, 0)
    found = [each for batch in file.reader().readings("load", 0, 5, batch=2) for each in batch]
    assert [(each.t, each.data) for each in found] == [(1, b"31"), (2, b"12"), (3, b"33")]


def test_a_batch_of_large_readings_is_bounded_by_their_size(path: Path) -> None:
    file = StoreFile(path, KEY)
    large = b'"%b"' % bytes([65] * (RUN_BYTES // 2))
    file.commit({}, [NewReading("load", t, large) for t in range(9)], 0)
    batches = list(file.reader().readings("load", 0, 100))
    assert max(map(len, batches)) == 2
    assert [each.t for batch in batches for each in batch] == list(range(9))


def test_a_reading_is_named_by_its_series_and_time_for_good(path: Path) -> None:
    seen: list[set[str]] = []
    for _ in range(3):
        file = StoreFile(path, KEY)
        writes = [NewReading("load", 1, b"0", tags) for tags in ("", '{"room":"hall"}')]
        outcomes = file.commit({}, writes, 0)
        seen.append({each.id for each in outcomes if isinstance(each, Reading)})
        file.close()
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]) == 2


def test_a_group_that_fails_leaves_nothing(path: Path) -> None:
    file = StoreFile(path, KEY)
    file.commit({b"[1]": 1}, [NewReading("load", 1, b"0")], 0)
    wrong = NewValue("key", None)  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        file.commit({b"[2]": 1}, [NewReading("new", 2, b"0"), wrong], 0)
    file.commit({b"[3]": 1}, [NewReading("new", 3, b"0")], 0)
    assert times(file) == [1]
    assert times(file, "new") == [3]
    rows = list(file.reader().chain())
    assert [row.blob for row in rows] == [b"[[1,[1]]]", b"[[1,[3]]]"]
    assert broken_at(rows) is None


@pytest.mark.parametrize("again", [False, True])
def test_the_chain_goes_on_over_restarts_and_reopening(path: Path, again: bool) -> None:
    file = StoreFile(path, KEY)
    for number in range(5):
        file.commit({audit.encode(number): number}, [], number)
        if again:
            file.reopen()
        else:
            file.close()
            file = StoreFile(path, KEY)
    rows = list(file.reader().chain())
    assert broken_at(rows) is None
    assert [row.total for row in rows] == [0, 1, 3, 6, 10]


def test_pressed_rows_are_the_same_chain_in_less_space(path: Path) -> None:
    file = StoreFile(path, KEY)
    record = audit.encode(audit.Record("os-monitor", "", "g1", "write", "load", "raw", 1, 4))
    for number in range(2 * ROWS_A_PACK + 10):
        file.commit({record: 1}, [], number)
    before = [(row.n, row.t, row.total, row.blob) for row in file.reader().chain()]
    pressed = []
    while file.commit({}, [PackAudit(2 * ROWS_A_PACK + 5)], 0)[0]:
        pressed.append(file.reader()._rows("SELECT max(length(rows)) FROM pack")[0][0])
    file.close()
    file = StoreFile(path, KEY)
    file.commit({record: 1}, [], 9)
    rows = list(file.reader().chain())
    assert [(row.n, row.t, row.total, row.blob) for row in rows[: len(before)]] == before
    assert broken_at(rows) is None
    assert len(pressed) == 2
    assert max(pressed) < 10 * ROWS_A_PACK
    assert len(file.reader().accesses(0, None, 1000)) == 11


def test_a_row_changed_among_pressed_ones_is_found(path: Path) -> None:
    file = StoreFile(path, KEY)
    for number in range(ROWS_A_PACK + 1):
        file.commit({b"[%d]" % number: 1}, [], number)
    file.commit({}, [PackAudit(ROWS_A_PACK)], 0)
    rows = list(file.reader().chain())
    changed = replace(rows[7], blob=b"[[1,[99]]]")
    assert broken_at([*rows[:7], changed, *rows[8:]]) == ROWS_A_PACK
    assert broken_at([*rows[:7], *rows[8:]]) == rows[8].n


def test_rows_that_the_ledger_does_not_know_are_not_pressed(path: Path) -> None:
    file = StoreFile(path, KEY)
    for number in range(ROWS_A_PACK + 1):
        file.commit({b"[%d]" % number: 1}, [], number)
    assert file.commit({}, [PackAudit(ROWS_A_PACK - 1)], 0) == [False]


def test_items_keep_their_place_when_they_are_replaced(path: Path) -> None:
    file = StoreFile(path, KEY)
    writes: list[Write] = [NewItem("a", b"1"), NewItem("b", b"2"), NewItem("a", b"3")]
    assert file.commit({}, writes, 0) == [True, True, False]
    assert file.reader().items() == [b"3", b"2"]


def test_values_endings_and_numbers_are_kept(path: Path) -> None:
    file = StoreFile(path, KEY)
    file.commit({}, [NewValue("k", b"1"), NewEndings(7, ("g1", "g2")), NewState("n", 3)], 0)
    file.commit({}, [NewValue("k", b"2"), NewEndings(8, ("g2",))], 0)
    reader = file.reader()
    assert reader.value("k") == (b"2", "application/json")
    assert reader.value("other") is None
    assert reader.endings() == (8, ["g1", "g2"])
    assert (reader.state("n"), reader.state("m")) == (3, 0)


def test_no_planted_word_is_readable(path: Path) -> None:
    file = StoreFile(path, KEY)
    file.commit(
        {b'["canary"]': 1},
        [
            NewReading("canary", 1, b'"canary"'),
            NewValue("canary", b'"canary"'),
            NewItem("canary", b'"canary"'),
        ],
        0,
    )
    for each in path.parent.iterdir():
        assert b"canary" not in each.read_bytes()


def test_another_key_does_not_open_it(path: Path) -> None:
    StoreFile(path, KEY).close()
    with pytest.raises(Unavailable) as error:
        StoreFile(path, bytes(32))
    assert error.value.code == "database-key"
