"""Large objects of a source: photos, attachments, recordings, read and written as they come."""

import io
import json
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from databox.sdk.peers import Peers, Route
from databox.wire.errors import BadRequest, Unavailable

PATIENCE = 30.0
"""Seconds: an object is not asked for by a screen that waits."""
ANYTHING = "application/octet-stream"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class StoredObject(NamedTuple):
    """One object: its name, its media type, its size in bytes, and since when, Unix ms."""

    name: str
    type: str
    size: int
    t: int


class Objects:
    """The objects of one source in a store."""

    def __init__(self, peers: Peers, store: str, source: str) -> None:
        self._peers = peers
        self._store = store
        self._source = source

    def write(self, name: str, content: bytes | BinaryIO, type: str) -> None:
        """Write an object, durable on return; `content`: bytes, or a file from where it stands.

        Raises:
            BadRequest: this is no name.
            Denied, Unavailable: as `Peers.call`.
        """
        file = io.BytesIO(content) if isinstance(content, bytes) else content
        self._peers.send(self._route("POST", name), file, type, patience=PATIENCE)

    def read(self, name: str) -> Iterator[bytes]:
        """The content of an object, in pieces.

        Raises:
            BadRequest: this is no name.
            NotFound: there is no such object.
            Denied, Unavailable: as `Peers.call`; also after some pieces.
        """
        return self._peers.receive(self._route("GET", name), patience=PATIENCE)

    def all(self) -> Iterator[StoredObject]:
        """Every object, in order of the names.

        Raises:
            Denied, Unavailable: as `Peers.call`.
        """
        route, after = Route(self._store, "GET", f"/{self._source}/objects"), ""
        while after is not None:
            told = self._peers.call(route, patience=PATIENCE, query=f"limit=500&after={after}")
            try:
                answer = json.loads(told)
                yield from [_object(each) for each in answer["objects"]]
                after = answer["next"]
            except (ValueError, KeyError, TypeError) as error:
                raise Unavailable("the store answered something else") from error

    def delete(self, name: str) -> None:
        """Delete an object; one that is not there is as good.

        Raises:
            BadRequest: this is no name.
            Denied, Unavailable: as `Peers.call`.
        """
        path = f"{self._route('POST', name).path}/delete"
        self._peers.call(Route(self._store, "POST", path), patience=PATIENCE)

    def _route(self, method: str, name: str) -> Route:
        if not _NAME.fullmatch(name):
            raise BadRequest(
                "this cannot be the name of an object",
                field="name",
                found=repr(name[:80]),
                remedy="Use up to 128 letters, digits, dots, dashes and underscores",
            )
        return Route(self._store, method, f"/{self._source}/objects/{name}")


def _object(told: dict[str, str | int]) -> StoredObject:
    name = str(told["key"]).partition("/")[2]
    return StoredObject(name, str(told["type"]), int(told["size"]), int(told["timestamp"]))
