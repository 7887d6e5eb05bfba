"""A disk that can lose power, tear what it was writing, and fail: between SQLite and the real one.

It lies below the encryption, so what it tears are the bytes that a real disk would tear. Files are
real ones in a folder, for locks and shared memory; beside them it keeps what a power cut leaves.

What a power cut may leave of a file: everything up to its last sync, and of what was written since
any version of any sector that stood in it at some moment. So writes may be lost, torn or arrive in
another order, as far as no sync stands between them. A new file may be gone and a deleted one back
until the folder is synced, which the first sync of a new file does.
"""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512
_NAME = "recorded"
_SHARED_MEMORY = "-shm"


class Fate(Enum):
    """What becomes of everything that was not synced when the power went."""

    LOST = "lost"
    KEPT = "kept"
    CUT = "cut"
    """What was written up to some moment, and a part of the write that was going on then."""
    SCATTERED = "scattered"
    """Of each sector some version of its own."""


class Kind(Enum):
    """A failure, by what the disk was asked for."""

    WRITE = apsw.SQLITE_IOERR_WRITE
    FULL = apsw.SQLITE_FULL
    SYNC = apsw.SQLITE_IOERR_FSYNC
    READ = apsw.SQLITE_IOERR_READ
    POWER = apsw.SQLITE_IOERR


@dataclass(slots=True)
class Fault:
    """Fail `times` operations of a kind after `after` others; power stays away for good."""

    kind: Kind
    after: int
    times: int = 1

    def copy(self) -> "Fault":
        """The same, not yet counted down."""
        return Fault(self.kind, self.after, self.times)

    def strikes(self, operation: str) -> bool:
        """Whether this operation is to fail; to be asked once for each."""
        if operation not in _STRUCK[self.kind] or self.times == 0:
            return False
        if self.after:
            self.after -= 1
            return False
        if self.kind is not Kind.POWER:
            self.times -= 1
        return True


_STRUCK = {
    Kind.WRITE: {"write", "truncate"},
    Kind.FULL: {"write"},
    Kind.SYNC: {"sync"},
    Kind.READ: {"read"},
    Kind.POWER: {"write", "truncate", "sync", "delete", "read"},
}

Change = tuple[int, bytes | None]
"""Bytes written at an offset, or with None the length that the file was cut to."""


