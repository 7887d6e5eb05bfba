"""Taking the ledger away: page by page, and all of it or nothing."""

from pathlib import Path
from typing import Any

import pytest

from databox.cli import ledger
from databox.ledger.bundle import next_line
from databox.wire.errors import Conflict, Unavailable

PAGES = {
    "0": b'{"n":0}\n{"n":1}\n' + next_line(2),
    "2": b'{"n":2}\n' + next_line(3),
    "3": b'{"size":3}\n',
}


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    pages = dict(PAGES)

    class Pretended:
        def __init__(self, operator: object) -> None:
            pass

        def call(self, endpoint: str, query: dict[str, str]) -> Any:
            assert endpoint == "bundle"
            if query["from"] not in pages:
                raise Unavailable("the box does not answer")
            return pages[query["from"]]

    monkeypatch.setattr(ledger, "operator", lambda home: None)
    monkeypatch.setattr(ledger, "Client", Pretended)
    return pages


def test_pages_make_one_file(
    box: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ledger.save(tmp_path, tmp_path / "all") == 0
    assert (tmp_path / "all").read_bytes() == b'{"n":0}\n{"n":1}\n{"n":2}\n{"size":3}\n'
    assert capsys.readouterr().out.startswith("3 entries")


@pytest.mark.parametrize("damage", [{"3": b'{"n":3}\n' + next_line(3)}, {"2": next_line(9)}])
def test_nothing_is_left_when_the_pages_end_early(
    box: dict[str, bytes], tmp_path: Path, damage: dict[str, bytes]
) -> None:
    box.update(damage)
    with pytest.raises(Unavailable):
        ledger.save(tmp_path, tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_a_file_that_is_there_is_kept(box: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "all").write_bytes(b"mine")
    with pytest.raises(Conflict):
        ledger.save(tmp_path, tmp_path / "all")
    assert (tmp_path / "all").read_bytes() == b"mine"
