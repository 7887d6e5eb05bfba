"""Somebody with the key changes a store's record of accesses: what was done is found and named."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from tests.conformance.store.running import KEY

from databox.kit.database import open_database, rows, transaction
from databox.store import audit
from databox.store.audit import ROWS_A_PACK, broken_at, next_head
from databox.store.file import StoreFile
from databox.store.writes import PackAudit

LENGTH = ROWS_A_PACK + 100
AT = ROWS_A_PACK + 40
"""The row that is tampered with, among those that are not pressed together yet."""

Tamper = Callable[[apsw.Connection], object]


def record(client: str) -> bytes:
    return audit.encode(audit.Record(client, "", "g1", audit.READ, "load", "raw", 1, 8))


def write(path: Path, count: int, client: str = "graph") -> None:
    with closing(StoreFile(path, KEY)) as file:
        for now in range(count):
            file.commit({record(client): 1}, [], now)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose accesses are 600 rows, the first 500 of them pressed together."""
    path = tmp_path_factory.mktemp("made") / "store.db"
    write(path, LENGTH - 1)
    with closing(StoreFile(path, KEY)) as file:
        file.commit({record("graph"): 1}, [PackAudit(LENGTH)], LENGTH)
    return path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(made, tmp_path))


def found_in(path: Path) -> tuple[int | None, int]:
    """The first broken row, and how many rows there are."""
    with closing(StoreFile(path, KEY)) as file, closing(file.reader()) as reader:
        chain = list(reader.chain())
        return broken_at(chain), len(chain)


def head_at(path: Path, records: int) -> str:
    with closing(StoreFile(path, KEY)) as file, closing(file.reader()) as reader:
        return reader.head_at(records)


def edit_a_row(file: apsw.Connection) -> None:
    blob = audit.pack({record("somebody-else"): 1})
    file.execute("UPDATE audit SET blob = ? WHERE n = ?", (blob, AT))


def edit_when_it_was(file: apsw.Connection) -> None:
    file.execute("UPDATE audit SET t = t + 1 WHERE n = ?", (AT,))


def edit_a_row_and_its_head(file: apsw.Connection) -> None:
    """The head of the row fits again, so the next row is the first that does not follow."""
    ((before,),) = rows(file, "SELECT head FROM audit WHERE n = ?", (AT - 2,))
    ((t,),) = rows(file, "SELECT t FROM audit WHERE n = ?", (AT - 1,))
    blob = audit.pack({record("somebody-else"): 1})
    head = next_head(before, t, blob)
    file.execute("UPDATE audit SET blob = ?, head = ? WHERE n = ?", (blob, head, AT - 1))


def remove_a_row(file: apsw.Connection) -> None:
    """The row after it is the first that does not follow."""
    file.execute("DELETE FROM audit WHERE n = ?", (AT - 1,))


def remove_a_row_and_close_the_gap(file: apsw.Connection) -> None:
    file.execute("DELETE FROM audit WHERE n = ?", (AT,))
    for n in range(AT + 1, LENGTH + 1):
        file.execute("UPDATE audit SET n = n - 1 WHERE n = ?", (n,))


def swap_two_rows(file: apsw.Connection) -> None:
    for old, new in ((AT, 0), (AT + 1, AT), (0, AT + 1)):
        file.execute("UPDATE audit SET n = ? WHERE n = ?", (new, old))
    # As a number for accesses so far it has to look right.
    file.execute("UPDATE audit SET total = n WHERE n IN (?, ?)", (AT, AT + 1))


@pytest.mark.parametrize(
    "tamper",
    [
        edit_a_row,
        edit_when_it_was,
        edit_a_row_and_its_head,
        remove_a_row,
        remove_a_row_and_close_the_gap,
        swap_two_rows,
    ],
    ids=lambda tamper: tamper.__name__,
)
def test_the_row_that_does_not_follow_is_named(path: Path, tamper: Tamper) -> None:
    with closing(open_database(path, KEY)) as file, transaction(file):
        tamper(file)
    assert found_in(path)[0] == AT


def test_edited_rows_among_pressed_ones_are_named_by_their_last(path: Path) -> None:
    with closing(open_database(path, KEY)) as file, transaction(file):
        (pressed, head), *_ = rows(file, "SELECT rows, head FROM pack")
        changed = audit.unpress(pressed, head)
        blob = audit.pack({record("somebody-else"): 1})
        changed[7] = audit.Row(changed[7].n, changed[7].t, changed[7].total, blob, b"")
        file.execute("UPDATE pack SET rows = ?", (audit.press(changed),))
    assert found_in(path)[0] == ROWS_A_PACK


def test_rows_missing_at_the_beginning_are_found(path: Path) -> None:
    with closing(open_database(path, KEY)) as file:
        file.execute("DELETE FROM pack")
    assert found_in(path)[0] == ROWS_A_PACK + 1


def test_an_untouched_record_holds(path: Path) -> None:
    assert found_in(path) == (None, LENGTH)


def test_the_head_at_a_number_stays_what_it_was_as_the_store_goes_on(path: Path) -> None:
    told = (ROWS_A_PACK // 2, ROWS_A_PACK, AT, LENGTH)
    before = [head_at(path, records) for records in told]
    write(path, ROWS_A_PACK)
    with closing(StoreFile(path, KEY)) as file:
        assert file.commit({}, [PackAudit(LENGTH + ROWS_A_PACK)], 0) == [True]
    assert "" not in before
    assert [head_at(path, records) for records in told] == before


def test_a_record_that_was_cut_off_has_no_head_where_it_was_told(path: Path) -> None:
    with closing(open_database(path, KEY)) as file:
        file.execute("DELETE FROM audit WHERE n > ?", (AT,))
    assert found_in(path) == (None, AT)
    assert head_at(path, LENGTH) == ""


@pytest.mark.parametrize("told", [LENGTH + 1, LENGTH + 50])
def test_an_old_copy_that_went_on_has_another_head_where_it_was_told(path: Path, told: int) -> None:
    shutil.copyfile(path, path.with_suffix(".old"))
    write(path, 50)
    before = head_at(path, told)
    shutil.copyfile(path.with_suffix(".old"), path)
    assert head_at(path, told) == ""
    write(path, 100, client="somebody-else")
    assert found_in(path) == (None, LENGTH + 100)
    assert head_at(path, told) not in ("", before)
