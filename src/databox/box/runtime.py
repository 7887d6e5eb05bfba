"""Where the code is that runs in sandboxes, found from where this very code was loaded."""

import importlib
from dataclasses import dataclass
from pathlib import Path

INSIDE = "/opt/databox"
PYTHON = "/usr/bin/python3"
_MODULES = ("databox", "msgspec")


@dataclass(frozen=True, slots=True)
class Runtime:
    """`shared`: (folder of the host, path inside). `release`: holds `apps/` and `drivers/`."""

    shared: tuple[tuple[Path, str], ...]
    release: Path

    @property
    def python_path(self) -> str:
        """PYTHONPATH inside."""
        return ":".join(inside for _, inside in self.shared)


def find(release: Path | None = None) -> Runtime:
    """Find the folders that `databox` and its packages were loaded from.

    In an installed runtime that is one folder beside `apps/` and `drivers/`; in a checkout they are
    two, and the sources lie in `src/`.
    """
    folders: list[Path] = []
    for name in _MODULES:
        file = importlib.import_module(name).__file__
        assert file is not None
        folder = Path(file).resolve().parent.parent
        if folder not in folders:
            folders.append(folder)
    inside = (INSIDE, *(f"{INSIDE}-{number}" for number in range(1, len(folders))))
    return Runtime(tuple(zip(folders, inside, strict=True)), release or folders[0].parent)
