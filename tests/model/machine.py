"""A store driven at random beside the plain model, over a disk that loses power and fails."""

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.model import generated
from tests.model.compare import (
    Asked,
    backwards,
    difference,
    held_by,
    same_windows,
    scanned,
    should_hold,
)
from tests.model.disk import Fate, Fault, Kind, below, forget, lay_out
from tests.model.generated import SOURCES, STATES
from tests.model.plain import HOUR, Plain, Point, seen

from databox.store.engine.points import Position, Run
from databox.store.file import StoreFile
from databox.store.reader import Reader
from databox.store.readings import EARLIEST, Reading
from databox.store.writes import PackAudit, Write
from databox.wire.errors import DataboxError, Unavailable

KEY = bytes(range(32))
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where files are made and removed quickest; no real disk is needed to lose power."""
counted: Counter[str] = Counter()
"""What the machines of this process did, for the summary."""


class StoreMachine(RuleBasedStateMachine):
    """One store and its model.

    `refused`: what the store may hold at its next start though it refused it: groups whose last
    sync failed, as long as nothing was written over them.
    """

    @initialize()
    def make(self) -> None:
        """Begin with an empty disk."""
        counted["runs"] += 1
        self.root = Path(tempfile.mkdtemp(prefix="model-", dir=IN_MEMORY))
        self.model, self.refused = Plain(), list[Plain]()
        self.now = self.lives = 0
        self.below = ExitStack()
        self.file: StoreFile | None = None
        self.reader: Reader | None = None
        self._lay_out({})
        self._open()

    def teardown(self) -> None:
        """Compare everything once more, as it is and after a last power cut."""
        if not hasattr(self, "root"):
            return
        try:
            # Without a reader a step has failed, and is the thing to tell of.
            if self.reader is not None:
                self._compare()
                self._power_cut(Fate.LOST, 0, [self.model])
        finally:
            self._abandon()
            self.below.close()
            forget(self.root)
            shutil.rmtree(self.root)

    @rule(records=generated.records, writes=generated.groups)
    def write(self, records: Mapping[bytes, int], writes: Sequence[Write]) -> None:
        """A group that goes well."""
        self._commit(records, writes)

    @rule(points=st.lists(generated.points, min_size=3, max_size=12))
    def write_much(self, points: Sequence[Write]) -> None:
        """Groups one after the other, with some sealing in between, as a store's days go by."""
        for place, write in enumerate(points):
            self._commit({}, [write])
            if place % 3 == 0:
                self._maintain(2)

    @rule(
        records=generated.records,
        writes=generated.groups,
        fault=generated.faults,
        fate=generated.fates,
        seed=generated.seeds,
    )
    def write_on_a_failing_disk(
        self,
        records: Mapping[bytes, int],
        writes: Sequence[Write],
        fault: Fault,
        fate: Fate,
        seed: int,
    ) -> None:
        """A group during which the power may go, or the disk fail."""
        with self._failing(fault, fate, seed, self.model.after(records, writes, self.now)[0]):
            self._commit(records, writes)

    @rule(steps=st.integers(1, 6))
    def maintain(self, steps: int) -> None:
        """Seal and merge, which changes nothing that can be asked."""
        self._maintain(steps)

    @rule(
        steps=st.integers(1, 6),
        fault=generated.faults,
        fate=generated.fates,
        seed=generated.seeds,
    )
    def maintain_on_a_failing_disk(self, steps: int, fault: Fault, fate: Fate, seed: int) -> None:
        """Seal and merge while the power may go, or the disk fail."""
        with self._failing(fault, fate, seed, self.model):
            self._maintain(steps)

    @rule(until=st.integers(0, 600))
    def pack_the_chain(self, until: int) -> None:
        """Press old rows of the chain of accesses together."""
        self._commit({}, [PackAudit(until)])

    @rule(fault=st.none() | generated.faults, fate=generated.fates, seed=generated.seeds)
    def open_again(self, fault: Fault | None, fate: Fate, seed: int) -> None:
        """Close in order and open, while the power may go, or the disk fail."""
        with self._failing(fault, fate, seed, self.model):
            self._close()
            self._open()

    @rule(fate=generated.fates, seed=generated.seeds)
    def lose_power(self, fate: Fate, seed: int) -> None:
        """The power goes while nothing is going on."""
        self._power_cut(fate, seed, [self.model, *self.refused])

    @rule(
        source=generated.sources,
        stretch=generated.stretches,
        tags=generated.some_tags,
        newest_first=st.booleans(),
    )
    def scan(
        self, source: str, stretch: tuple[int, int], tags: str | None, newest_first: bool
    ) -> None:
        """All points of a stretch, either way, and how many they are."""
        expected = self.model.scan(source, *stretch, tags)
        runs = self._read.runs(source, *stretch, tags=tags, newest_first=newest_first)
        if newest_first:
            found = backwards(runs)
            times = [point.t for point in found]
            assert times == sorted(times, reverse=True)
            assert sorted(found) == expected
        else:
            assert scanned(runs) == expected
        assert self._read.count(source, *stretch, tags) == len(expected)

    @rule(
        source=generated.sources,
        stretch=generated.stretches,
        limit=st.integers(1, 5000),
        newest_first=st.booleans(),
    )
    def page(self, source: str, stretch: tuple[int, int], limit: int, newest_first: bool) -> None:
        """The same, page by page, each going on where the one before ended."""
        expected = self.model.scan(source, *stretch)
        found: list[Point] = []
        after = None
        limit = max(limit, len(expected) // 20)
        while runs := list(self._page(source, stretch, after, limit, newest_first)):
            points = backwards(runs)
            assert len(points) == min(limit, len(expected) - len(found))
            found += points
            after = runs[-1].end
        assert sorted(found) == expected

    @rule(source=generated.sources, last=generated.times, tags=generated.some_tags)
    def newest(self, source: str, last: int, tags: str | None) -> None:
        """The newest point up to a time; of several series at that time any."""
        points = self.model.scan(source, EARLIEST, last, tags)
        found = self._read.newest(source, last, tags)
        if found is None or not points:
            assert (found, points) == (None, [])
        else:
            alike = [point.value for point in points if point.t == points[-1].t]
            assert found.t == points[-1].t
            assert seen(found.data) in alike

    @rule(
        source=generated.sources,
        first=generated.hours,
        hours=st.integers(1, 9),
        every=st.sampled_from((HOUR, 2 * HOUR, HOUR // 2, 1000 * HOUR)),
        tags=generated.some_tags,
    )
    def windows(self, source: str, first: int, hours: int, every: int, tags: str | None) -> None:
        """What windows say, by roll-ups or not."""
        end = first + max(hours * HOUR // every, 1) * every
        asked = Asked(source, first, end, every, tags)
        if every % HOUR == 0 or not self.model.has_dropped(source):
            assert same_windows(self._read, self.model, asked)

    @rule(source=generated.sources, fault=generated.reading_faults)
    def read_on_a_failing_disk(self, source: str, fault: Fault) -> None:
        """An answer while the disk fails to read is right, or none."""
        expected = self.model.scan(source, *generated.ALWAYS)
        self.disk.fault = fault.copy()
        with suppress(Unavailable):
            reader = self._file.reader()
            try:
                assert scanned(reader.runs(source, *generated.ALWAYS)) == expected
            finally:
                reader.close()
        self.disk.fault = None
        assert self._read.damage() == []

    @property
    def _file(self) -> StoreFile:
        assert self.file is not None
        return self.file

    @property
    def _read(self) -> Reader:
        assert self.reader is not None
        return self.reader

    def _page(
        self,
        source: str,
        stretch: tuple[int, int],
        after: Position | None,
        limit: int,
        newest_first: bool,
    ) -> Iterator[Run]:
        return self._read.runs(
            source, *stretch, after=after, limit=limit, newest_first=newest_first
        )

    def _commit(self, records: Mapping[bytes, int], writes: Sequence[Write]) -> None:
        later, expected = self.model.after(records, writes, self.now)
        results = self._file.commit(records, writes, self.now)
        self.model = later
        self.refused.clear()
        self.now += 1
        for result, wanted in zip(results, expected, strict=True):
            assert not isinstance(result, DataboxError), result
            if wanted is not None and not isinstance(result, Reading):
                assert result == wanted
        counted["writes"] += len(writes)

    def _maintain(self, steps: int) -> None:
        for _ in range(steps):
            if not self._file.maintain():
                return
            counted["steps of maintenance"] += 1

    @contextmanager
    def _failing(self, fault: Fault | None, fate: Fate, seed: int, later: Plain) -> Iterator[None]:
        """What is done within may fail as the fault says, and for no other reason.

        `later`: what the store may hold afterwards, though it was refused.
        """
        self.disk.fault = fault.copy() if fault else None
        self.disk.struck = False
        refused = True
        try:
            yield
            refused = False
        except Unavailable as error:
            assert self.disk.struck, error
            note(f"failed: {error.code}")
        if refused:
            self.refused.append(later)
        if self.disk.struck and fault and fault.kind is Kind.POWER:
            self._power_cut(fate, seed, [self.model, *self.refused])
        elif refused:
            self._recover(seed)
        self.disk.fault = None

    def _recover(self, seed: int) -> None:
        """Go on as the writer does; what was refused is not there as long as anybody reads."""
        counted["failures of the disk"] += 1
        self.disk.fault = None
        if self.file is None or self.reader is None:
            self._abandon()
            self._open()
            self._settle([self.model, *self.refused])
        elif seed % 2:
            self._file.reopen()
        self._compare()

    def _power_cut(self, fate: Fate, seed: int, candidates: Sequence[Plain]) -> None:
        counted["power cuts"] += 1
        found = self.disk.picture.after(fate, random.Random(seed))
        self.disk.fault = Fault(Kind.POWER, 0)
        self._abandon()
        self._lay_out(found)
        self._open()
        self._settle(candidates)

    def _settle(self, candidates: Sequence[Plain]) -> None:
        """The store holds one of these as a whole, and goes on from there."""
        held = held_by(self._read, SOURCES, STATES)
        fitting = [each for each in candidates if should_hold(each, SOURCES, STATES) == held]
        if not fitting:
            raise AssertionError(difference(held, should_hold(candidates[0], SOURCES, STATES)))
        self.model = fitting[0]
        self.refused.clear()
        self.now = len(self.model.chain)

    def _compare(self) -> None:
        held = held_by(self._read, SOURCES, STATES)
        apart = difference(held, should_hold(self.model, SOURCES, STATES))
        assert not apart, apart
        assert self._read.damage() == []

    def _lay_out(self, found: dict[str, bytes]) -> None:
        self.lives += 1
        self.folder = self.root / str(self.lives)
        self.disk = lay_out(found, self.folder)
        self.below.close()
        self.below.enter_context(below(self.disk))

    def _open(self) -> None:
        self.file = StoreFile(self.folder / "store.db", KEY)
        self.reader = self.file.reader()

    def _close(self) -> None:
        reader, self.reader = self._read, None
        reader.close()
        file, self.file = self._file, None
        file.close()

    def _abandon(self) -> None:
        """Let go of what cannot be closed in order any more."""
        for each in (self.reader, self.file):
            if each is not None:
                with suppress(DataboxError):
                    each.close()
        self.reader = self.file = None
