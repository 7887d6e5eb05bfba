"""Sends one export: through the switchboard, over TLS that ends at the destination."""

import asyncio
import ssl

from databox.export.queue import Export
from databox.export.states import Outcome
from databox.kit.control import Control
from databox.kit.http.client import Connection, PeerUntrusted
from databox.wire.destination import parse
from databox.wire.errors import DataboxError

SEND_S = 30.0
MAX_REPLY = 64 * 1024
_OPEN = b"HTTP/1.1 200 OK\r\n\r\n"


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
            answer = b""
            while len(answer) < len(_OPEN):
                more = await loop.sock_recv(sock, len(_OPEN) - len(answer))
                if not more:
                    raise ConnectionError("the place outside cannot be reached")
                answer += more
        except BaseException:
            sock.close()
            raise
        name = place.removesuffix(":443")
        return Connection(sock, host=name, ssl_context=self._trust, server_hostname=host)

    async def _post(self, connection: Connection, target: str, export: Export) -> Outcome:
        headers = {"content-type": "application/json", "idempotency-key": export.id}
        try:
            response = await connection.request(
                "POST", target, headers, export.body, timeout=SEND_S, max_body=MAX_REPLY
            )
        except PeerUntrusted as error:
            return Outcome(0, f"its certificate does not hold: {error.found}", sent=False)
        except (DataboxError, OSError, TimeoutError) as error:
            return Outcome(0, _why(error), sent=True)
        return Outcome(response.status, f"answered {response.status}", sent=True)


def _why(error: BaseException) -> str:
    return str(error)[:200] or type(error).__name__
