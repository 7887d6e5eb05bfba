"""Sends one export: through the switchboard, over TLS that ends at the destination.

The switchboard is asked as a proxy is, `CONNECT host:port`. It answers 200 and joins, or says why
not: its status, and an error of ours as JSON.
"""

import asyncio
import re
import ssl
from socket import socket

import msgspec

from databox.export.queue import Export
from databox.export.states import Outcome
from databox.kit.control import Control
from databox.kit.http.client import Connection, PeerUntrusted
from databox.wire.destination import parse
from databox.wire.errors import DataboxError, Unavailable, from_json

SEND_S = 30.0
MAX_REPLY = 64 * 1024
MAX_ANSWER = 4096
_HEAD = re.compile(rb"HTTP/1\.1 ([0-9]{3})[^\r\n]*\r\n\r\n")


class Sender:
    """Makes one connection for each try. No redirect, no proxy, no cookie, no stored login."""

    def __init__(self, control: Control, trust: ssl.SSLContext) -> None:
        self._control = control
        self._trust = trust

    async def send(self, export: Export) -> Outcome:
        """Try once; every way it can end is an `Outcome`."""
        destination = parse(export.url)
        try:
            async with asyncio.timeout(SEND_S):
                connection = await self._reach(destination.place, destination.host)
        except (DataboxError, OSError, TimeoutError) as error:
            return Outcome(0, _why(error), sent=False)
        try:
            return await self._post(connection, destination.target, export)
        finally:
            connection.close()

    async def _reach(self, place: str, host: str) -> Connection:
        """A connection to the place; the certificate must be for the granted name."""
        sock = await self._control.connect("switchboard")
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(sock, f"CONNECT {place} HTTP/1.1\r\n\r\n".encode())
            await _joined(sock)
        except BaseException:
            sock.close()
            raise
        name = place.removesuffix(":443")
        return Connection(sock, host=name, ssl_context=self._trust, server_hostname=host)

    async def _post(self, connection: Connection, target: str, export: Export) -> Outcome:
        headers = {"content-type": "application/json", "idempotency-key": export.id}
        try:
            response = await connection.request(
                "POST",
                target,
                headers,
                export.body,
                timeout=SEND_S,
                max_body=MAX_REPLY,
                cut=True,
            )
        except PeerUntrusted as error:
            return Outcome(0, f"its certificate does not hold: {error.found}", sent=False)
        except (DataboxError, OSError, TimeoutError) as error:
            return Outcome(0, _why(error), sent=connection.has_sent)
        return Outcome(response.status, f"answered {response.status}", sent=True)


async def _joined(sock: socket) -> None:
    """Wait until the switchboard has joined this connection to the place.

    Raises:
        DataboxError: it has not, in its own words.
    """
    loop = asyncio.get_running_loop()
    answer = b""
    # Not a byte more than the head: what follows a 200 comes from the place.
    while not answer.endswith(b"\r\n\r\n") and len(answer) < MAX_ANSWER:
        answer += (more := await loop.sock_recv(sock, 1))
        if not more:
            break
    head = _HEAD.fullmatch(answer)
    if head is None:
        raise Unavailable("the place outside cannot be reached now", code="no-connection")
    if head[1] != b"200":
        raise await _refusal(sock, int(head[1]))


async def _refusal(sock: socket, status: int) -> DataboxError:
    loop = asyncio.get_running_loop()
    told = b""
    while len(told) < MAX_ANSWER and (more := await loop.sock_recv(sock, MAX_ANSWER)):
        told += more
    try:
        return from_json(status, msgspec.json.decode(told))
    except msgspec.DecodeError:
        return from_json(status, None)


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {SEND_S:g} seconds"
    return str(error)[:300] or type(error).__name__
