"""Objects on their way in and out, on the loop's side; the disk's work is done in two threads.

Which files are needed is for the database to say. Here it is known which are not in it *yet*, and
which are being read although they may be deleted meanwhile.
"""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from databox.kit import log as lines
from databox.store.objects import folder
from databox.store.objects.stored import NAME_SIZE, Stored
from databox.wire.errors import DataboxError, NotFound, Unavailable

if TYPE_CHECKING:
    from databox.store.objects.files import Content, Scratch

log = logging.getLogger("databox.store")

MOST_UPLOADS = 2
"""Uploads of one caller at a time; each has some 2 MiB of memory."""
WAIT_SECONDS = 20.0
"""How long one more upload waits for its turn; nothing of its body is read meanwhile."""
_ASKED_AT_ONCE = 500

P = ParamSpec("P")
T = TypeVar("T")
Known = Callable[[Collection[bytes]], Awaitable[set[bytes]]]


class Shelf:
    """The objects of one store.

    Args:
        path: Their folder; made with the first of them.
        known: Which of these objects the database has.
    """

    def __init__(self, path: Path, known: Known) -> None:
        self._path = path
        self._known = known
        # A disk that syncs must not hold up those who read.
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="object-writer")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="object-reader")
        self._scratch: Scratch | None = None
        self._unsettled: set[str] = set()
        self._uploads: Counter[str] = Counter()
        self._turn = asyncio.Condition()
        self._opened: dict[bytes, set[Reading]] = {}

    @asynccontextmanager
    async def received(
        self, content: AsyncIterable[bytes], expected: int | None, caller: str
    ) -> AsyncIterator[Stored]:
        """Take content in and give the durable file it is in, until the database has it.

        If the block ends with an error after which the database surely does not have it, the file
        is removed.

        Raises:
            Unavailable: the disk is full or in trouble, or this caller has too many uploads.
            DataboxError: whatever `content` raises.
        """
        name = os.urandom(NAME_SIZE)
        self._unsettled.add(name.hex())
        try:
            async with self._turn_of(caller):
                stored = await self._take(name, content, expected)
            try:
                yield stored
            except DataboxError as error:
                # After an error of the disk nobody knows what it has; the next start looks.
                if not isinstance(error, Unavailable) or error.code == "disk-full":
                    await self.remove((name,))
                raise
        finally:
            self._unsettled.discard(name.hex())

    async def open(self, stored: Stored) -> "Reading":
        """Open an object for reading; close it.

        Raises:
            Damaged: its file is not there, or not as it must be.
            Unavailable: the disk is in trouble.
        """
        from databox.store.objects.files import Content

        reading = Reading(self, stored)
        # Before its file is opened: from now on it is told when the object is deleted.
        self._opened.setdefault(stored.name, set()).add(reading)
        try:
            reading.content = await self._in(self._reading, Content, self._path, stored)
        except BaseException:
            reading.close()
            raise
        return reading

    async def remove(self, names: Iterable[bytes], *, cut_off: bool = False) -> None:
        """Remove files that the database has no more.

        `cut_off`: also from those who are reading them; else they may read to the end.
        """
        for name in names:
            for reading in self._opened.get(name, ()):
                reading.is_gone = reading.is_gone or cut_off
            await self._in(self._writing, folder.remove, self._path, name.hex())

    async def tidy(self) -> None:
        """Look for what a crash has left, once; a disk in trouble has other trouble."""
        if not self._has_any():
            return
        try:
            await self.sweep()
        except DataboxError as error:
            lines.failure(log, "objects-not-looked-at", error)

    def _has_any(self) -> bool:
        # Most stores never have an object, and need no thread to find that out.
        return self._path.is_dir()

    async def sweep(self) -> int:
        """Remove files that nobody holds: what a crash has left. Gives how many there were."""
        files = await self._in(self._writing, folder.files, self._path)
        # Looked at after the folder: what is not under way any more is in the database by now.
        under_way = set(self._unsettled)
        left = [file for file in files if folder.name_of(file) not in under_way]
        count = 0
        for start in range(0, len(left), _ASKED_AT_ONCE):
            some = left[start : start + _ASKED_AT_ONCE]
            known = {name.hex() for name in await self._known(list(filter(None, map(_name, some))))}
            gone = [file for file in some if file not in known]
            await self._in(self._writing, folder.remove, self._path, *gone)
            count += len(gone)
        if count:
            lines.event(log, logging.INFO, "objects-left-over", removed=count)
        return count

    def close(self) -> None:
        """End the threads, after what they have to do."""
        for readings in list(self._opened.values()):
            for reading in list(readings):
                reading.close()
        self._writing.shutdown()
        self._reading.shutdown()

    # What a Reading calls.

    async def part(self, content: "Content", first: int, end: int) -> bytes:
        """Some of an open object, on the reading thread."""
        from databox.store.objects.files import Scratch

        if self._scratch is None:
            self._scratch = Scratch()
        return await self._in(self._reading, content.part, first, end, self._scratch)

    def closed(self, reading: "Reading") -> None:
        """A reading has ended. Closed behind what the thread still reads from it."""
        readings = self._opened.get(reading.stored.name, set())
        readings.discard(reading)
        if not readings:
            self._opened.pop(reading.stored.name, None)
        if reading.content is not None:
            _later(self._reading, reading.content.close)

    # An upload.

    @asynccontextmanager
    async def _turn_of(self, caller: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WAIT_SECONDS), self._turn:
                await self._turn.wait_for(lambda: self._uploads[caller] < MOST_UPLOADS)
                self._uploads[caller] += 1
        except TimeoutError as error:
            raise Unavailable(
                "there are too many uploads at once",
                code="too-many-uploads",
                remedy=f"Send {MOST_UPLOADS} at a time",
            ) from error
        try:
            yield
        finally:
            async with self._turn:
                self._uploads[caller] -= 1
                if not self._uploads[caller]:
                    del self._uploads[caller]
                self._turn.notify_all()

    async def _take(
        self, name: bytes, content: AsyncIterable[bytes], expected: int | None
    ) -> Stored:
        from databox.store.objects.files import Draft

        draft = await self._in(self._writing, Draft, self._path, name, expected)
        try:
            async for part in content:
                await self._in(self._writing, draft.write, part)
            return await self._in(self._writing, draft.finish)
        except BaseException:
            # Also when this is cancelled: behind what the thread is still writing.
            _later(self._writing, draft.abandon)
            raise

    async def _in(
        self, thread: ThreadPoolExecutor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        assert not kwargs
        return await asyncio.get_running_loop().run_in_executor(thread, work, *args)


class Reading:
    """One object that is being sent to somebody."""

    content: "Content | None" = None

    def __init__(self, shelf: Shelf, stored: Stored) -> None:
        self.stored = stored
        self.is_gone = False
        self._shelf = shelf
        self._is_open = True

    async def part(self, first: int, end: int) -> bytes:
        """The content from `first` on, up to before `end` or to where a part of the file ends.

        Raises:
            Damaged: it is not what was written; what came before it was.
            NotFound: it was deleted meanwhile.
        """
        assert self.content is not None
        part = await self._shelf.part(self.content, first, end)
        if self.is_gone:
            raise NotFound("this object was deleted while it was sent")
        return part

    def close(self) -> None:
        """End it."""
        if self._is_open:
            self._is_open = False
            self._shelf.closed(self)


def _name(file: str) -> bytes | None:
    """The name that a file's is made of; None if it is unfinished or not one of ours."""
    try:
        return bytes.fromhex(file)
    except ValueError:
        return None


def _later(thread: ThreadPoolExecutor, work: Callable[[], None]) -> None:
    # When the store is closing the process ends soon, and what is left is found at its next start.
    with suppress(RuntimeError):
        thread.submit(work)
