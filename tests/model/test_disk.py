"""The failing disk itself: what it loses, and that a store that did not sync would be caught."""

import random
from pathlib import Path

import pytest
from tests.model.disk import SECTOR, Disk, Fate, Fault, Kind, Recorded, below, lay_out

from databox.kit import database
from databox.kit.database import open_database, rows
from databox.wire.errors import Unavailable

KEY = bytes(range(32))
OLD, NEW = b"o" * SECTOR, b"n" * SECTOR


def written(sectors: int = 4) -> Recorded:
    """A file of old sectors, each of which was then written in one go and not synced."""
    return Recorded(OLD * sectors, [(0, NEW * sectors)])


@pytest.mark.parametrize("fate", Fate)
def test_what_was_synced_stays(fate: Fate) -> None:
    file = written()
    file.sync()
    assert file.after(fate, random.Random(1)) == NEW * 4


def test_what_was_not_synced_may_be_lost_kept_or_torn() -> None:
    assert written().after(Fate.LOST, random.Random(1)) == OLD * 4
    assert written().after(Fate.KEPT, random.Random(1)) == NEW * 4
    cut = {written().after(Fate.CUT, random.Random(each)) for each in range(40)}
    assert {NEW * number + OLD * (4 - number) for number in range(5)} == cut


def test_later_writes_may_arrive_before_earlier_ones() -> None:
    found = {written().after(Fate.SCATTERED, random.Random(each)) for each in range(40)}
    assert OLD * 3 + NEW in found
    assert len(found) > 5


def test_a_new_file_is_there_for_good_only_after_a_sync(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.create("a")
    disk.change("a", (0, b"1"), "write")
    assert disk.picture.after(Fate.LOST, random.Random(1)) == {}
    disk.sync("a")
    assert disk.picture.after(Fate.LOST, random.Random(1)) == {"a": b"1"}
    disk.delete("a")
    assert disk.picture.after(Fate.LOST, random.Random(1)) == {"a": b"1"}
    assert disk.picture.after(Fate.KEPT, random.Random(1)) == {}


def filled(folder: Path) -> dict[str, bytes]:
    """What is left of a database of ten rows when the power goes with the tenth acknowledged."""
    disk = lay_out({}, folder)
    with below(disk):
        connection = open_database(folder / "a.db", KEY)
        connection.execute("CREATE TABLE t (n)")
        for number in range(10):
            connection.execute("INSERT INTO t VALUES (?)", (number,))
        found = disk.picture.after(Fate.LOST, random.Random(1))
        connection.close()
    return found


def kept(found: dict[str, bytes], folder: Path) -> int:
    with below(lay_out(found, folder)):
        connection = open_database(folder / "a.db", KEY)
        number = rows(connection, "SELECT count(*) FROM t")[0][0]
        connection.close()
    return int(number)


def test_a_database_that_syncs_loses_nothing(tmp_path: Path) -> None:
    assert kept(filled(tmp_path / "0"), tmp_path / "1") == 10


def test_a_database_that_does_not_sync_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_SETTINGS", (("synchronous", "normal"),))
    found = filled(tmp_path / "0")
    with pytest.raises(Unavailable):  # not even the table is left
        kept(found, tmp_path / "1")


@pytest.mark.parametrize(
    ("kind", "code"),
    [(Kind.WRITE, "disk-trouble"), (Kind.SYNC, "disk-trouble"), (Kind.FULL, "disk-full")],
)
def test_a_failure_is_the_one_asked_for_and_is_over_after_it(
    tmp_path: Path, kind: Kind, code: str
) -> None:
    disk = Disk(tmp_path)
    with below(disk):
        connection = open_database(tmp_path / "a.db", KEY)
        disk.fault = Fault(kind, after=1)
        with pytest.raises(Unavailable) as refused, database.transaction(connection):
            connection.execute("CREATE TABLE t (n)")
            connection.execute("INSERT INTO t VALUES (1)")
        assert refused.value.code == code
        with database.transaction(connection):
            connection.execute("CREATE TABLE t (n)")
        connection.close()
