"""Where the box keeps everything: `$DATABOX_HOME`, and whether that folder can serve.

Standard library only: runs before anything is installed.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path


class SetupError(Exception):
    """Setting up cannot go on; the text says what was found and what to do."""


def home_folder(environment: Mapping[str, str], uid: int) -> Path:
    """Choose the home folder; `uid` is the kernel uid of whoever starts the box.

    Raises:
        SetupError: the variable holds a relative path.
    """
    chosen = environment.get("DATABOX_HOME")
    if chosen:
        path = Path(chosen)
        if not path.is_absolute():
            raise SetupError(f"DATABOX_HOME must be an absolute path (found: {chosen!r}).")
        return path
    if uid == 0:
        return Path("/var/lib/databox")
    data = environment.get("XDG_DATA_HOME") or ""
    # The base directory specification tells to ignore a relative path here.
    base = Path(data) if data.startswith("/") else Path(environment["HOME"]) / ".local/share"
    return base / "databox"


def make_home(home: Path, uid: int) -> None:
    """Make the home folder, and refuse one that the box could not use.

    As root every instance has a uid of its own, which must be able to pass through each folder
    above its own; as an ordinary user instances run under that user's uid.

    Raises:
        SetupError: the folder belongs to somebody else, is open to others, or is out of reach.
    """
    try:
        home.mkdir(mode=0o711 if uid == 0 else 0o700, parents=True, exist_ok=True)
        found = home.stat()
    except OSError as error:
        raise SetupError(
            f"The folder {home} cannot be made: {error.strerror}. "
            "Set DATABOX_HOME to a folder that you may write to."
        ) from error
    if found.st_uid != uid:
        raise SetupError(
            f"The folder {home} belongs to the user with number {found.st_uid}, not to you. "
            "Start the box as that user, or set DATABOX_HOME to another folder."
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SetupError(
            f"Others may write to the folder {home} (mode {stat.S_IMODE(found.st_mode):04o}). "
            f"Run:  chmod go-w {home}"
        )
    if uid == 0:
        home.chmod(0o711)
        _refuse_closed_path(home)


def closed_folder(home: Path) -> Path | None:
    """The first folder above or at `home` that other users cannot pass through, if any."""
    real = home.resolve()
    for folder in (*reversed(real.parents), real):
        if folder.exists() and not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _refuse_closed_path(home: Path) -> None:
    closed = closed_folder(home)
    if closed is not None:
        raise SetupError(
            f"The folder {home} is out of reach of the sandboxes: other users cannot pass through "
            f"{closed}. Apps run under users of their own. Set DATABOX_HOME to a folder such as "
            "/var/lib/databox, or start the box as an ordinary user."
        )


def runtime_folder(home: Path) -> Path:
    """The folder of all runtimes, one subfolder a version."""
    folder = home / "runtime"
    folder.mkdir(mode=0o755, exist_ok=True)
    folder.chmod(0o755)
    return folder


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without anything that changes how a Python starts."""
    return {name: text for name, text in environment.items() if not name.startswith("PYTHON")}


def default_home() -> Path:
    """The home folder of whoever runs this command."""
    return home_folder(os.environ, os.getuid())
