"""Group commit, and what happens when the disk cannot."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from databox.kit.clock import FixedClock
from databox.store.file import NewReading, NewState, Outcome, Result, StoreFile, Write
from databox.store.reserve import Reserve
from databox.store.writer import RETRY, Writer
from databox.wire.errors import Unavailable

KEY = bytes(range(32))


class Disk(StoreFile):
    """A file on a disk that can be made to fail. `fails`: the error of a commit with writes."""

    fails: Unavailable | None = None
    refuses_all = False
    groups = 0

    def commit(
        self, records: Mapping[bytes, int], writes: Sequence[Write], now: int
    ) -> list[Result]:
        self.groups += 1
        if self.fails and (writes or self.refuses_all):
            raise self.fails
        return super().commit(records, writes, now)

    def reopen(self) -> None:
        if self.fails and self.refuses_all:
            raise self.fails
        super().reopen()


class Bench:
    def __init__(self, folder: Path) -> None:
        self.disk = Disk(folder / "store.db", KEY)
        self.clock = FixedClock()
        self.reserve = Reserve(folder / "reserve", 4096)
        self.reserve.keep()
        self.writer = Writer(self.disk, self.reserve, self.clock)

    def write(self, t: int = 1) -> asyncio.Future[Outcome]:
        return self.writer.write(NewReading("load", t, b"0"), (b'["write"]',))

    def read(self) -> asyncio.Future[None]:
        return self.writer.record(b'["read"]')

    def stored(self) -> int:
        return self.disk.reader().count("load", 0, 10**6)

    def recorded(self) -> int:
        return [row.total for row in self.disk.reader().chain()][-1]


Story = Callable[[Bench], Awaitable[None]]
Play = Callable[[Story], None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def run(story: Story) -> None:
        async def whole() -> None:
            bench = Bench(tmp_path)
            await story(bench)
            await bench.writer.close()

        asyncio.run(whole())

    return run


def full() -> Unavailable:
    return Unavailable("the disk is full", code="disk-full")


def read_only() -> Unavailable:
    return Unavailable("the database can only be read", code="disk-read-only")


def test_what_arrives_together_is_committed_together(play: Play) -> None:
    async def story(bench: Bench) -> None:
        await asyncio.gather(*(bench.write(t) for t in range(100)), *(bench.read() for _ in "abc"))
        assert bench.stored() == 100
        assert bench.recorded() == 103
        assert bench.disk.groups <= 2

    play(story)


def test_results_come_in_the_order_of_asking(play: Play) -> None:
    async def story(bench: Bench) -> None:
        finished: list[asyncio.Future[Outcome]] = []
        waiting = [bench.write(t) for t in range(50)]
        for each in waiting:
            each.add_done_callback(finished.append)
        await asyncio.gather(*waiting)
        assert finished == waiting

    play(story)


def test_closing_waits_for_what_was_submitted(tmp_path: Path) -> None:
    async def story() -> None:
        bench = Bench(tmp_path)
        waiting = [bench.write(t) for t in range(10)]
        await bench.writer.close()
        assert all(each.done() for each in waiting)
        assert bench.stored() == 10

    asyncio.run(story())


def test_on_a_full_disk_writes_are_refused_and_reads_recorded(play: Play) -> None:
    async def story(bench: Bench) -> None:
        bench.disk.fails = full()
        waiting = asyncio.gather(bench.read(), bench.write(), bench.read(), return_exceptions=True)
        assert [getattr(each, "code", None) for each in await waiting] == [
            None, "disk-full", None,
        ]  # fmt: skip
        assert bench.recorded() == 2
        assert bench.stored() == 0
        assert not (bench.disk._path.parent / "reserve").exists()
        assert bench.writer.trouble is not None

    play(story)


def test_the_store_goes_on_by_itself_when_there_is_room_again(play: Play) -> None:
    async def story(bench: Bench) -> None:
        bench.disk.fails = full()
        with pytest.raises(Unavailable):
            await bench.write()
        bench.disk.fails = None
        with pytest.raises(Unavailable):
            await bench.write()
        bench.clock.advance(RETRY)
        await bench.write()
        assert bench.stored() == 1
        assert bench.writer.trouble is None
        assert (bench.disk._path.parent / "reserve").exists()

    play(story)


def test_without_room_for_the_reserve_writes_stay_refused(play: Play) -> None:
    async def story(bench: Bench) -> None:
        bench.disk.fails = full()
        with pytest.raises(Unavailable):
            await bench.write()
        bench.disk.fails = None
        bench.reserve._size = 1 << 60
        bench.clock.advance(RETRY)
        with pytest.raises(Unavailable):
            await bench.write()
        await bench.read()
        assert bench.stored() == 0

    play(story)


def test_on_a_read_only_disk_every_access_is_refused_until_it_is_writable(play: Play) -> None:
    async def story(bench: Bench) -> None:
        bench.disk.fails, bench.disk.refuses_all = read_only(), True
        for each in (bench.read(), bench.write()):
            with pytest.raises(Unavailable) as error:
                await each
            assert error.value.code == "disk-read-only"
        bench.disk.fails = None
        bench.clock.advance(RETRY)
        await bench.read()
        await bench.write()
        assert bench.stored() == 1

    play(story)


def test_an_error_nobody_foresaw_reaches_those_who_wait(play: Play) -> None:
    async def story(bench: Bench) -> None:
        with pytest.raises(Unavailable):
            await bench.writer.write(NewState("x", object()))  # type: ignore[arg-type]
        bench.clock.advance(RETRY)
        await bench.write()

    play(story)


def test_a_file_that_cannot_be_opened_again_is_tried_until_it_can(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is closed then; whoever asks meanwhile is refused, and nobody waits."""

    def away(*_: object) -> NoReturn:
        raise Unavailable("the disk is away", code="database-unreachable")

    async def story(bench: Bench) -> None:
        bench.disk.fails = Unavailable("the disk reports an error", code="disk-trouble")
        with pytest.raises(Unavailable):
            await bench.write()
        bench.disk.fails = None
        with monkeypatch.context() as patched:
            patched.setattr("databox.store.file.open_again", away)
            for _ in range(2):
                bench.clock.advance(RETRY)
                for asked in (bench.read(), bench.write()):
                    await asyncio.wait([asked], timeout=5)
                    assert isinstance(asked.exception(), Unavailable)
        bench.clock.advance(RETRY)
        await bench.write()

    play(story)
