"""The one writer, and the groups that it commits.

While a group is being made durable the next one gathers, so one sync of the disk serves everybody
who waited. An answer leaves only after its future is done.

A group that is written in a moment is committed on the loop's own thread: two changes of thread
cost more than the commit itself on a quick disk, and everybody who is connected waits for it in any
case. On a slow disk, and for much at once, the writing thread does it, so that others are served
meanwhile.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Lock, Thread
from time import perf_counter
from typing import Any

from databox.kit import log as lines
from databox.kit.clock import Clock
from databox.kit.http.message import Shared
from databox.store.file import (
    MOST_WRITES,
    NewEndings,
    NewReading,
    NewState,
    Outcome,
    Result,
    StoreFile,
    Write,
)
from databox.store.reserve import Reserve
from databox.wire.errors import DataboxError, Unavailable

log = logging.getLogger("databox.store")

RETRY = 1000
"""Milliseconds between two looks whether a full disk has room again."""

QUICK = 0.002
"""Seconds that a commit may take on the loop's thread."""
_LIGHT = 64
"""Writes in a group that is written in a moment."""
_LIGHT_BYTES = 16 * 1024
_REMEMBERED = 8
"""Commits over which the time that one takes is smoothed."""
_TEND_SECONDS = 0.05
"""How soon after a commit what was written is packed."""
_TURNS = 16
"""Turns of the loop that a group waits at most for others to join it."""


@dataclass(slots=True)
class Submission:
    """A write with the accesses to record beside it.

    `result`: what came of it, once its group is committed; `done`: the future of who waits for it
    alone.
    """

    records: Sequence[bytes]
    write: Write
    done: asyncio.Future[Outcome] | None = None
    result: Result = None

    def outcome(self) -> Outcome:
        """What came of it.

        Raises:
            Unavailable: nothing was written or recorded; the code says why.
        """
        if isinstance(self.result, DataboxError):
            raise self.result
        return self.result


@dataclass(slots=True)
class Group:
    """What is committed together. `recorded` is shared by all who only have accesses recorded.

    `heavy`: it has a write that may take longer than a moment.
    """

    recorded: Shared
    records: list[bytes] = field(default_factory=list)
    writes: list[Submission] = field(default_factory=list)
    heavy: bool = False

    @property
    def size(self) -> int:
        """How many wait."""
        return len(self.records) + len(self.writes)


@dataclass(frozen=True, slots=True)
class Committed:
    """What came of a group: of its accesses, and of each write."""

    recorded: DataboxError | None
    writes: list[Result]


class Writer:
    """Gathers submissions on the loop's thread and commits them on its own.

    Args:
        file: Used by the writing thread alone from now on.
        reserve: Space that is given up when the disk is full.
        clock: Time of day, for the chain's rows.
    """

    def __init__(self, file: StoreFile, reserve: Reserve, clock: Clock) -> None:
        self._loop = asyncio.get_running_loop()
        self._committer = _Committer(file, reserve, clock)
        self._gathering = Group(Shared(loop=self._loop))
        self._busy = False
        self._turns = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._groups: SimpleQueue[Group | _Tend | None] = SimpleQueue()
        self._file_is_mine = Lock()
        self._tending: asyncio.TimerHandle | None = None
        self._thread = Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> DataboxError | None:
        """Why writes are refused now, None if they are not."""
        return self._committer.trouble

    def record(self, record: bytes) -> Shared:
        """Record an access; the future is done when it is durable.

        It is shared by all who are recorded in the same group.

        Raises (in the future):
            Unavailable: nothing was recorded; the code says why.
        """
        self._gathering.records.append(record)
        self._wake()
        return self._gathering.recorded

    def write(self, write: Write, records: Sequence[bytes] = ()) -> asyncio.Future[Outcome]:
        """Write, and record accesses beside it; the future has what came of it, once durable.

        Raises (in the future):
            Unavailable: nothing was written or recorded; the code says why.
        """
        done = self._loop.create_future()
        self._add(Submission(records, write, done))
        return done

    def submit(self, write: Write, records: Sequence[bytes] = ()) -> tuple[Submission, Shared]:
        """The same with a future that the whole group shares; then the submission has its result.

        Raises (in the future):
            Unavailable: nothing of the group was recorded; the code says why.
        """
        submission = Submission(records, write)
        self._add(submission)
        return submission, self._gathering.recorded

    def _add(self, submission: Submission) -> None:
        self._gathering.writes.append(submission)
        if not _is_light(submission.write):
            self._gathering.heavy = True
        self._wake()

    async def close(self) -> None:
        """Commit what was submitted, then end the thread."""
        await self._idle.wait()
        if self._tending is not None:
            self._tending.cancel()
        self._groups.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _wake(self) -> None:
        if not self._busy and not self._turns:
            self._idle.clear()
            self._turns = _TURNS
            self._loop.call_soon(self._wait_for_more, 0)

    def _wait_for_more(self, seen: int) -> None:
        """Hand the group over once a turn of the loop has brought nothing new.

        Those who were answered just now ask again at once. A group of all of them costs one sync
        where two halves, each gathering while the other is written, would cost two: 56,000
        accesses for a second of CPU time against 40,000.
        """
        size = self._gathering.size
        self._turns -= 1
        if self._turns and seen < size < MOST_WRITES:
            self._loop.call_soon(self._wait_for_more, size)
            return
        self._turns = 0
        self._busy = True
        group, self._gathering = self._gathering, Group(Shared(loop=self._loop))
        if not self._commit_here(group):
            self._groups.put(group)

    def _commit_here(self, group: Group) -> bool:
        """Commit a group on this thread if that takes only a moment. Whether it did."""
        light = not group.heavy and len(group.writes) <= _LIGHT and self._committer.is_quick
        if not light or not self._file_is_mine.acquire(blocking=False):
            return False
        try:
            committed = self._committer.commit(group)
        finally:
            self._file_is_mine.release()
        self._finish(group, committed)
        if self._tending is None:
            self._tending = self._loop.call_later(_TEND_SECONDS, self._tend)
        return True

    def _tend(self) -> None:
        self._tending = None
        self._groups.put(_TEND)

    def _run(self) -> None:
        while (group := self._groups.get()) is not None:
            if isinstance(group, Group):
                with self._file_is_mine:
                    committed = self._committer.commit(group)
                self._loop.call_soon_threadsafe(self._finish, group, committed)
            while self._groups.empty() and self._maintain():
                pass

    def _maintain(self) -> bool:
        with self._file_is_mine:
            return self._committer.maintain()

    def _finish(self, group: Group, committed: Committed) -> None:
        for submission, result in zip(group.writes, committed.writes, strict=True):
            submission.result = result
        # Reads first: what was read before a grant ended leaves before the ending is confirmed.
        _settle(group.recorded, committed.recorded)
        for submission in group.writes:
            if submission.done is not None:
                _settle(submission.done, submission.result)
        self._busy = False
        if self._gathering.size:
            self._wake()
        else:
            self._idle.set()


