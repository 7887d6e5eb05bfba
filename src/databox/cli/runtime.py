"""Make `$DATABOX_HOME/runtime/<version>`: the code and packages that the box and its apps run on.

A runtime is a folder that never changes: `site-packages/` (the packages and `databox`, the one
entry of PYTHONPATH), `drivers/`, `apps/`, `bench/`, all read-only. It holds no absolute path, so
it works wherever it is mounted, under the system's `/usr/bin/python3`. Its name is a hash of what
it is made from. It is built aside and renamed, so a killed build leaves nothing that counts.

Standard library only: runs before anything is installed.
"""

import compileall
import fcntl
import hashlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from py_compile import PycInvalidationMode

from databox.cli import packages
from databox.cli.home import SetupError, runtime_folder

SHIPPED = {
    "src/databox": "site-packages/databox",
    "drivers": "drivers",
    "apps": "apps",
    "bench": "bench",
    "requirements": "requirements",
}
"""Folders of the checkout, and where they are in a runtime."""

_BUILDING = ".building-"
_SKIPPED = shutil.ignore_patterns(".*", "__pycache__", "*.pyc", "node_modules")

Say = Callable[[str], None]


def ensure(checkout: Path, home: Path, say: Say) -> tuple[Path, int]:
    """Give the runtime of this checkout, building it first if it is not there.

    Also gives the descriptor of a shared lock on it. It survives `exec`: as long as it is open in
    this process, or in the one that it becomes, nobody removes the runtime.

    Raises:
        SetupError: a package could not be installed.
    """
    folder = runtime_folder(home)
    with _building(folder):
        runtime = folder / version_of({name: checkout / name for name in SHIPPED})
        if not runtime.is_dir():
            runtime = _build(checkout, folder, say)
        held = _hold(runtime)
        os.utime(runtime)
        _remove_old(folder, runtime)
    return runtime, held


def version_of(folders: dict[str, Path]) -> str:
    """Name what a runtime is made from: 12 hexadecimal digits.

    Over paths and contents of the shipped files, and over the kind of Python that packages were
    chosen for.
    """
    digest = hashlib.sha256(f"{sys.version_info[:2]} {platform.machine()}".encode())
    for name, folder in folders.items():
        for path in _files(folder):
            digest.update(f"\0{name}/{path.relative_to(folder)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for where, folders, names in os.walk(folder):
        skipped = _SKIPPED(where, folders + names)
        folders[:] = [name for name in folders if name not in skipped]
        found += [Path(where, name) for name in names if name not in skipped]
    return sorted(found)


def _build(checkout: Path, folder: Path, say: Say) -> Path:
    temporary = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=folder))
    try:
        for name, place in SHIPPED.items():
            shutil.copytree(checkout / name, temporary / place, ignore=_SKIPPED)
        # Named after the copy: the checkout may have changed meanwhile.
        runtime = folder / version_of({n: temporary / p for n, p in SHIPPED.items()})
        _packages(temporary, folder, say)
        _compile(temporary / "site-packages" / "databox")
        _seal(temporary)
        temporary.rename(runtime)
    except BaseException:
        remove(temporary)
        raise
    return runtime


def _packages(temporary: Path, folder: Path, say: Say) -> None:
    """Install the locked packages, or share those of an older runtime with the same lock."""
    lock = temporary / "requirements" / "host.txt"
    site = temporary / "site-packages"
    for other in _runtimes(folder):
        if (other / "requirements" / "host.txt").read_bytes() == lock.read_bytes() and (
            _interpreter(other) == _interpreter()
        ):
            _share(other / "site-packages", site)
            break
    else:
        say("Fetching the Python packages that the box is made with.")
        bootstrap = temporary / "requirements" / "bootstrap.txt"
        packages.install(lock, bootstrap, *packages.into(site))
        _compile(site)
    (temporary / "interpreter").write_text(_interpreter())


def _interpreter(runtime: Path | None = None) -> str:
    """Which Python packages were chosen and compiled for; without a runtime, the present one."""
    if runtime is None:
        return f"{sys.implementation.cache_tag} {platform.machine()}"
    return (runtime / "interpreter").read_text()


def _share(old: Path, new: Path) -> None:
    # Read-only files that nobody writes again: two names for one file cost no space and no time.
    for entry in old.iterdir():
        if entry.name == "databox":
            continue
        if entry.is_dir():
            shutil.copytree(entry, new / entry.name, copy_function=os.link)
        else:
            (new / entry.name).hardlink_to(entry)


def _compile(folder: Path) -> None:
    """Compile in advance: the folder is read-only where it is used, and 6 times slower without.

    Unchecked: the files never change, and a look at each source on each import costs time.
    """
    compiled = compileall.compile_dir(
        str(folder),
        quiet=2,
        workers=0 if len(_files(folder)) > 50 else 1,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
    if not compiled:
        raise SetupError(f"Some of the Python code in {folder} does not compile.")


def _seal(folder: Path) -> None:
    """Make everything readable by all and writable by nobody, whatever the umask was."""
    for where, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(where, name)
            path.chmod(0o555 if path.stat().st_mode & 0o100 else 0o444)
        Path(where).chmod(0o555)


def _runtimes(folder: Path) -> list[Path]:
    """Finished runtimes, the one used last first."""
    found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def _remove_old(folder: Path, current: Path) -> None:
    """Keep the current runtime, the one before it, and those in use; also clear dead builds."""
    for path in folder.glob(f"{_BUILDING}*"):
        remove(path)
    others = [path for path in _runtimes(folder) if path != current]
    for path in others[1:]:
        if not _in_use(path):
            remove(path)


def _hold(runtime: Path) -> int:
    descriptor = os.open(runtime, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    os.set_inheritable(descriptor, True)
    return descriptor


def _in_use(runtime: Path) -> bool:
    descriptor = os.open(runtime, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def remove(folder: Path) -> None:
    """Delete a runtime. First it loses its name, so a half-deleted one never counts."""
    doomed = folder.with_name(f"{_BUILDING}{folder.name.removeprefix(_BUILDING)}")
    folder.chmod(0o755)
    folder.rename(doomed)
    for where, _, _ in os.walk(doomed):
        Path(where).chmod(0o755)
    shutil.rmtree(doomed)


@contextmanager
def _building(folder: Path) -> Iterator[None]:
    """One build at a time; the kernel frees the lock of a killed one."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
