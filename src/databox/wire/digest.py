"""The name of a package's content: the same files give the same digest wherever they lie.

SHA-256 over, for each file in the order of its path's bytes: the path's length and bytes, one byte
`x` or `-` (may be executed or not), the content's length and bytes. Lengths are 8 bytes, big end
first; so no two lists of files give the same input. Compiled Python is not content: it is made
anew on the box (`is_content`).
"""

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath


def package_digest(files: Iterable[tuple[str, bool, bytes]]) -> str:
    """Hash a package: (path relative to its folder, may be executed, content). Hex digits."""
    digest = hashlib.sha256()
    for path, executable, content in sorted(files, key=lambda file: file[0].encode()):
        name = path.encode()
        digest.update(len(name).to_bytes(8) + name)
        digest.update(b"x" if executable else b"-")
        digest.update(len(content).to_bytes(8) + content)
    return digest.hexdigest()


def is_content(path: str) -> bool:
    """Whether a file belongs to a package: not compiled Python, nor a version control's own."""
    pure = PurePosixPath(path)
    hidden = {"__pycache__", ".git", ".hg"}
    return hidden.isdisjoint(pure.parts) and pure.suffix != ".pyc"