@dataclass(slots=True)
class Recorded:
    """One file: what is surely on the disk, and what was written since."""

    durable: bytes = b""
    pending: list[Change] = field(default_factory=list)

    def sync(self) -> None:
        """Everything written so far is on the disk."""
        if self.pending:
            self.durable = bytes(self._after(len(self.pending)))
            self.pending.clear()

    def copy(self) -> "Recorded":
        """The same at this moment."""
        return Recorded(self.durable, self.pending.copy())

    def after(self, fate: Fate, chance: random.Random) -> bytes:
        """What a power cut leaves."""
        last = len(self.pending)
        match fate:
            case Fate.LOST:
                return self.durable
            case Fate.KEPT:
                return bytes(self._after(last))
            case Fate.CUT:
                return self._torn(chance.randint(0, last), chance.randint(0, 9))
            case Fate.SCATTERED:
                return self._mixed(chance)

    def _after(self, cut: int) -> bytearray:
        """What the file held after the first `cut` changes."""
        content = bytearray(self.durable)
        for change in self.pending[:cut]:
            _apply(content, change)
        return content

    def _torn(self, cut: int, sectors: int) -> bytes:
        """The first `cut` changes, and of the next one its first sectors."""
        content = self._after(cut)
        if cut < len(self.pending):
            offset, written = self.pending[cut]
            if written is not None:
                end = (offset // SECTOR + sectors) * SECTOR
                _apply(content, (offset, written[: max(0, end - offset)]))
        return bytes(content)

    def _mixed(self, chance: random.Random) -> bytes:
        """As long as after some change, and of each sector what it held after some change."""
        last = len(self.pending)
        length = len(self._after(chance.randint(0, last)))
        versions: dict[int, list[int]] = {}
        for sector in sorted(self._touched()):
            versions.setdefault(chance.randint(0, last), []).append(sector)
        content = bytearray(self.durable)
        mixed = content.ljust(length, b"\0")[:length]
        for version in range(last + 1):
            if version:
                _apply(content, self.pending[version - 1])
            for sector in versions.get(version, ()):
                place = slice(sector * SECTOR, min((sector + 1) * SECTOR, length))
                room = max(0, place.stop - place.start)
                mixed[place.start : place.start + room] = content[place].ljust(room, b"\0")
        return bytes(mixed)

    def _touched(self) -> set[int]:
        touched: set[int] = set()
        for offset, written in self.pending:
            if written:
                touched |= set(range(offset // SECTOR, (offset + len(written) - 1) // SECTOR + 1))
        return touched


def _apply(content: bytearray, change: Change) -> None:
    offset, written = change
    if written is None:
        del content[offset:]
        return
    if not written:
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(written)] = written


@dataclass(slots=True)
class Picture:
    """The files of a folder as they may be found after a power cut.

    `new`: names whose entry in the folder is not synced. `removed`: files whose removal is not.
    """

    files: dict[str, Recorded] = field(default_factory=dict)
    new: set[str] = field(default_factory=set)
    removed: dict[str, Recorded] = field(default_factory=dict)

    def copy(self) -> "Picture":
        """The same at this moment."""
        files = {name: file.copy() for name, file in self.files.items()}
        removed = {name: file.copy() for name, file in self.removed.items()}
        return Picture(files, self.new.copy(), removed)

    def after(self, fate: Fate, chance: random.Random) -> dict[str, bytes]:
        """What a power cut leaves, by name."""
        found: dict[str, bytes] = {}
        for name, file in self.removed.items():
            if _is_late(fate, chance):
                found[name] = file.after(fate, chance)
        for name, file in self.files.items():
            if name not in self.new or not _is_late(fate, chance):
                found[name] = file.after(fate, chance)
        return found


def _is_late(fate: Fate, chance: random.Random) -> bool:
    """Whether a change of the folder is not on the disk yet."""
    match fate:
        case Fate.LOST:
            return True
        case Fate.KEPT:
            return False
        case Fate.CUT | Fate.SCATTERED:
            return chance.random() < 0.5


class Disk:
    """The disk below one folder. `watch`: told of every operation before it is done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.picture = Picture()
        self.fault: Fault | None = None
        self.struck = False
        self.watch: Callable[[], None] = lambda: None

    def ask(self, operation: str) -> None:
        """Begin an operation, or fail."""
        if operation != "read":
            self.watch()
        if self.fault and self.fault.strikes(operation):
            self.struck = True
            raise apsw.exception_for(self.fault.kind.value)

    def create(self, name: str) -> None:
        """A file is there that was not."""
        self.picture.files[name] = Recorded()
        self.picture.new.add(name)

    def change(self, name: str, change: Change, operation: str) -> None:
        """Write or cut off; what fails for lack of power may have been done in part."""
        power = self.fault is not None and self.fault.kind is Kind.POWER
        before = self.struck
        try:
            self.ask(operation)
        except apsw.Error:
            if power and not before:
                self.picture.files[name].pending.append(change)
            raise
        self.picture.files[name].pending.append(change)

    def sync(self, name: str) -> None:
        """Make a file durable, and with a new one its folder."""
        self.ask("sync")
        self.picture.files[name].sync()
        if name in self.picture.new:
            self.sync_folder()

    def delete(self, name: str) -> None:
        """Remove a file."""
        self.ask("delete")
        gone = self.picture.files.pop(name, None)
        # Of a file that was made and removed between two syncs nothing can come back but itself.
        if gone is not None:
            self.picture.removed.setdefault(name, gone)
            self.picture.new.discard(name)

    def sync_folder(self) -> None:
        """What was made and removed is so for good."""
        self.picture.new.clear()
        self.picture.removed.clear()


def lay_out(found: dict[str, bytes], folder: Path) -> "Disk":
    """A disk on a new folder that holds what was found after a power cut."""
    folder.mkdir()
    disk = Disk(folder)
    for name, content in found.items():
        (folder / name).write_bytes(content)
        disk.picture.files[name] = Recorded(content)
    return disk


class _Vfs(apsw.VFS):
    """Registered once for all disks: SQLite keeps what the encryption made of its name."""

    def __init__(self) -> None:
        self.disks: dict[Path, Disk] = {}
        super().__init__(_NAME, "unix")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  SQLite's name
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None:
            return apsw.VFSFile("unix", name, flags)
        return _File(self.disks[Path(path).parent], name, flags, Path(path).name)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802  SQLite's name
        # A connection that nobody holds any more may go later than its disk.
        if disk := self.disks.get(Path(filename).parent):
            disk.delete(Path(filename).name)
            if syncdir:
                disk.sync_folder()
        super().xDelete(filename, syncdir)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, opened: Any, flags: list[int], name: str) -> None:
        self._disk = disk
        self._name = name
        super().__init__("unix", opened, flags)
        if name not in disk.picture.files:
            disk.create(name)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802  SQLite's name
        self._disk.ask("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802  SQLite's name
        self._disk.change(self._name, (offset, bytes(data)), "write")
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802  SQLite's name
        self._disk.change(self._name, (newsize, None), "truncate")
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802  SQLite's name
        # Not really synced: no power is cut, and a real sync takes as long as a whole run.
        self._disk.sync(self._name)


_vfs: list[_Vfs] = []


@contextmanager
def below(disk: Disk) -> Iterator[None]:
    """Everything that opens a database opens it on a disk of ours; that of its folder is this."""
    if not _vfs:
        _vfs.append(_Vfs())
        # The library makes the encrypted layer over ours when it is first asked for by name.
        apsw.Connection(":memory:", vfs=f"multipleciphers-{_NAME}").close()
    before = apsw.vfs_names()[0]
    _vfs[0].disks[disk.folder] = disk
    apsw.set_default_vfs(f"multipleciphers-{_NAME}")
    told, sys.unraisablehook = sys.unraisablehook, _tell_others
    try:
        yield
    finally:
        sys.unraisablehook = told
        apsw.set_default_vfs(before)


def _tell_others(error: "sys.UnraisableHookArgs") -> None:
    """A failure that we made and that reached nobody, as while a connection is let go, is none."""
    if not isinstance(error.exc_value, apsw.Error):
        sys.__unraisablehook__(error)


def forget(folder: Path) -> None:
    """Nothing below this folder is open any more."""
    for each in [each for each in _vfs[0].disks if each.is_relative_to(folder)]:
        del _vfs[0].disks[each]
