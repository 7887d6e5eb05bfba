"""The dashboard's files: few, known at start, served from memory."""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from databox.gateway import headers
from databox.gateway.hosts import Origins, check_page
from databox.kit.http.message import Request, Response
from databox.wire.errors import NotFound

_FOREVER = ("Cache-Control", "public, max-age=31536000, immutable")
_NEVER = ("Cache-Control", "no-store")


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    content_type: str
    etag: str


class Files:
    """The compiled bundle. Every path that is no file is a page of the dashboard."""

    def __init__(self, folder: Path) -> None:
        self._files = {
            f"/{path.relative_to(folder).as_posix()}": _read(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self._index = self._files.get("/index.html")

    def serve(self, request: Request, origins: Origins, frame: str = "") -> Response:
        """A file, or the page.

        Raises:
            NotFound: the path looks like a file that is not there.
            Denied: a page asked for from inside another page.
        """
        file = self._files.get(request.path)
        if file is not None and file is not self._index:
            return _answer(request, file, (*headers.shell(), _FOREVER))
        if "." in request.path.rsplit("/", 1)[-1] and file is None:
            raise NotFound("there is no such file", found=request.path[:100])
        check_page(request.headers)
        if self._index is None:
            raise NotFound("the dashboard's files are missing", remedy="Reinstall the box")
        allowed = origins.frame(frame) if frame else ""
        return _answer(request, self._index, (*headers.shell(allowed), _NEVER))


def _answer(request: Request, file: _File, extra: headers.Headers) -> Response:
    if request.headers.get("if-none-match") == file.etag:
        return Response(304, b"", file.content_type, (*extra, ("ETag", file.etag)))
    return Response(200, file.body, file.content_type, (*extra, ("ETag", file.etag)))


def _read(path: Path) -> _File:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind == "application/javascript":
        kind += "; charset=utf-8"
    return _File(body, kind, f'"{hashlib.sha256(body).hexdigest()[:24]}"')
