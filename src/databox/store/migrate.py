"""Brings a store's file from an older format to the present one, and never without a way back.

1. A copy of the whole file is made beside it, and synced.
2. The file is changed in one transaction.
3. Every point of the copy is looked for in the changed file, and the chain's head compared.
4. Only then the copy is removed. If anything fails before, the copy takes the file's place again.

A crash leaves the old file, or the new one with the copy: then 3 is done at the next opening,
before anything else is written. `plan_of` tells what would be done and changes nothing.
"""

import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import apsw

from databox.kit import log as lines
from databox.kit.database import (
    explained,
    let_go,
    open_again,
    open_database,
    rows,
    transaction,
)
from databox.store.engine import schema
from databox.store.engine.blocks import Blocks
from databox.store.engine.points import content_of, render
from databox.store.reader import Reader
from databox.store.readings import EARLIEST, LATEST
from databox.wire.errors import Unavailable

log = logging.getLogger("databox.store")

FORMAT: Final = len(schema.STEPS)
_WITH_READINGS: Final = 2
"""The last format that kept each reading as a row."""
_PAGE: Final = 8192
_PAGE_BYTES: Final = 1024 * 1024
_ROOM: Final = 3
"""Times the size of the file that the disk must have free: for the copy, and for the changes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with a file. `size`: bytes of it, which a copy takes as well."""

    format: int
    sources: int
    readings: int
    size: int

    def __str__(self) -> str:
        return (
            f"from format {self.format} to {FORMAT}: {self.readings} readings of {self.sources}"
            f" sources become blocks; a copy of {self.size} bytes is kept until they are compared"
        )


def open_current(path: Path, key: bytes) -> apsw.Connection:
    """Open a store's file, or make it; if it is of an older format, bring it up first.

    Raises:
        Unavailable: as `open_database`; or it cannot be brought up, and is as it was.
    """
    connection = open_database(path, key)
    try:
        plan = _plan(connection, path)
    except BaseException:
        let_go(connection)
        raise
    copy = _copy_of(path)
    if plan is None and not copy.exists():
        return connection
    with explained(path):
        connection.close()
    if plan is not None:
        lines.event(log, logging.INFO, "store-migrates", plan=plan)
        _check_room(path, plan)
        _make_copy(path, copy)
    try:
        if plan is not None:
            _change(path, key, plan)
        _compare(copy, path, key)
    except BaseException as error:
        _put_back(copy, path)
        lines.failure(log, "store-migration-failed", error)
        raise
    _remove(copy)
    return open_again(path, key)


def plan_of(path: Path, key: bytes) -> Plan | None:
    """What bringing a file up would do; None if it is of the present format, or newer.

    Raises:
        Unavailable: as `open_database`.
    """
    connection = open_database(path, key)
    try:
        return _plan(connection, path)
    finally:
        let_go(connection)


