"""The one thread that writes, and the groups that it commits.

While a group is being made durable the next one gathers, so one sync of the disk serves everybody
who waited. An answer leaves only after its future is done.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread

from databox.kit import log as lines
from databox.kit.clock import Clock
from databox.store.file import MOST_WRITES, Outcome, StoreFile, Write
from databox.store.reserve import Reserve
from databox.wire.errors import DataboxError, Unavailable

log = logging.getLogger("databox.store")

RETRY = 1000
"""Milliseconds between two looks whether a full disk has room again."""

Result = Outcome | DataboxError


@dataclass(frozen=True, slots=True)
class Submission:
    """Accesses to record, and perhaps a write, that somebody waits for."""

    records: tuple[bytes, ...]
    write: Write | None
    done: asyncio.Future[Outcome]


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
        self._gathering: list[Submission] = []
        self._under_way: list[Submission] = []
        self._handing_over = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._groups: SimpleQueue[list[Submission] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> DataboxError | None:
        """Why writes are refused now, None if they are not."""
        return self._committer.trouble

    def submit(
        self, records: Sequence[bytes], write: Write | None = None
    ) -> asyncio.Future[Outcome]:
        """Record and write; the future is done when it is durable, or has the error.

        Raises (in the future):
            Unavailable: nothing was written; the code says why.
        """
        done: asyncio.Future[Outcome] = self._loop.create_future()
        self._gathering.append(Submission(tuple(records), write, done))
        self._idle.clear()
        if not self._under_way and not self._handing_over:
            # At the end of this turn of the loop: whatever else has just arrived comes along.
            self._handing_over = True
            self._loop.call_soon(self._hand_over)
        return done

    async def close(self) -> None:
        """Commit what was submitted, then end the thread."""
        await self._idle.wait()
        self._groups.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _hand_over(self) -> None:
        self._handing_over = False
        group, self._gathering = self._gathering[:MOST_WRITES], self._gathering[MOST_WRITES:]
        self._under_way = group
        if group:
            self._groups.put(group)
        else:
            self._idle.set()

    def _run(self) -> None:
        while (group := self._groups.get()) is not None:
            results = self._committer.commit(group)
            self._loop.call_soon_threadsafe(self._finish, group, results)

    def _finish(self, group: list[Submission], results: list[Result]) -> None:
        # The next group first, so that the disk works while answers are written.
        self._hand_over()
        for submission, result in zip(group, results, strict=True):
            if submission.done.cancelled():
                continue
            if isinstance(result, DataboxError):
                submission.done.set_exception(result)
                # Looked at here, since nobody waits for some of the store's own notes.
                submission.done.exception()
            else:
                submission.done.set_result(result)


class _Committer:
    """Commits groups, and decides what to do when the disk cannot."""

    def __init__(self, file: StoreFile, reserve: Reserve, clock: Clock) -> None:
        self._file = file
        self._reserve = reserve
        self._clock = clock
        self._looked = 0
        self.trouble: DataboxError | None = None

    def commit(self, group: list[Submission]) -> list[Result]:
        """Give each submission's outcome or error."""
        if self.trouble is not None and not self._recovered(group):
            return self._reads_only(group, self.trouble)
        try:
            return self._all(group)
        except Unavailable as error:
            self._fail(error)
            if error.code == "disk-full":
                self._reserve.release()
            return self._reads_only(group, error)
        except DataboxError as error:
            return [error] * len(group)
        except Exception as error:  # noqa: BLE001  the thread's edge: whoever waits must hear of it
            lines.failure(log, "commit-failed", error)
            return [Unavailable("the store could not write", code="commit")] * len(group)

    def _all(self, group: list[Submission]) -> list[Result]:
        records = Counter(record for each in group for record in each.records)
        writes = [each.write for each in group if each.write is not None]
        outcomes = iter(self._file.commit(records, writes, self._clock.now()))
        return [None if each.write is None else next(outcomes) for each in group]

    def _reads_only(self, group: list[Submission], error: DataboxError) -> list[Result]:
        """Reads are still answered if the reserve lets them be recorded; writes are refused."""
        reads = [each for each in group if each.write is None]
        try:
            if reads:
                self._all(reads)
        except Unavailable as worse:
            return [worse] * len(group)
        return [None if each.write is None else error for each in group]

    def _fail(self, error: Unavailable) -> None:
        if self.trouble is None:
            lines.event(log, logging.ERROR, "store-cannot-write", code=error.code)
        self.trouble = error
        self._looked = self._clock.now()

    def _recovered(self, group: list[Submission]) -> bool:
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
