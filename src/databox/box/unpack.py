"""Runs in a throw-away sandbox: unpacks an upload and compiles its Python. Nobody trusts it.

The archive comes on standard input and is hostile. Arguments, if there are any, are the command
that fetches what the package depends on. What is left in `/var` is looked through by the
box (`harvest.py`), which takes plain files only. Standard library alone.
"""

import compileall
import io
import sys
import tarfile
from pathlib import Path, PurePosixPath
from py_compile import PycInvalidationMode

from databox.box.fetch import fetch

HERE, LATER = "/var", "/app"
"""Where the package lies now, and where it will lie when it runs."""

MAX_FILES = 4000
MAX_BYTES = 64 * 1024 * 1024
MAX_PATH = 300


def main() -> int:
    """Unpack standard input into `/var`; the exit code is 0 if all went well."""
    try:
        unpack(sys.stdin.buffer.read(), Path(HERE))
        if words := sys.argv[1:]:
            fetch(words, Path(HERE))
    except (tarfile.TarError, ValueError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 # the box shows it
        return 1
    # Python that does not compile is the app's own trouble when it runs.
    compileall.compile_dir(
        HERE,
        quiet=2,
        stripdir=HERE,
        prependdir=LATER,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
    return 0


def unpack(archive: bytes, folder: Path) -> None:
    """Write the archive's plain files; compiled Python that came along is left out.

    Raises:
        ValueError: it holds something that no honest package does.
        TarError: it is no archive.
    """
    room = MAX_BYTES
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
        for count, member in enumerate(tar):
            if count >= MAX_FILES:
                raise ValueError(f"more than {MAX_FILES} files")
            if member.isdir():
                continue
            path = _path(member)
            room -= member.size
            if room < 0:
                raise ValueError(f"more than {MAX_BYTES} bytes")
            source = tar.extractfile(member)
            assert source is not None, "checked to be a plain file"
            if path.suffix != ".pyc":
                _write(folder / path, source.read())


def _path(member: tarfile.TarInfo) -> PurePosixPath:
    path = PurePosixPath(member.name)
    if not member.isreg():
        raise ValueError(f"not a plain file: {member.name[:MAX_PATH]!r}")
    if not path.parts or path.is_absolute() or ".." in path.parts or len(str(path)) > MAX_PATH:
        raise ValueError(f"not a usable path: {member.name[:MAX_PATH]!r}")
    return path


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        file.write(content)


if __name__ == "__main__":
    sys.exit(main())
