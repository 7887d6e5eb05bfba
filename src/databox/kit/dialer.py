"""How a part calls another: connections come from the box, are kept alive and used again.

Nobody here chooses an address: the box decides whether this part may reach the callee at all.
"""

from collections.abc import Mapping
from functools import partial
from socket import socket
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from databox.kit.http.client import Connection, PeerLost, error_of
from databox.kit.http.message import Response, Stream
from databox.kit.http.websocket import WebSocket
from databox.kit.http.wire import Body
from databox.wire.api import Nothing
from databox.wire.endpoints import BY_NAME, Raw
from databox.wire.errors import Unavailable

MAX_IDLE = 4
"""Connections kept for one callee."""
CALL_SECONDS = 120.0
"""The slowest answer, an installation, compiles a package first; who cannot wait says so around."""
STORE = "store"

_HARMLESS_TWICE = frozenset({"GET", "HEAD"})


class Connector(Protocol):
    """Whoever gives connections: a part's `Control`, or the box itself."""

    async def connect(self, callee: str) -> socket:
        """A connection to `callee`; raises `DataboxError`."""
        ...


class Dialer:
    """Connections of one part to its callees."""

    def __init__(self, control: Connector) -> None:
        self._control = control
        self._idle: dict[str, list[Connection]] = {}

    async def call(
        self,
        name: str,
        message: msgspec.Struct | None = None,
        *,
        args: Mapping[str, str] | None = None,
        callee: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Call the endpoint called `name`; gives its reply message, or None for `Nothing`.

        `args` fill the placeholders of its path. `callee`: which store, where a store answers.

        Raises:
            DataboxError: the callee refused, in the words and the branch it gave.
            Unavailable: it cannot be reached, or its answer is not what the table says.
        """
        endpoint = BY_NAME[name]
        service = callee or endpoint.service
        if service == STORE:
            raise ValueError(f"{name} is answered by every store: say which")
        path = endpoint.path
        for key, value in (args or {}).items():
            path = path.replace(f"{{{key}}}", quote(value, safe=""))
        body = msgspec.json.encode(message) if message is not None else b""
        sent = {"content-type": "application/json", **(headers or {})}
        response = await self.fetch(service, endpoint.method, path, headers=sent, body=body)
        if response.status >= 400:
            raise error_of(response)
        return _reply(response, endpoint.reply)

    async def fetch(
        self,
        callee: str,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        """Send one request and give the answer, whatever its status.

        A kept connection may have died unnoticed. Then the request is sent again, on a new one,
        if doing it twice does no harm.

        Raises:
            Denied: this part has no business with `callee`.
            Unavailable: it cannot be reached or does not answer.
        """

        async def send(connection: Connection) -> Response:
            response = await connection.request(method, path, headers, body, timeout=CALL_SECONDS)
            self._keep(callee, connection)
            return response

        kept = self._kept(callee)
        if kept is not None:
            try:
                return await send(kept)
            except PeerLost:
                if method not in _HARMLESS_TWICE:
                    raise
        return await send(Connection(await self._control.connect(callee), host=callee))

    async def stream(
        self,
        callee: str,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Body = b"",
    ) -> Stream:
        """Send one request, its body as it is made, and give the answer as it comes.

        The answer's `chunks` must be read to their end or closed.

        Raises:
            Denied, Unavailable: as `fetch`; the chunks raise `Unavailable` where they are cut off.
            Exception: whatever the body's parts raise.
        """

        async def send(connection: Connection) -> Stream:
            return await connection.stream(
                method, path, headers, body, timeout=CALL_SECONDS, over=partial(self._keep, callee)
            )

        # A body that is made as it is sent cannot be sent again where a kept connection has died.
        kept = None if isinstance(body, Body) else self._kept(callee)
        if kept is not None:
            try:
                return await send(kept)
            except PeerLost:
                if method not in _HARMLESS_TWICE:
                    raise
        return await send(Connection(await self._control.connect(callee), host=callee))

    async def websocket(
        self, callee: str, path: str, *, headers: Mapping[str, str] | None = None
    ) -> WebSocket:
        """Open a WebSocket, on a connection of its own.

        Raises:
            DataboxError: the callee refused or cannot be reached.
        """
        connection = Connection(await self._control.connect(callee), host=callee)
        try:
            return await connection.websocket(path, headers)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """End every kept connection."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    def _kept(self, callee: str) -> Connection | None:
        idle = self._idle.get(callee, [])
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
            connection.close()
        return None

    def _keep(self, callee: str, connection: Connection) -> None:
        idle = self._idle.setdefault(callee, [])
        if connection.usable and len(idle) < MAX_IDLE:
            idle.append(connection)
        else:
            connection.close()


def _reply(response: Response, kind: Any) -> Any:
    if kind is Raw:
        return response
    if kind is Nothing:
        return None
    try:
        return msgspec.json.decode(response.body, type=kind)
    except msgspec.MsgspecError as error:
        raise Unavailable(
            "the peer's answer is not what was agreed", code="peer-garbled", found=str(error)
        ) from error
