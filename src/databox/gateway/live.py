"""New readings as they are written, over one WebSocket for each dashboard page."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

import msgspec

from databox.gateway.people import People, Person
from databox.gateway.watch import Watch
from databox.kit.dialer import Dialer
from databox.kit.http.message import Request, Upgrade
from databox.kit.http.websocket import WebSocket
from databox.wire.errors import DataboxError
from databox.wire.names import STORE_SUFFIX, any_name, source_id

log = logging.getLogger("databox.gateway")

MOST_SOURCES = 128
"""Sources of one page, over all its frames."""
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
            first = await _text(socket)
        page = Subscribed(partial(self._watch, socket, person))
        guard = asyncio.create_task(self._guard(socket, person))
        try:
            page.take(first)
            while (message := await socket.receive()) is not None:
                page.take(message)
        finally:
            await page.end()
            guard.cancel()
            await asyncio.gather(guard, return_exceptions=True)

    def _watch(self, socket: WebSocket, person: Person, store: str) -> Watch:
        people, dialer = self._people, self._dialer
        return Watch(store, person, people=people, dialer=dialer, send=socket.send)

    async def _guard(self, socket: WebSocket, person: Person) -> None:
        """Close the connection soon after the session ends, or when nobody can tell whether it has.

        The page then comes back, with a new proof.
        """
        try:
            while await self._people.still(person):  # noqa: ASYNC110 - an ended session sends no event
                await asyncio.sleep(_CHECK_S)
        finally:
            socket.close(1008, "this session has ended")


class Subscribed:
    """What one page watches: each of its frames adds to it, up to a bound."""

    def __init__(self, make: Callable[[str], Watch]) -> None:
        self._make = make
        self._watches: dict[str, Watch] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._count = 0

    def take(self, frame: str | bytes) -> None:
        """Watch what the frame asks for; beyond the bound nothing more is watched.

        Raises:
            msgspec.MsgspecError: not such a frame.
            BadRequest: a name that none can have.
        """
        wish = msgspec.json.decode(frame, type=_Subscribe)
        for store, source in wish.subscribe[: MOST_SOURCES - self._count]:
            self._count += 1
            if any_name(store).endswith(STORE_SUFFIX):
                self._watch(store).add((source_id(source),))

    def _watch(self, store: str) -> Watch:
        if store not in self._watches:
            self._watches[store] = self._make(store)
            self._tasks.append(asyncio.create_task(self._watches[store].run()))
        return self._watches[store]

    async def end(self) -> None:
        """Watch nothing any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _text(socket: WebSocket) -> str:
    message = await socket.receive()
    if not isinstance(message, str):
        raise TimeoutError("the page left before it said who it is")
    return message
