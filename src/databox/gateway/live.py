"""New readings as they are written, over one WebSocket for each dashboard page."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

import msgspec

from databox.gateway.people import People, Person
from databox.kit.dialer import Dialer
from databox.kit.http.message import Request, Upgrade
from databox.kit.http.websocket import WebSocket
from databox.wire.errors import DataboxError, Unavailable
from databox.wire.names import STORE_SUFFIX, any_name, source_id

log = logging.getLogger("databox.gateway")

MOST_SOURCES = 32
_HELLO_S = 10.0
_CHECK_S = 5.0


class _Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    session: str
    proof: str


class _Subscribe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    subscribe: list[tuple[str, str]]


class Live:
    """Joins a page's WebSocket to those of the stores it watches, as the signed-in person."""

    def __init__(self, people: People, dialer: Dialer) -> None:
        self._people = people
        self._dialer = dialer

    def upgrade(self, request: Request) -> Upgrade:
        """Take the connection; who it is shows in its first message."""

        async def accept(socket: WebSocket) -> None:
            try:
                await self._serve(socket, request.path)
            except (DataboxError, msgspec.MsgspecError, TimeoutError, OSError) as error:
                log.info("live-ended why=%s", error)
                socket.close(1008, str(error)[:100])

        return Upgrade(accept)

    async def _serve(self, socket: WebSocket, path: str) -> None:
        async with asyncio.timeout(_HELLO_S):
            hello = msgspec.json.decode(await _text(socket), type=_Hello)
            person = await self._people.prove(hello.session, hello.proof, "GET", path)
            wish = msgspec.json.decode(await _text(socket), type=_Subscribe)
        by_store: dict[str, list[str]] = {}
        for store, source in wish.subscribe[:MOST_SOURCES]:
            by_store.setdefault(any_name(store), []).append(source_id(source))
        tasks = [
            asyncio.create_task(self._watch(socket, person, store, sources))
            for store, sources in by_store.items()
            if store.endswith(STORE_SUFFIX)
        ]
        tasks.append(asyncio.create_task(self._guard(socket, person)))
        try:
            while await socket.receive() is not None:
                pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _guard(self, socket: WebSocket, person: Person) -> None:
        """Close the connection soon after the session ends, or when nobody can tell whether it has.

        The page then comes back, with a new proof.
        """
        try:
            while await self._people.still(person):  # noqa: ASYNC110 - an ended session sends no event
                await asyncio.sleep(_CHECK_S)
        finally:
            socket.close(1008, "this session has ended")

    async def _watch(
        self, socket: WebSocket, person: Person, store: str, sources: list[str]
    ) -> None:
        """Relay one store's events; when the store restarts, come back."""
        while True:
            with suppress(DataboxError, OSError, TimeoutError):
                await self._relay(socket, person, store, sources)
            await asyncio.sleep(0.5)

    async def _relay(
        self, socket: WebSocket, person: Person, store: str, sources: list[str]
    ) -> None:
        token = await self._people.token(person, store, "GET", "/ws")
        events = await self._dialer.websocket(store, "/ws", headers={"x-api-key": token})
        try:
            for source in sources:
                path = f"/sub/{source}/ts"
                key = await self._people.token(person, store, "GET", path)
                answer = await self._dialer.fetch(store, "GET", path, headers={"x-api-key": key})
                if answer.status != 200:
                    # A source that its driver has not registered yet: try again soon.
                    raise Unavailable("the store takes no subscription yet", found=path)
            while (message := await events.receive()) is not None:
                socket.send(_event(store, message))
        finally:
            events.close()


async def _text(socket: WebSocket) -> str:
    message = await socket.receive()
    if not isinstance(message, str):
        raise TimeoutError("the page left before it said who it is")
    return message


def _event(store: str, message: str | bytes) -> str:
    """A store's event as the dashboard reads it: {store, source, t, data}."""
    event: dict[str, Any] = msgspec.json.decode(message)
    return msgspec.json.encode(
        {
            "store": store,
            "source": event.get("datasource_id"),
            "t": event.get("timestamp"),
            "data": event.get("data"),
        }
    ).decode()
