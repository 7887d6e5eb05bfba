"""What stays, what goes, what is damaged, and what is not loaded."""

import subprocess
import sys
from array import array
from pathlib import Path

import apsw
import pytest

from databox.kit.database import open_again
from databox.store.engine import blocks, hot, ingest
from databox.store.engine.batch import Batch
from databox.store.engine.blocks import Blocks
from databox.store.engine.points import HOUR, pack_columns
from databox.store.file import (
    DeletePoints,
    DeleteSource,
    DropRaw,
    NewColumns,
    NewDocuments,
    NewItem,
    NewReading,
    Reader,
    StoreFile,
)
from databox.store.readings import EARLIEST, LATEST
from databox.wire.errors import BadRequest, Conflict, Unavailable

KEY = bytes(range(32))
DAY = 24 * HOUR


def columns(first: int, count: int, step: int = 1000, source: str = "load") -> NewColumns:
    packed = pack_columns(
        [first + n * step for n in range(count)], [n % 100 / 4 for n in range(count)]
    )
    assert packed is not None
    return NewColumns(source, "", *packed)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def file(path: Path) -> StoreFile:
    """A day at one point a second, sealed."""
    file = StoreFile(path, KEY)
    file.commit({}, [columns(0, 86_400)], 0)
    return file


def hourly(reader: Reader, first: int = 0, end: int = DAY) -> list[tuple[object, ...]]:
    return [
        (
            each.start,
            each.n,
            each.min,
            each.max,
            pytest.approx(each.sum),
            pytest.approx(each.squares),
        )
        for each in reader.windows("load", first, end, HOUR)
    ]


def test_sums_stay_when_single_points_are_dropped(file: StoreFile) -> None:
    reader = file.reader()
    before = hourly(reader)
    cut = 10 * HOUR + 1234
    dropped = file.commit({}, [DropRaw("load", cut)], 0)
    assert dropped == [36_002]
    assert reader.count("load", EARLIEST, LATEST) == 86_400 - 36_002
    assert [each.times.tolist()[0] for each in reader.runs("load", 0, LATEST, limit=1)] == [
        10 * HOUR + 2000
    ]
    assert hourly(reader) == before
    day = next(iter(reader.windows("load", 0, DAY, DAY, percentiles=(50,))))
    assert (day.n, day.approximate) == (86_400, True)
    assert day.percentiles[0] == pytest.approx(12.25, rel=0.02)


def test_dropping_again_counts_what_came_late(file: StoreFile) -> None:
    file.commit({}, [DropRaw("load", 5 * HOUR)], 0)
    file.commit({}, [NewReading("load", HOUR + 7, b"1000.0")], 0)
    first = next(iter(file.reader().windows("load", HOUR, 2 * HOUR, HOUR)))
    assert (first.n, first.max) == (3601, 1000.0)
    assert file.commit({}, [DropRaw("load", 5 * HOUR)], 0) == [1]
    again = next(iter(file.reader().windows("load", HOUR, 2 * HOUR, HOUR)))
    assert (again.n, again.max, again.sum) == (3601, 1000.0, pytest.approx(first.sum))
    assert file.reader().count("load", 0, 5 * HOUR - 1) == 0


def test_deleting_also_forgets_the_sums_of_dropped_points(file: StoreFile) -> None:
    file.commit({}, [DropRaw("load", 5 * HOUR)], 0)
    file.commit({}, [DeletePoints("load", HOUR + 5, HOUR + 6)], 0)
    starts = [each[0] for each in hourly(file.reader(), 0, 5 * HOUR)]
    assert starts == [0, 2 * HOUR, 3 * HOUR, 4 * HOUR]


def test_a_deleted_source_leaves_no_series_and_its_name_can_be_used_again(
    file: StoreFile,
) -> None:
    file.commit({}, [NewReading("load", 5, b"1", '{"room":"hall"}')], 0)
    assert file.commit({}, [DeleteSource("load")], 0) == [86_401]
    reader = file.reader()
    assert (reader.series("load"), reader.sources()) == ([], [])
    assert reader.newest("load") is None
    file.commit({}, [NewReading("load", 5, b"2")], 0)
    newest = reader.newest("load")
    assert newest is not None
    assert newest.data == b"2"


