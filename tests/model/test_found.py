"""What the machine has found in the store, as short as it gets, so that it stays found."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest
from tests.model import sizes
from tests.model.disk import Fault, Kind, below, lay_out
from tests.model.generated import TAGS, evenly

from databox.store.file import StoreFile
from databox.store.readings import EARLIEST, LATEST
from databox.store.writes import DeletePoints, DeleteSource, NewReading
from databox.wire.errors import Unavailable

KEY = bytes(range(32))


@pytest.fixture
def file(tmp_path: Path) -> Iterator[StoreFile]:
    file = StoreFile(tmp_path / "store.db", KEY)
    yield file
    file.close()


def test_a_block_that_could_not_be_read_for_once_is_not_given_up(tmp_path: Path) -> None:
    disk = lay_out({}, tmp_path / "disk")
    early, late = evenly("a", "", 0, 1000, 4000), evenly("a", "", 500, 1000, 4000)
    with below(disk):
        StoreFile(disk.folder / "store.db", KEY).commit({}, [early], 0)
        file = StoreFile(disk.folder / "store.db", KEY)
        for after in range(60):
            disk.fault = Fault(Kind.READ, after)
            with suppress(Unavailable):
                file.commit({}, [late], 1)
            disk.fault = None
            file.reopen()
        file.commit({}, [late], 2)
        reader = file.reader()
        assert reader.count("a", EARLIEST, LATEST) == 8000
        assert reader.damage() == []
        reader.close()
        file.close()


@pytest.mark.parametrize("kind", [Kind.POWER, Kind.READ])
def test_a_store_that_does_not_open_says_so_in_one_way(tmp_path: Path, kind: Kind) -> None:
    disk = lay_out({}, tmp_path / "disk")
    refused = 0
    with below(disk):
        StoreFile(disk.folder / "store.db", KEY).close()
        for after in range(40):
            disk.fault = Fault(kind, after)
            try:
                StoreFile(disk.folder / "store.db", KEY).close()
            except Unavailable:
                refused += 1
    assert refused


@pytest.mark.parametrize("delete", [DeleteSource("a"), DeletePoints("a", EARLIEST, LATEST)])
def test_a_series_of_which_all_is_deleted_is_gone(
    file: StoreFile, delete: DeleteSource | DeletePoints
) -> None:
    file.commit({}, [NewReading("a", 0, b"1")], 0)
    file.commit({}, [delete], 1)
    reader = file.reader()
    assert reader.series("a") == []
    reader.close()


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [*range(1, 40), 64, 128])
def test_a_limit_ends_an_answer_wherever_it_falls(
    file: StoreFile, monkeypatch: pytest.MonkeyPatch, limit: int, newest_first: bool
) -> None:
    sizes.make_small(monkeypatch)
    file.commit({}, [evenly("a", "", 0, 1000, 100), evenly("a", TAGS[1], 7, 900, 100)], 0)
    reader = file.reader()
    runs = reader.runs("a", EARLIEST, LATEST, limit=limit, newest_first=newest_first)
    assert sum(len(run) for run in islice(runs, 1000)) == limit
    reader.close()
