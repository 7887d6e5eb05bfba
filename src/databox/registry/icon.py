"""A package's picture, as an image that the dashboard can show. Pure.

It goes into the page as a `data:` image, never as markup: an image runs no script and fetches
nothing, also where it is an SVG.
"""

import base64
from collections.abc import Mapping
from pathlib import PurePosixPath

from databox.wire.manifest import Manifest

MAX_BYTES = 16 * 1024
USUAL = "icon.svg"
_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}


def data_url(manifest: Manifest, files: Mapping[str, bytes]) -> str:
    """The picture that the manifest names, else the one at the usual place; empty for none.

    A picture that is too large or of another kind is none: nobody is kept from an app by it.
    """
    path = manifest.icon or USUAL
    kind = _TYPES.get(PurePosixPath(path).suffix.lower())
    content = files.get(path, b"")
    if kind is None or not 0 < len(content) <= MAX_BYTES:
        return ""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