def _plan(connection: apsw.Connection, path: Path) -> Plan | None:
    if not rows(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'format'"):
        return None
    found = rows(connection, "SELECT number FROM format WHERE part = 'store'")
    if not found or found[0][0] > _WITH_READINGS:
        return None
    sources, readings = rows(
        connection, "SELECT (SELECT count(*) FROM source), (SELECT count(*) FROM reading)"
    )[0]
    return Plan(int(found[0][0]), int(sources), int(readings), path.stat().st_size)


def _check_room(path: Path, plan: Plan) -> None:
    disk = os.statvfs(path.parent)
    free = disk.f_bavail * disk.f_frsize
    if free < _ROOM * plan.size:
        raise Unavailable(
            "the disk has too little space to bring this store up to date",
            code="disk-full",
            field=path.name,
            found=f"{free} bytes free, {_ROOM * plan.size} needed",
            remedy="Free some space; nothing was changed",
        )


def _copy_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.before-{FORMAT}")


def _make_copy(path: Path, copy: Path) -> None:
    """Copy the file, which is closed, so that its log has been put into it."""
    part = copy.with_name(f"{copy.name}.part")
    with explained(copy):
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as target, path.open("rb") as source:
            shutil.copyfileobj(source, target, 1024 * 1024)
            target.flush()
            os.fsync(target.fileno())
        part.replace(copy)
        _sync_folder(copy)


def _change(path: Path, key: bytes, plan: Plan) -> None:
    connection = open_again(path, key)
    try:
        # The rows that are dropped must not stay readable in pages that nothing uses.
        connection.pragma("secure_delete", "on")
        with transaction(connection):
            for step in schema.STEPS[plan.format : _WITH_READINGS]:
                connection.execute(step)
            connection.execute(schema.POINTS)
            for number, name in rows(connection, "SELECT id, name FROM source ORDER BY id"):
                _move(connection, number, name)
            connection.execute(schema.WITHOUT_READINGS)
            connection.execute("UPDATE format SET number = ? WHERE part = 'store'", (FORMAT,))
        with explained(path):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        let_go(connection)


def _move(connection: apsw.Connection, source: int, name: str) -> None:
    from databox.store.engine.batch import batch_of

    connection.execute("INSERT INTO series (id, source, tags) VALUES (?, ?, '')", (source, name))
    blocks = Blocks(connection)
    for page in _pages(_points(connection, source)):
        batch = batch_of([t for t, _ in page], [content_of(data) for _, data in page])
        blocks.write(source, batch)
        blocks.note_newest(source, batch)


def _points(connection: apsw.Connection, source: int) -> Iterator[tuple[int, bytes]]:
    """The readings of a source in order of time; of several for one moment the last that came."""
    t, seq = EARLIEST - 1, 0
    waiting: tuple[int, bytes] | None = None
    while True:
        page = rows(
            connection,
            "SELECT t, seq, data FROM reading WHERE source = ? AND (t, seq) > (?, ?)"
            " ORDER BY t, seq LIMIT ?",
            (source, t, seq, _PAGE // 16),
        )
        for at, _, data in page:
            if waiting is not None and waiting[0] != at:
                yield waiting
            waiting = at, data
        if not page:
            break
        t, seq, _ = page[-1]
    if waiting is not None:
        yield waiting


def _pages(points: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    page: list[tuple[int, bytes]] = []
    size = 0
    for point in points:
        page.append(point)
        size += len(point[1])
        if len(page) == _PAGE or size > _PAGE_BYTES:
            yield page
            page, size = [], 0
    if page:
        yield page


def _compare(copy: Path, path: Path, key: bytes) -> None:
    """Look for everything that the copy has.

    Raises:
        Unavailable: something is missing or different.
    """
    old = open_database(copy, key)
    new = open_again(path, key)
    reader = Reader(new)
    try:
        for number, name in rows(old, "SELECT id, name FROM source ORDER BY id"):
            expected = ((t, _text(data)) for t, data in _points(old, number))
            batches = reader.readings(name, EARLIEST, LATEST, tags="")
            found = ((each.t, each.data) for batch in batches for each in batch)
            for one, other in zip_longest(expected, found):
                if one != other:
                    raise _different(path, f"source {number}")
        if _head(old) != _head(new):
            raise _different(path, "the record of accesses")
    finally:
        reader.close()
        old.close()


def _head(connection: apsw.Connection) -> list[tuple[Any, ...]]:
    return rows(connection, "SELECT n, head, total FROM audit ORDER BY n DESC LIMIT 1")


def _text(data: bytes) -> bytes:
    content = content_of(data)
    return content if isinstance(content, bytes) else render(content)


def _different(path: Path, where: str) -> Unavailable:
    return Unavailable(
        "this store could not be brought up to date, and is as it was",
        code="migration-failed",
        field=path.name,
        found=f"{where} differs from the copy",
        remedy="Run the older version again, and report this",
    )


def _put_back(copy: Path, path: Path) -> None:
    if not copy.exists():
        return
    with explained(path):
        _remove_log(copy)
        _remove_log(path)
        copy.replace(path)
        _sync_folder(path)


def _remove(copy: Path) -> None:
    with explained(copy):
        _remove_log(copy)
        copy.unlink()
        _sync_folder(copy)


def _remove_log(path: Path) -> None:
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