class _Tend:
    """Asks the writing thread to pack what was written on the loop's."""


_TEND = _Tend()


def _is_light(write: Write) -> bool:
    match write:
        case NewReading():
            return len(write.data) <= _LIGHT_BYTES
        case NewState() | NewEndings():
            return True
        case _:
            return False


def _settle(future: "asyncio.Future[Any]", result: Result) -> None:
    if future.cancelled():
        return
    if isinstance(result, DataboxError):
        future.set_exception(result)
        # Looked at here, since nobody waits for some of the store's own notes.
        future.exception()
    else:
        future.set_result(result)


class _Committer:
    """Commits groups, and decides what to do when the disk cannot."""

    def __init__(self, file: StoreFile, reserve: Reserve, clock: Clock) -> None:
        self._file = file
        self._reserve = reserve
        self._clock = clock
        self._looked = 0
        self._took = 0.0
        self.trouble: DataboxError | None = None

    @property
    def is_quick(self) -> bool:
        """Whether commits have taken only a moment lately."""
        return self.trouble is None and self._took < QUICK

    def commit(self, group: Group) -> Committed:
        """Give what came of a group."""
        began = perf_counter()
        try:
            return self._commit(group)
        except Exception as error:  # noqa: BLE001  the thread's edge: whoever waits must hear of it
            lines.failure(log, "commit-failed", error)
            return _failed(group, Unavailable("the store could not write", code="commit"))
        finally:
            self._took += (perf_counter() - began - self._took) / _REMEMBERED

    def _commit(self, group: Group) -> Committed:
        if self.trouble is not None and not self._recovered():
            return self._reads_only(group, self.trouble)
        try:
            return Committed(None, self._write(group.records, group.writes))
        except Unavailable as error:
            self._fail(error)
            if error.code == "disk-full":
                self._reserve.release()
            return self._reads_only(group, error)

    def maintain(self) -> bool:
        """Pack a little of what was written; whether there is more to do."""
        if self.trouble is not None:
            return False
        try:
            return self._file.maintain()
        except Unavailable as error:
            # Nothing is lost, and the next group will find the disk as it is.
            lines.event(log, logging.WARNING, "packing-failed", code=error.code)
        except Exception as error:  # noqa: BLE001  the thread's edge: groups must go on
            lines.failure(log, "packing-failed", error)
        return False

    def _write(self, records: list[bytes], writes: list[Submission]) -> list[Result]:
        counted = Counter(records)
        for each in writes:
            counted.update(each.records)
        return self._file.commit(counted, [each.write for each in writes], self._clock.now())

    def _reads_only(self, group: Group, error: DataboxError) -> Committed:
        """Reads are still answered if the reserve lets them be recorded; writes are refused."""
        try:
            if group.records:
                self._write(group.records, [])
        except Unavailable as worse:
            return _failed(group, worse)
        return Committed(None, [error] * len(group.writes))

    def _fail(self, error: Unavailable) -> None:
        if self.trouble is None:
            lines.event(log, logging.ERROR, "store-cannot-write", code=error.code)
        self.trouble = error
        self._looked = self._clock.now()

    def _recovered(self) -> bool:
        """Look whether the disk is well again; at most once a second, it costs a little writing."""
        now = self._clock.now()
        if 0 <= now - self._looked < RETRY:
            return False
        self._looked = now
        try:
            # After an error the library and the disk may differ: begin from what the disk has.
            self._file.reopen()
        except Unavailable as error:
            self.trouble = error
            return False
        if not self._reserve.keep():
            return False
        lines.event(log, logging.INFO, "store-can-write-again")
        self.trouble = None
        return True


def _failed(group: Group, error: DataboxError) -> Committed:
    return Committed(error, [error] * len(group.writes))
