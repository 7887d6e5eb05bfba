"""The encrypted database: nothing readable on the disk, and clear words when it cannot open."""

import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from databox.kit import database
from databox.wire.errors import Unavailable

KEY = bytes(range(32))
STEPS = ("CREATE TABLE t (x)", "ALTER TABLE t ADD COLUMN y")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "part.db"


def code_of(error: pytest.ExceptionInfo[Unavailable]) -> str:
    return error.value.code


def test_what_is_written_is_there_after_opening_again(path: Path) -> None:
    first = database.open_database(path, KEY)
    database.prepare(first, "part", STEPS)
    first.execute("INSERT INTO t VALUES (1, 2)")
    first.close()
    again = database.open_database(path, KEY)
    assert again.execute("SELECT x, y FROM t").fetchall() == [(1, 2)]


def test_no_word_is_readable_in_file_or_log(path: Path) -> None:
    connection = database.open_database(path, KEY)
    database.prepare(connection, "part", STEPS)
    connection.execute("INSERT INTO t VALUES ('canary', 'canary')")
    assert {each.name for each in path.parent.iterdir()} >= {"part.db", "part.db-wal"}
    for each in path.parent.iterdir():
        assert b"canary" not in each.read_bytes()
        assert b"SQLite format" not in each.read_bytes()


def test_only_the_owner_may_read_the_file(path: Path) -> None:
    database.open_database(path, KEY).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_commit_is_synced(path: Path) -> None:
    connection = database.open_database(path, KEY)
    assert connection.pragma("synchronous") == 2
    assert database.open_again(path, KEY).pragma("synchronous") == 2


def test_a_wrong_key_is_named_and_harms_nothing(path: Path) -> None:
    first = database.open_database(path, KEY)
    database.prepare(first, "part", STEPS)
    first.close()
    with pytest.raises(Unavailable) as error:
        database.open_database(path, bytes(32))
    assert code_of(error) == "database-key"
    assert database.open_database(path, KEY).execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_plain_text_file_is_refused(path: Path) -> None:
    plain = apsw.Connection(str(path))
    plain.execute("CREATE TABLE t (x)")
    plain.close()
    with pytest.raises(Unavailable) as error:
        database.open_database(path, KEY)
    assert code_of(error) == "database-not-encrypted"


def test_the_library_without_ciphers_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(apsw, "mc_version")
    with pytest.raises(Unavailable) as error:
        database.open_database(path, KEY)
    assert code_of(error) == "database-not-encrypted"
    assert not path.exists()


def test_a_library_that_ignores_the_key_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(apsw.Connection):
        def pragma(self, name: str, *value: object, **more: object) -> object:
            return "ok" if name == "key" else super().pragma(name, *value, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(apsw, "Connection", Deaf)
    with pytest.raises(Unavailable) as error:
        database.open_database(path, KEY)
    assert code_of(error) == "database-not-encrypted"


def test_a_newer_format_is_refused(path: Path) -> None:
    connection = database.open_database(path, KEY)
    database.prepare(connection, "part", STEPS)
    with pytest.raises(Unavailable) as error:
        database.prepare(connection, "part", STEPS[:1])
    assert code_of(error) == "database-newer"


def test_an_older_format_is_led_forward(path: Path) -> None:
    connection = database.open_database(path, KEY)
    database.prepare(connection, "part", STEPS[:1])
    connection.execute("INSERT INTO t VALUES (1)")
    database.prepare(connection, "part", STEPS)
    assert connection.execute("SELECT x, y FROM t").fetchall() == [(1, None)]


def test_a_step_that_fails_leaves_the_old_format(path: Path) -> None:
    connection = database.open_database(path, KEY)
    database.prepare(connection, "part", STEPS[:1])
    with pytest.raises(Unavailable):
        database.prepare(connection, "part", (*STEPS, "CREATE TABLE t (again)"))
    database.prepare(connection, "part", STEPS)


def test_two_parts_share_a_file_with_a_number_each(path: Path) -> None:
    connection = database.open_database(path, KEY)
    database.prepare(connection, "part", STEPS)
    database.prepare(connection, "other", ("CREATE TABLE u (x)",))
    database.prepare(connection, "part", STEPS)
    rows = connection.execute("SELECT part, number FROM format ORDER BY part").fetchall()
    assert rows == [("other", 1), ("part", 2)]


def test_a_full_disk_is_named(path: Path) -> None:
    connection = database.open_database(path, KEY)
    database.prepare(connection, "part", STEPS)
    connection.pragma("max_page_count", connection.pragma("page_count"))
    with pytest.raises(Unavailable) as error, database.explained():
        connection.execute("INSERT INTO t VALUES (zeroblob(100000), 0)")
    assert code_of(error) == "disk-full"


def test_a_damaged_file_is_not_served(path: Path) -> None:
    connection = database.open_database(path, KEY)
    database.prepare(connection, "part", STEPS)
    connection.close()
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: size // 2] + os.urandom(size - size // 2))
    with pytest.raises(Unavailable) as error, database.explained():
        database.open_database(path, KEY).execute("SELECT * FROM t").fetchall()
    assert code_of(error) in {"database-damaged", "database-key"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(path: Path) -> None:
    path.parent.chmod(0o500)
    with pytest.raises(Unavailable) as error:
        database.open_database(path, KEY)
    assert code_of(error) == "database-unreachable"


def test_a_second_connection_does_not_drop_the_locks_of_the_first(path: Path) -> None:
    first = database.open_database(path, KEY, wal=False)
    database.prepare(first, "part", STEPS)
    first.execute("BEGIN IMMEDIATE")
    database.open_again(path, KEY, wal=False)
    other = (
        "import apsw, sys; c = apsw.Connection(sys.argv[1]); c.pragma('cipher', 'chacha20');"
        "c.pragma('key', 'raw:' + sys.argv[2])\n"
        "try: c.execute('BEGIN IMMEDIATE')\n"
        "except apsw.BusyError: print('busy')"
    )
    done = subprocess.run(
        [sys.executable, "-c", other, str(path), KEY.hex()], capture_output=True, check=True
    )
    assert done.stdout == b"busy\n"


def test_what_is_written_into_the_room_takes_none_of_the_disk(path: Path) -> None:
    connection = database.open_database(path, KEY)
    database.prepare(connection, "part", STEPS)
    database.keep_room(connection)
    connection.execute("INSERT INTO t VALUES (0, '')")
    before = {each.name: each.stat().st_size for each in path.parent.iterdir()}
    for number in range(2000):
        connection.execute("INSERT INTO t VALUES (?, ?)", (number, "x" * 300))
    assert {each.name: each.stat().st_size for each in path.parent.iterdir()} == before


def test_room_that_is_there_is_not_made_again(path: Path) -> None:
    connection = database.open_database(path, KEY)
    database.keep_room(connection)
    pages = connection.pragma("page_count")
    database.keep_room(connection)
    assert connection.pragma("page_count") == pages


def test_a_disk_that_is_almost_full_is_left_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = database.open_database(path, KEY)
    found = list(os.statvfs(path.parent))
    found[4] = 100
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(found))
    database.keep_room(connection)
    assert connection.pragma("freelist_count") == 0
