"""Bytes of a store's file that went bad: they cost what lies there, by name, and nothing else."""

import random
import shutil
from array import array
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conformance.store.running import KEY

from databox.kit.database import open_database, rows
from databox.store.engine.points import Damage
from databox.store.file import StoreFile
from databox.store.reader import Reader
from databox.store.readings import EARLIEST, LATEST
from databox.store.writes import NewColumns, NewDocuments, NewReading, NewValue
from databox.wire.errors import Unavailable

PAGE = 4096
BLOCK = 4000
NUMBERS, TEXTS = "temperature", "message"
_BLOCKS = 4

Points = dict[int, bytes]


@dataclass(frozen=True, slots=True)
class Sound:
    """A store whose file is whole. `pages`: where its tables lie, by their names."""

    path: Path
    points: dict[str, Points]
    pages: dict[str, list[int]]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    path = tmp_path_factory.mktemp("sound") / "store.db"
    chance = random.Random(1)
    with closing(StoreFile(path, KEY)) as file:
        for block in range(_BLOCKS):
            file.commit({b"[1]": 1}, [_numbers(block, chance)], block)
        texts = [(t, b'"%b"' % chance.randbytes(200).hex().encode()) for t in range(2000)]
        file.commit({}, [NewDocuments(TEXTS, "", texts)], _BLOCKS)
        values = [NewValue(f"k{n}", chance.randbytes(3000)) for n in range(20)]
        file.commit({}, [NewReading(NUMBERS, LATEST, b"1"), *values], _BLOCKS + 1)
        with closing(file.reader()) as reader:
            points = {source: points_of(reader, source) for source in (NUMBERS, TEXTS)}
    return Sound(path, points, _pages(path))


def _numbers(block: int, chance: random.Random) -> NewColumns:
    times = array("q", range(block * BLOCK, (block + 1) * BLOCK))
    values = array("d", [chance.random() for _ in times])
    return NewColumns(NUMBERS, "", times.tobytes(), values.tobytes())


def _pages(path: Path) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    with closing(open_database(path, KEY)) as file:
        for name, kind, page in rows(file, "SELECT name, pagetype, pageno FROM dbstat"):
            found.setdefault(f"{name} {kind}", []).append(page)
    return found


def points_of(reader: Reader, source: str) -> Points:
    batches = reader.readings(source, EARLIEST, LATEST)
    return {each.t: each.data for batch in batches for each in batch}


def damaged(sound: Sound, folder: Path, page: int, chance: random.Random) -> Path:
    """A copy with one bit of a page flipped."""
    path = Path(shutil.copy(sound.path, folder / f"{page}.db"))
    with path.open("r+b") as file:
        place = (page - 1) * PAGE + chance.randrange(PAGE)
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1 << chance.randrange(8)]))
    return path


def is_named(missing: set[int], source: str, damage: list[Damage]) -> bool:
    """Whether each point that is missing lies in a stretch that is told as lost."""
    lost = [(each.first, each.last) for each in damage if each.source == source]
    return all(any(first <= t <= last for first, last in lost) for t in missing)


def look(path: Path, sound: Sound) -> Iterator[str]:
    """Ask everything; gives what is served, and what is refused by naming the file or a stretch."""
    with closing(StoreFile(path, KEY)) as file, closing(file.reader()) as reader:
        for source, points in sound.points.items():
            try:
                found = points_of(reader, source)
            except Unavailable as refused:
                assert refused.code == "database-damaged"
                continue
            assert found.items() <= points.items(), "something else than what was written"
            assert is_named(points.keys() - found.keys(), source, reader.damage())
            yield source if len(found) == len(points) else f"some of {source}"
        with suppress(Unavailable):
            values = [reader.value(f"k{n}") for n in range(20)]
            assert [len(value[0]) for value in values if value is not None] == [3000] * 20
            yield "values"
        with suppress(Unavailable):
            file.commit({b"[2]": 1}, [NewReading(NUMBERS, -1, b"2")], 99)
            assert reader.count(NUMBERS, -1, -1) == 1
            yield "writing"


def test_a_sound_store_serves_everything(sound: Sound, tmp_path: Path) -> None:
    path = Path(shutil.copy(sound.path, tmp_path))
    assert set(look(path, sound)) == {NUMBERS, TEXTS, "values", "writing"}


def test_a_bad_page_of_a_block_costs_that_block_alone(sound: Sound, tmp_path: Path) -> None:
    chance = random.Random(2)
    for page in chance.sample(sound.pages["chunk overflow"], 8):
        path = damaged(sound, tmp_path, page, chance)
        served = set(look(path, sound))
        assert {"values", "writing"} < served
        assert served & {NUMBERS, TEXTS}, "only one source has something in that block"
        assert served & {f"some of {NUMBERS}", f"some of {TEXTS}"}


def test_a_bad_page_of_the_values_costs_no_point(sound: Sound, tmp_path: Path) -> None:
    chance = random.Random(3)
    for page in chance.sample(sound.pages["value overflow"] + sound.pages["value leaf"], 4):
        path = damaged(sound, tmp_path, page, chance)
        assert {NUMBERS, TEXTS, "writing"} <= set(look(path, sound))


@pytest.mark.parametrize(
    "number", [40, pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_a_bad_page_anywhere_is_named_and_hides_nothing(
    sound: Sound, tmp_path: Path, number: int
) -> None:
    chance = random.Random(number)
    pages = sound.path.stat().st_size // PAGE
    for _ in range(number):
        path = damaged(sound, tmp_path, chance.randint(1, pages), chance)
        try:
            list(look(path, sound))
        except Unavailable as refused:
            assert refused.code in ("database-damaged", "database-key", "database-not-encrypted")
            assert refused.field == path.name


def test_a_file_that_was_cut_off_is_named_or_served(sound: Sound, tmp_path: Path) -> None:
    pages = sound.path.stat().st_size // PAGE
    for left in range(0, pages, pages // 8):
        path = Path(shutil.copy(sound.path, tmp_path / f"cut-{left}.db"))
        with path.open("r+b") as file:
            file.truncate(left * PAGE + 100)
        try:
            list(look(path, sound))
        except Unavailable as refused:
            assert refused.field == path.name
