"""The home folder: its layout, its modes, and the lock that lets one box at a time have it.

As root, instances have uids of their own and must pass through some folders to reach theirs: those
may be entered by all and listed by nobody (0711). Everything else is closed (0700).
"""

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from databox.wire.errors import Conflict, DataboxError

FORMAT = 1
CLOSED, PASSABLE = 0o700, 0o711


@dataclass(frozen=True, slots=True)
class Home:
    """Where everything is."""

    root: Path

    @property
    def run(self) -> Path:
        """What exists only while the box runs."""
        return self.root / "run"

    @property
    def peers(self) -> Path:
        """One folder a caller, with a socket for each callee."""
        return self.run / "peers"

    @property
    def pairs(self) -> Path:
        """The TLS twins, for the switchboard."""
        return self.run / "pairs"

    @property
    def scratch(self) -> Path:
        """The empty folder on which parts build their roots."""
        return self.run / "root"

    @property
    def keys(self) -> Path:
        """Wrapped keys."""
        return self.root / "keys"

    @property
    def stores(self) -> Path:
        """One folder a store."""
        return self.root / "stores"

    @property
    def packages(self) -> Path:
        """Adopted packages by digest, read-only."""
        return self.root / "packages"

    @property
    def instances(self) -> Path:
        """One folder an instance, with its `/var`."""
        return self.root / "instances"

    @property
    def logs(self) -> Path:
        """What parts print, and the box itself."""
        return self.root / "logs"

    @property
    def instance_logs(self) -> Path:
        """What instances print; a folder of its own, since their names are not ours."""
        return self.logs / "instances"

    def part(self, name: str) -> Path:
        """The data folder of one of our own parts."""
        return self.root / "parts" / name


def open_home(root: Path) -> Home:
    """Make what is missing, give everything its mode, and clear what a dead box left in `run`.

    Call with the lock held.

    Raises:
        DataboxError: the folder was written by a newer version.
    """
    home = Home(root)
    _folder(root, PASSABLE if os.geteuid() == 0 else CLOSED)
    _check_version(root / "version")
    for stale in (home.peers, home.pairs, home.scratch):
        shutil.rmtree(stale, ignore_errors=True)
    for folder in (home.peers, home.packages, home.instances):
        _folder(folder, PASSABLE)
    closed = (home.pairs, home.scratch, home.keys, home.stores, home.logs, home.instance_logs)
    for folder in (*closed, root / "parts"):
        _folder(folder, CLOSED)
    return home


def lock(root: Path) -> int:
    """Take the home for this process, and write its number into the lock file.

    Returns:
        A descriptor; the lock lasts as long as it is open.

    Raises:
        Conflict: another box holds it.
    """
    _folder(root / "run", PASSABLE)
    descriptor = os.open(root / "run" / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 20).decode().strip()
        os.close(descriptor)
        raise Conflict(
            "another box runs in this home folder",
            code="home-taken",
            field=str(root),
            found=f"process {holder}",
            remedy="End it with `databox down`, or choose another DATABOX_HOME",
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only this user reads: whole or not at all, and durable.

    Raises:
        OSError: it could not be written; what was there before still is.
    """
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def own_folder(path: Path, uid: int | None) -> None:
    """Make a folder that belongs to `uid` alone; None: to this user."""
    _folder(path, CLOSED)
    if uid is not None:
        os.chown(path, uid, uid, follow_symlinks=False)


def _folder(path: Path, mode: int) -> None:
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    path.chmod(mode)


def _check_version(path: Path) -> None:
    if not path.exists():
        write_private(path, f"{FORMAT}\n".encode())
        return
    found = path.read_text().strip()
    if not found.isdigit() or int(found) > FORMAT:
        raise DataboxError(
            "this home folder was written by a newer version",
            code="newer-format",
            field=str(path),
            found=found[:20],
            remedy="Start the newer version of the box",
        )
