"""One store's new readings for one page: subscribed to as the page asks, back after a restart."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, repeat
from typing import Any

import msgspec

from databox.gateway.people import People, Person
from databox.kit.dialer import Dialer
from databox.kit.http.client import error_of
from databox.kit.http.websocket import WebSocket
from databox.wire.errors import DataboxError

_PAUSES_S = (0.5, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Between tries of what does not work, the last of them for ever."""

Send = Callable[[str], object]


class Watch:
    """Keeps one WebSocket to a store, as the signed-in person.

    Args:
        store: The store.
        person: Who watches.
        people: Gives tokens for that person.
        dialer: The way to the store.
        send: Takes each event, as the dashboard reads it.
    """

    def __init__(
        self, store: str, person: Person, *, people: People, dialer: Dialer, send: Send
    ) -> None:
        self._store = store
        self._person = person
        self._people = people
        self._dialer = dialer
        self._send = send
        self._wanted: set[str] = set()
        self._more = asyncio.Event()

    def add(self, sources: Iterable[str]) -> None:
        """Watch these too."""
        self._wanted.update(sources)
        self._more.set()

    async def run(self) -> None:
        """Watch until cancelled; when the store restarts, come back."""
        pauses = _pauses()
        while True:
            with suppress(DataboxError, OSError, TimeoutError):
                await self._relay()
                pauses = _pauses()
            await asyncio.sleep(next(pauses))

    async def _relay(self) -> None:
        events = await self._people.acting(self._person, self._store, "GET", "/ws", self._connect)
        subscribing = asyncio.create_task(self._subscribe())
        try:
            while (message := await events.receive()) is not None:
                self._tell(msgspec.json.decode(message))
        finally:
            subscribing.cancel()
            await asyncio.gather(subscribing, return_exceptions=True)
            events.close()

    async def _connect(self, token: str) -> WebSocket:
        return await self._dialer.websocket(self._store, "/ws", headers={"x-api-key": token})

    async def _subscribe(self) -> None:
        """Subscribe to whatever is wanted; a source that is not registered yet keeps nobody up."""
        done: set[str] = set()
        pauses = _pauses()
        while True:
            self._more.clear()
            for source in sorted(self._wanted - done):
                with suppress(DataboxError, OSError, TimeoutError):
                    await self._subscribe_to(f"/sub/{source}/ts")
                    done.add(source)
            pause = next(pauses) if self._wanted - done else None
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._more.wait()

    async def _subscribe_to(self, path: str) -> None:
        async def subscribe(token: str) -> None:
            headers = {"x-api-key": token}
            answer = await self._dialer.fetch(self._store, "GET", path, headers=headers)
            if answer.status != 200:
                raise error_of(answer)

        await self._people.acting(self._person, self._store, "GET", path, subscribe)

    def _tell(self, event: dict[str, Any]) -> None:
        # Every socket of this person gets every event, also those that another page asked for.
        source = event.get("datasource_id")
        if source in self._wanted:
            told = {
                "store": self._store,
                "source": source,
                "t": event.get("timestamp"),
                "data": event.get("data"),
            }
            self._send(msgspec.json.encode(told).decode())


def _pauses() -> Iterator[float]:
    return chain(_PAUSES_S, repeat(_PAUSES_S[-1]))
