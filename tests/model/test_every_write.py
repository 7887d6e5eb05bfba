"""The power goes before every single write of a story, and whatever is left opens as it should."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.model.compare import difference, held_by, should_hold
from tests.model.disk import Disk, Fate, Picture, below, forget, lay_out
from tests.model.generated import SOURCES, START, STATES, TAGS, evenly
from tests.model.plain import HOUR, Plain
from tests.model.sizes import make_small

from databox.store import audit
from databox.store.file import StoreFile
from databox.store.writes import (
    DeletePoints,
    DeleteSource,
    DeleteValue,
    DropRaw,
    NewDocuments,
    NewReading,
    NewValue,
    Write,
)

KEY = bytes(range(32))
RECORD = audit.encode(audit.Record("x", "", "g", "read", "a", "raw", 1))
LARGE = b'"%b"' % (b"x" * 5000)
A, B = SOURCES


def groups() -> Iterator[Sequence[Write]]:
    """Every kind of write, and enough points for blocks to be made and made again."""
    yield [NewReading(A, START, b"1"), NewValue("k", b"one")]
    yield [NewDocuments(B, TAGS[1], [(START + n, LARGE) for n in range(3)])]
    for number in range(4):
        first = START + number * HOUR
        yield [evenly(A, "", first, 97_000, 40), NewReading(A, START, b"%d" % number)]
    yield [evenly(A, TAGS[2], START, 977, 25)]
    yield [evenly(A, "", START + HOUR // 2, 100_000, 28)]
    yield [DeletePoints(A, START + HOUR, START + 2 * HOUR), DeleteValue("k")]
    yield [DropRaw(A, START + 3 * HOUR)]
    yield [DeleteSource(B), NewReading(B, START, b"2.5")]


@dataclass(frozen=True, slots=True)
class Moment:
    """The disk before one of its operations, and what a store on it may hold: one of these."""

    picture: Picture
    may_hold: tuple[Plain, ...]


def told(folder: Path) -> list[Moment]:
    """The whole story, moment by moment."""
    moments: list[Moment] = []
    disk = lay_out({}, folder)
    model = later = Plain()

    def watch() -> None:
        moments.append(Moment(disk.picture.copy(), (model, later)))

    disk.watch = watch
    with below(disk):
        file = StoreFile(folder / "store.db", KEY)
        for now, group in enumerate(groups()):
            later, _ = model.after({RECORD: 1}, group, now)
            file.commit({RECORD: 1}, group, now)
            model = later
            while file.maintain():
                pass
        file.close()
    return moments


def left_after(moment: Moment, fate: Fate, seed: int, folder: Path) -> None:
    """Open what a power cut leaves of a moment, compare, and write on."""
    disk: Disk = lay_out(moment.picture.after(fate, random.Random(seed)), folder)
    with below(disk), closing(StoreFile(folder / "store.db", KEY)) as file:
        with closing(file.reader()) as reader:
            held = held_by(reader, SOURCES, STATES)
        fitting = [each for each in moment.may_hold if should_hold(each, SOURCES, STATES) == held]
        assert fitting, difference(held, should_hold(moment.may_hold[0], SOURCES, STATES))
        model = fitting[0]
        group = [NewReading(A, START - 1, b"0")]
        file.commit({}, group, 99)
        while file.maintain():
            pass
        with closing(file.reader()) as reader:
            held = held_by(reader, SOURCES, STATES)
        assert held == should_hold(model.after({}, group, 99)[0], SOURCES, STATES)
    forget(folder)


@pytest.mark.parametrize(
    "every", [5, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_a_power_cut_before_any_write_leaves_whole_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int, tell: Callable[[str], None]
) -> None:
    make_small(monkeypatch)
    moments = told(tmp_path / "story")
    tried = 0
    for number, moment in enumerate(moments):
        for fate in Fate if every == 1 else [tuple(Fate)[number % len(Fate)]]:
            if number % every == 0:
                left_after(moment, fate, number, tmp_path / f"{number}-{fate}")
                tried += 1
    tell(f"power cut before each of {len(moments)} operations of a disk: {tried} of them looked at")