def opened_plain(path: Path, _key: bytes) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    return connection


def test_nothing_deleted_is_left_in_the_file_or_its_log(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the cipher, so that the file's bytes can be searched; and without pressing.
    monkeypatch.setattr("databox.store.file.open_current", opened_plain)
    monkeypatch.setattr("databox.store.file.open_again", opened_plain)
    monkeypatch.setattr("databox.store.engine.codec.Codec.encode", plainly)
    file = StoreFile(path, KEY)
    canary = b'"canary %d "'
    for first in range(0, 4000, 500):
        points = [(t, canary % t) for t in range(first, first + 500)]
        file.commit({}, [NewDocuments("load", "", points)], 0)
    file.commit({}, [NewReading("load", t, canary % t) for t in range(3000, 5000, 3)], 0)
    while file.maintain():
        pass
    file.commit({}, [NewReading("load", 7000, canary % 7000)], 0)
    assert any(b"canary" in each.read_bytes() for each in path.parent.iterdir())
    monkeypatch.setattr(Blocks, "read", lambda self, meta: pytest.fail("read"))
    file.commit({}, [DeleteSource("load")], 0)
    for each in path.parent.iterdir():
        assert b"canary" not in each.read_bytes()


def damaged(path: Path, number: int) -> None:
    """Change a byte in the pages of one block's content."""
    connection = open_again(path, KEY)
    with connection:
        blob = connection.execute(
            "SELECT bytes FROM chunk WHERE id = ?", (number * 16 + 1,)
        ).fetchall()[0][0]
        changed = blob[: len(blob) // 2] + b"\xff\x00\xff" + blob[len(blob) // 2 + 3 :]
        connection.execute("UPDATE chunk SET bytes = ? WHERE id = ?", (changed, number * 16 + 1))
    connection.close()


def test_a_damaged_block_costs_itself_and_is_named(file: StoreFile, path: Path) -> None:
    damaged(path, 3)
    reader = file.reader()
    lost = blocks.MOST_POINTS - 3
    count = sum(len(run) for run in reader.runs("load", EARLIEST, LATEST))
    assert 0 < 86_400 - count <= blocks.MOST_POINTS
    (damage,) = reader.damage()
    assert (damage.source, damage.tags, damage.why) == ("load", "", "codec")
    assert (damage.last - damage.first) // 1000 + 1 == 86_400 - count > lost // 2


def test_a_page_that_fails_its_check_costs_at_most_its_blocks(file: StoreFile, path: Path) -> None:
    file.close()
    original, lost, whole = path.read_bytes(), 0, 86_400
    for page in range(8, len(original) // 4096):
        changed = bytearray(original)
        changed[page * 4096 + 100] ^= 1
        path.write_bytes(changed)
        lost += check_page(path, whole)
    # Most pages are blocks' own; the others hold what leads to blocks, or nothing.
    assert lost > len(original) // 4096 / 2


def check_page(path: Path, whole: int) -> int:
    """Read, write and delete where one page fails its check; gives how many blocks were lost."""
    try:
        file = StoreFile(path, KEY)
    except Unavailable as error:
        assert error.code == "database-damaged"
        return 0
    reader = file.reader()
    try:
        count = sum(len(run) for run in reader.runs("load", EARLIEST, LATEST))
        damage = reader.damage()
        assert (count < whole) == bool(damage)
        assert whole - count <= len(damage) * blocks.MOST_POINTS
        if damage:
            check_goes_on(file, reader, damage[0].first, count)
        return len(damage)
    except Unavailable as error:
        assert error.code == "database-damaged"
        return 0
    finally:
        reader.close()
        file.close()


def check_goes_on(file: StoreFile, reader: Reader, first: int, count: int) -> None:
    """Writing into a lost block puts it out of the way; everything else goes on."""
    file.commit({}, [columns(first, 600)], 0)
    assert sum(len(run) for run in reader.runs("load", EARLIEST, LATEST)) == count + 600
    assert first in [each.first for each in reader.damage()]
    assert len(hourly(reader)) == 24
    (deleted,) = file.commit({}, [DeletePoints("load", EARLIEST, LATEST)], 0)
    assert isinstance(deleted, int)
    assert deleted >= count + 600
    assert reader.damage() == []


def plainly(_codec: object, batch: Batch) -> bytes:
    return b"".join(batch.texts())


def test_too_many_series_refuse_the_one_write_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "MOST_OF_A_SOURCE", 2)
    file = StoreFile(path, KEY)
    writes = [NewReading("load", 1, b"1", f'{{"n":"{n}"}}') for n in range(3)]
    results = file.commit({}, [*writes, NewReading("heat", 1, b"2")], 0)
    assert isinstance(results[2], Conflict)
    assert len(file.reader().series("load")) == 2
    assert file.reader().newest("heat") is not None


def test_a_group_that_fails_midway_leaves_the_next_one_right(path: Path) -> None:
    file = StoreFile(path, KEY)
    for _ in range(3):
        with pytest.raises(Exception, match="refused"):
            file.commit({}, [columns(0, 5000), NewReading("new", 1, b"1"), NewItem("x", None)], 0)  # type: ignore[arg-type]
        file.commit({}, [NewReading("new", 2, b"2"), columns(0, 5000)], 0)
    assert file.reader().count("load", 0, LATEST) == 5000
    assert [each.data for batch in file.reader().readings("new", 0, 9) for each in batch] == [b"2"]


@pytest.mark.parametrize("order", ["ascending", "scattered"])
def test_the_journal_stays_small_whatever_comes(path: Path, order: str) -> None:
    file = StoreFile(path, KEY)
    file.commit({}, [columns(0, 60_000)], 0)
    for group in range(60):
        step = 1 if order == "ascending" else 997
        moments = [(group * 500 + n) * step % 60_000_000 for n in range(500)]
        file.commit({}, [NewReading("load", t, b"1") for t in moments], 0)
        held = file.reader()._rows("SELECT coalesce(sum(points), 0) FROM journal")[0][0]
        assert held <= 2 * hot.MOST_POINTS


IDLE = """
import sys
from array import array
from pathlib import Path
from databox.store.file import NewReading, StoreFile
file = StoreFile(Path(sys.argv[1]), bytes(range(32)))
reader = file.reader()
assert reader.newest("load").t == int(sys.argv[2])
file.commit({}, [NewReading("load", 10**9 + n, b"1.5") for n in range(50)], 0)
file.maintain()
assert reader.newest("load").t == 10**9 + 49
assert sum(map(len, reader.readings("load", 10**9, 10**9 + 9))) == 10
assert not {"numpy", "zstandard"} & set(sys.modules), "loaded before a block was touched"
assert reader.count("load", 5, 10**10)
assert "numpy" in sys.modules
import threading, os
assert len(os.listdir("/proc/self/task")) == 1, "a library started threads"
"""


def test_serving_the_latest_point_loads_nothing_heavy(file: StoreFile, path: Path) -> None:
    file.close()
    newest = str(86_399_000)
    done = subprocess.run(
        [sys.executable, "-c", IDLE, str(path), newest], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("count", [3, 2000])
@pytest.mark.parametrize(
    ("t", "value"), [(5, float("nan")), (5, float("inf")), (LATEST + 1, 1.0), (EARLIEST - 1, 1.0)]
)
def test_what_is_no_moment_or_no_number_is_refused(
    path: Path, count: int, t: int, value: float
) -> None:
    times = array("q", [*range(count - 1), t]).tobytes()
    values = array("d", [*[1.0] * (count - 1), value]).tobytes()
    file = StoreFile(path, KEY)
    refused, written = file.commit(
        {}, [NewColumns("load", "", times, values), NewReading("load", 1, b"2")], 0
    )
    assert isinstance(refused, BadRequest)
    assert not isinstance(written, BadRequest)
    assert file.reader().count("load", EARLIEST, LATEST) == 1


def test_a_failure_while_packing_does_not_fail_the_group(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Blocks, "write", lambda *_: 1 / 0)
    file = StoreFile(path, KEY)
    writes = [NewReading("load", t, b"1") for t in range(hot.MOST_POINTS + 1)]
    assert len(file.commit({}, writes, 0)) == len(writes)
    monkeypatch.undo()
    while file.maintain():
        pass
    assert file.reader().count("load", 0, LATEST) == len(writes)
