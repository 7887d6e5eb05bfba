"""Opens the encrypted database file of one part, or refuses and says why.

The packages `apsw` and `apsw-sqlite3mc` install the same module. With the plain one in front,
`PRAGMA key` is silently ignored and the file is plain text, so nothing here is believed: the
library must know ciphers, it must answer `ok` to the key, and the file must not begin as an
unencrypted one does.

Source: SQLite3 Multiple Ciphers, scheme `chacha20` (ChaCha20-Poly1305, each page authenticated).
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw

from databox.wire.errors import DataboxError, Unavailable

KEY_SIZE = 32
_BUSY_MS = 5000
_ROOM = 4 * 1024 * 1024
"""As far as the write-ahead log grows before it is used again from its start."""
_FEW_PAGES = 16

# One scheme for good. Opening an existing file by the AES-CBC scheme and closing it again was
# seen to destroy it, so another scheme is never tried; a change would be an export and import.
_CIPHER = "chacha20"
_PLAIN_HEADER = b"SQLite format 3\x00"

_SETTINGS = (
    # What we acknowledge survives a power cut: the log is synced at each commit.
    ("synchronous", "full"),
    ("foreign_keys", "on"),
    ("trusted_schema", "off"),
    # Freed pages are ciphertext; overwriting them would only double the writing.
    ("secure_delete", "off"),
)


def open_database(path: Path, key: bytes, *, wal: bool = True) -> apsw.Connection:
    """Open the database at `path`, making it if it is not there.

    Only the first connection of a process to a file is opened by this; see `open_again`.

    `key`: 32 random bytes, used as they are. `wal`: with a write-ahead log, so that a reader does
    not wait for the writer.

    Raises:
        Unavailable: the file would not be encrypted, the key does not fit, the disk is full or
            read-only, or the file is damaged; the code says which.
    """
    _refuse_plain_library()
    with explained(path):
        if _make_private(path) or path.stat().st_size == 0:
            _connect(path, key, wal=wal).close()
        _refuse_plain_file(path)
    return open_again(path, key, wal=wal)


def open_again(path: Path, key: bytes, *, wal: bool = True) -> apsw.Connection:
    """Open one more connection to a file that this process has opened by `open_database`.

    Looking at the first bytes of a file that is open here already would, on closing it, drop the
    locks that SQLite holds on it: POSIX locks belong to the process, not to the descriptor.

    Raises:
        Unavailable: as `open_database`.
    """
    with explained(path):
        return _connect(path, key, wal=wal)


def prepare(connection: apsw.Connection, part: str, steps: Sequence[str]) -> int:
    """Bring the tables of `part` to the format this code knows; gives the one found, 0 if none.

    `steps[i]` is the SQL that leads from format i to i + 1; steps are only ever added at the end.
    Several parts may share a file; each has its own number. All steps are done or none.

    Raises:
        Unavailable: the file was written by a newer version, or as `open_database`.
    """
    with transaction(connection):
        connection.execute(
            "CREATE TABLE IF NOT EXISTS format"
            " (part TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID"
        )
        found = rows(connection, "SELECT number FROM format WHERE part = ?", (part,))
        number = int(found[0][0]) if found else 0
        if number > len(steps):
            raise Unavailable(
                "the database was written by a newer version of Databox",
                code="database-newer",
                found=f"{part} format {number}; this version knows {len(steps)}",
                remedy="Run the newer version again",
            )
        if number == len(steps):
            return number
        for step in steps[number:]:
            connection.execute(step)
        connection.execute("INSERT OR REPLACE INTO format VALUES (?, ?)", (part, len(steps)))
        return number


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """All that is done within is written or none; may stand within another transaction.

    Raises:
        Unavailable: as `open_database`.
    """
    with explained(connection):
        outermost = not connection.in_transaction
    try:
        with explained(connection), connection:
            yield
    except BaseException:
        # After a page that fails its check nothing works but this, not even ending the savepoint;
        # and what is then written would be within a transaction that nobody ends.
        if outermost and connection.in_transaction:
            with suppress(apsw.Error):
                connection.execute("ROLLBACK")
        raise


def keep_room(connection: apsw.Connection) -> None:
    """Set space aside in the file, so that some 4 MiB can be written when the disk takes no more.

    Unused pages in the file, and a write-ahead log that has grown to its length, are filled before
    anything grows. So what must not fail, such as ending a permission, does not depend on a full
    disk. Call it now and then: whatever is written in between uses those pages up. On a disk that
    is almost full already nothing is set aside.

    Raises:
        Unavailable: as `open_database`.
    """
    with explained():
        unused = connection.pragma("freelist_count") * connection.pragma("page_size")
        disk = os.statvfs(Path(connection.filename).parent)
        if unused >= _ROOM // 2 or disk.f_bavail * disk.f_frsize < 3 * _ROOM:
            return
    kept = connection.pragma("cache_size")
    # Pages that nobody will look at need not grow this process, either.
    connection.pragma("cache_size", _FEW_PAGES)
    try:
        with transaction(connection):
            connection.execute("CREATE TABLE room (bytes BLOB)")
            connection.execute("INSERT INTO room VALUES (zeroblob(?))", (_ROOM,))
            connection.execute("DROP TABLE room")
    finally:
        connection.pragma("cache_size", kept)


def let_go(connection: apsw.Connection) -> None:
    """Close a connection that is of no use any more; that this fails as well is no news."""
    with suppress(apsw.Error):
        connection.close()


def rows(
    connection: apsw.Connection, text: str, values: Sequence[Any] | dict[str, Any] = ()
) -> list[tuple[Any, ...]]:
    """Every row of a query; for queries that are known to have few.

    Raises:
        Unavailable: as `open_database`.
    """
    with explained(connection):
        return connection.execute(text, values).fetchall()


@contextmanager
def explained(file: Path | apsw.Connection | None = None) -> Iterator[None]:
    """Turn what the database library raises into errors that name the file and what to do."""
    try:
        yield
    except apsw.Error as error:
        raise explain(error, _path(file)) from error
    except OSError as error:
        code = _BY_ERRNO.get(error.errno or 0, "disk-trouble")
        raise _trouble(code, _path(file), str(error.strerror)) from error


def _path(file: Path | apsw.Connection | None) -> Path | None:
    if not isinstance(file, apsw.Connection):
        return file
    try:
        return Path(file.filename)
    except apsw.ConnectionClosedError:
        return None


def explain(error: apsw.Error, path: Path | None = None) -> DataboxError:
    """The error of ours that says what `error` of the library means for the owner."""
    if isinstance(error, apsw.CantOpenError) and path is not None and _only_readable(path.parent):
        # What is missing then is the index of the log, which cannot be made.
        return _trouble("disk-read-only", path, type(error).__name__)
    for kind, code in _CODES:
        if isinstance(error, kind):
            return _trouble(code, path, type(error).__name__)
    return _trouble("database-trouble", path, type(error).__name__)


def _only_readable(folder: Path) -> bool:
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


_CODES: tuple[tuple[type[apsw.Error], str], ...] = (
    (apsw.NotADBError, "database-key"),
    (apsw.FullError, "disk-full"),
    (apsw.ReadOnlyError, "disk-read-only"),
    (apsw.CantOpenError, "database-unreachable"),
    (apsw.PermissionsError, "database-unreachable"),
    (apsw.CorruptError, "database-damaged"),
    (apsw.BusyError, "database-busy"),
    (apsw.LockedError, "database-busy"),
    (apsw.IOError, "disk-trouble"),
)

_BY_ERRNO = {
    errno.ENOSPC: "disk-full",
    errno.EDQUOT: "disk-full",
    errno.EROFS: "disk-read-only",
    errno.EACCES: "database-unreachable",
    errno.EPERM: "database-unreachable",
    errno.ENOENT: "database-unreachable",
}

_WORDS = {
    "database-key": (
        "the key does not open this database",
        "Restore the keys folder that belongs to it, or the file itself from a backup",
    ),
    "disk-full": ("the disk is full", "Free some space; the box goes on by itself"),
    "disk-read-only": (
        "the database can only be read",
        "Make its folder and disk writable; the box goes on by itself",
    ),
    "database-unreachable": (
        "the database file cannot be opened",
        "Check the rights of its folder",
    ),
    "database-damaged": ("the database is damaged", "Restore it from a backup"),
    "database-busy": ("another process holds the database", "Stop the other box on this folder"),
    "disk-trouble": ("the disk reports an error", "Check the disk; the system log has more"),
    "database-trouble": ("the database refused an operation", "The log has more"),
    "database-not-encrypted": (
        "the database would not be encrypted",
        "Remove the package apsw and install apsw-sqlite3mc again",
    ),
}


def _trouble(code: str, path: Path | None, found: str) -> Unavailable:
    message, remedy = _WORDS[code]
    return Unavailable(
        message, code=code, field=path.name if path else None, found=found, remedy=remedy
    )


def _refuse_plain_library() -> None:
    if not hasattr(apsw, "mc_version"):
        raise _trouble("database-not-encrypted", None, "an SQLite library without ciphers")


def _refuse_plain_file(path: Path) -> None:
    """Look at the bytes on the disk themselves."""
    with path.open("rb") as file:
        header = file.read(len(_PLAIN_HEADER))
    if header == _PLAIN_HEADER:
        raise _trouble("database-not-encrypted", path, "a file in plain text")


def _make_private(path: Path) -> bool:
    """Make the file before SQLite does, so that nobody else can read it for even a moment."""
    try:
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    os.close(made)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def _connect(path: Path, key: bytes, *, wal: bool) -> apsw.Connection:
    if len(key) != KEY_SIZE:
        raise ValueError(f"a database key has {KEY_SIZE} bytes, not {len(key)}")
    connection = apsw.Connection(str(path))
    try:
        _unlock(connection, path, key)
        _settle(connection, path, wal=wal)
    except BaseException:
        let_go(connection)
        raise
    return connection


def _unlock(connection: apsw.Connection, path: Path, key: bytes) -> None:
    connection.set_busy_timeout(_BUSY_MS)
    connection.pragma("cipher", _CIPHER)
    # `raw:` takes the key as it is; any other form derives one, 75 ms at each opening.
    if connection.pragma("key", f"raw:{key.hex()}") != "ok":
        raise _trouble("database-not-encrypted", path, "PRAGMA key was not answered by ok")
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()


def _settle(connection: apsw.Connection, path: Path, *, wal: bool) -> None:
    if connection.readonly("main"):
        raise _trouble("disk-read-only", path, "it opens for reading only")
    mode = connection.pragma("journal_mode", "wal" if wal else "delete")
    if mode != ("wal" if wal else "delete"):
        raise _trouble("disk-trouble", path, f"journal mode {mode}")
    for name, value in _SETTINGS:
        connection.pragma(name, value)
