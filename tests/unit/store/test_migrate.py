"""A file of the older format is brought up whole, or stays as it was."""

import os
from pathlib import Path

import apsw
import pytest

from databox.kit.database import open_database, prepare, rows, transaction
from databox.store import audit, migrate
from databox.store.engine import schema
from databox.store.engine.blocks import Blocks
from databox.store.file import NewReading, StoreFile
from databox.store.migrate import open_current, plan_of
from databox.store.readings import EARLIEST, LATEST
from databox.wire.errors import Unavailable

KEY = bytes(range(32))
COUNT = 10_000
DOCUMENTS = [b'{"a":1}', b'"text"', b"null", b"5", b"2.50"]


@pytest.fixture(params=[1, 2])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file as an older version wrote it, with several readings for one moment."""
    path = tmp_path / "store.db"
    connection = open_database(path, KEY)
    prepare(connection, "store", schema.STEPS[: request.param])
    head = audit.next_head(audit.START, 7, b"[[1,[1]]]")
    with transaction(connection):
        connection.execute("INSERT INTO source VALUES (1, 'load'), (2, 'heat')")
        connection.executemany(
            "INSERT INTO reading VALUES (1, ?, ?, ?)",
            [(t // 2, t, b"%d" % t) for t in range(COUNT)],
        )
        connection.executemany("INSERT INTO reading VALUES (2, ?, 9, ?)", enumerate(DOCUMENTS, -2))
        connection.execute("INSERT INTO value VALUES ('key', ?)", (b'"kept"',))
        connection.execute("INSERT INTO audit VALUES (1, 7, 1, ?, ?)", (b"[[1,[1]]]", head))
    connection.close()
    return path


def stored(file: StoreFile, source: str) -> list[tuple[int, bytes]]:
    batches = file.reader().readings(source, EARLIEST, LATEST)
    return [(each.t, each.data) for batch in batches for each in batch]


def still_old(path: Path) -> bool:
    connection = open_database(path, KEY)
    found = rows(connection, "SELECT count(*) FROM reading")
    connection.close()
    return found == [(COUNT + len(DOCUMENTS),)]


def test_everything_is_there_afterwards_and_the_last_written_counts(path: Path) -> None:
    file = StoreFile(path, KEY)
    assert stored(file, "load") == [(t, b"%d" % (2 * t + 1)) for t in range(COUNT // 2)]
    heat = [b'{"a":1}', b'"text"', b"null", b"5", b"2.5"]
    assert stored(file, "heat") == list(enumerate(heat, -2))
    reader = file.reader()
    assert reader.value("key") == (b'"kept"', "application/json")
    assert audit.broken_at(reader.chain()) is None
    newest = reader.newest("load")
    assert newest is not None
    assert newest.data == b"%d" % (COUNT - 1)
    assert [each.name for each in path.parent.iterdir() if "before" in each.name] == []
    file.commit({}, [NewReading("load", 10**9, b"1")], 8)
    assert len(stored(file, "load")) == COUNT // 2 + 1


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    plan = plan_of(path, KEY)
    assert plan is not None
    assert (plan.sources, plan.readings) == (2, COUNT + len(DOCUMENTS))
    assert f"{plan.readings} readings of 2 sources become blocks" in str(plan)
    assert path.read_bytes() == before
    StoreFile(path, KEY).close()
    assert plan_of(path, KEY) is None


def test_what_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, written = Blocks.write, 0

    def fails(self: Blocks, series: int, batch: object) -> object:
        nonlocal written
        written += 1
        if written == 2:
            raise apsw.FullError
        return real(self, series, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Blocks, "write", fails)
    with pytest.raises(Unavailable) as error:
        StoreFile(path, KEY)
    assert error.value.code == "disk-full"
    assert still_old(path)
    monkeypatch.undo()
    assert len(stored(StoreFile(path, KEY), "load")) == COUNT // 2


def test_a_point_that_is_lost_on_the_way_is_found(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = migrate._pages
    monkeypatch.setattr(migrate, "_pages", lambda each: real(p for p in each if p[1] != b"77"))
    with pytest.raises(Unavailable) as error:
        StoreFile(path, KEY)
    assert error.value.code == "migration-failed"
    monkeypatch.undo()
    assert still_old(path)


@pytest.mark.parametrize("step", ["_change", "_compare", "_remove"])
def test_a_crash_at_any_step_is_made_good_at_the_next_opening(path: Path, step: str) -> None:
    pid = os.fork()
    if pid == 0:
        setattr(migrate, step, lambda *_: os._exit(9))
        open_current(path, KEY)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert any("before" in each.name for each in path.parent.iterdir())
    file = StoreFile(path, KEY)
    assert len(stored(file, "load")) == COUNT // 2
    assert not any("before" in each.name for each in path.parent.iterdir())


def test_without_room_for_a_copy_nothing_is_begun(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "_ROOM", 2**50)
    with pytest.raises(Unavailable) as error:
        StoreFile(path, KEY)
    assert error.value.code == "disk-full"
    assert still_old(path)


def test_a_newer_format_is_refused_by_name(path: Path) -> None:
    StoreFile(path, KEY).close()
    connection = open_database(path, KEY)
    connection.execute("UPDATE format SET number = 99 WHERE part = 'store'")
    connection.close()
    with pytest.raises(Unavailable) as error:
        StoreFile(path, KEY)
    assert error.value.code == "database-newer"
    assert "store format 99" in str(error.value)
