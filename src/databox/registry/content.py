"""What a package is made of: its files, checked, and the digest that names exactly them.

Rules:
1. Paths are relative, plain, in Unicode's composed form, and differ in more than case, so they
   mean the same on every file system and nowhere leave the package's folder.
2. At most 8,000 files and 64 MiB, with all that it depends on.
3. What a tool left behind is no part of a package: hidden files (which may hold somebody's
   passwords), compiled Python.
4. The digest covers path and content of each file. Modes and times are the box's own choice.
"""

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from unicodedata import is_normalized

from databox.wire.errors import BadRequest, TooLarge

MAX_BYTES = 64 * 1024 * 1024
MAX_FILES = 8000
MAX_PATH = 300
MANIFEST = "databox-manifest.json"

LEFT_BEHIND = "__pycache__"


def belongs(path: str) -> bool:
    """Whether a file is part of a package at all."""
    parts = PurePosixPath(path).parts
    hidden = any(part.startswith(".") and part != ".." for part in parts)
    return not hidden and LEFT_BEHIND not in parts and not path.endswith(".pyc")


def check(files: Mapping[str, bytes]) -> None:
    """Refuse what no honest package has.

    Raises:
        TooLarge: too many bytes or files.
        BadRequest: a path that is not plain, or two that differ in case only.
    """
    size = sum(len(content) for content in files.values())
    if size > MAX_BYTES or len(files) > MAX_FILES:
        raise TooLarge(
            "the package is too large",
            field="files",
            found=f"{len(files)} files, {size} bytes",
            remedy=f"Keep it under {MAX_FILES} files and {MAX_BYTES} bytes",
        )
    seen: set[str] = set()
    for path in files:
        folded = path.casefold()
        if not _plain(path) or folded in seen or not belongs(path):
            raise BadRequest(
                "this file cannot be in a package",
                code="package-path",
                field="files",
                found=repr(path[:100]),
                remedy="Use plain relative names that differ in more than case",
            )
        seen.add(folded)
    _no_file_is_a_folder(files)


def digest(files: Mapping[str, bytes]) -> str:
    """The name of exactly these files, 64 hexadecimal digits."""
    whole = hashlib.sha256(b"databox package 1\n")
    for path in sorted(files):
        # Neither a path nor a digest can hold a newline, so no two packages give one text.
        whole.update(f"{hashlib.sha256(files[path]).hexdigest()} {path}\n".encode())
    return whole.hexdigest()


def _plain(path: str) -> bool:
    return (
        0 < len(path) <= MAX_PATH
        and path.isprintable()
        and "\\" not in path
        and all(part not in ("", ".", "..") for part in path.split("/"))
        and is_normalized("NFC", path)
    )


def _no_file_is_a_folder(files: Mapping[str, bytes]) -> None:
    folders = {str(parent).casefold() for path in files for parent in PurePosixPath(path).parents}
    for path in files:
        if path.casefold() in folders:
            raise BadRequest(
                "one name is a file and a folder",
                code="package-path",
                field="files",
                found=repr(path[:100]),
            )
