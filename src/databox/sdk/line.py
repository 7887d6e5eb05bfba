"""How requests to a store leave: one form that blocks, and another, in `aio.py`, that waits.

What is asked and what the answers mean is written once, in `many.py`, as coroutines. Over
`Blocking` they never wait, so `drive` runs them to their end without an event loop: an app that
uses no asyncio does not load it.
"""

import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Mapping,
)
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, cast

from databox.sdk.peers import Peers, Route
from databox.wire.errors import Denied

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds that a request waits for a store that heals."""
JSON, BINARY = "application/json", "application/vnd.databox.columns"

Refused = Callable[[Denied], Denied]
"""What is raised instead of a refusal, in the words of the app."""
Sleep = Callable[[float], Awaitable[None]]
"""Lets seconds pass."""


class Line(Protocol):
    """The way to one store, as coroutines."""

    async def call(
        self, route: Route, body: bytes = b"", *, query: str = "", type: str = JSON
    ) -> bytes:
        """Make a call; the answer's body. Raises as `Peers.call`."""
        ...

    async def token(self, route: Route) -> str:
        """The token for a route. Raises as `Peers.token`."""
        ...

    def receive(
        self, route: Route, *, query: str = "", fields: Mapping[str, str] | None = None
    ) -> AsyncGenerator[bytes, None]:
        """An answer's body as it comes. Raises as `Peers.receive`."""
        ...

    def refused(self, error: Denied) -> Denied:
        """What to raise instead of this refusal."""
        ...


class Blocking:
    """The way for programs without an event loop."""

    def __init__(self, peers: Peers, refused: Refused) -> None:
        self._peers = peers
        self.refused = refused

    async def call(
        self, route: Route, body: bytes = b"", *, query: str = "", type: str = JSON
    ) -> bytes:
        """As `Peers.call`."""
        with told(self.refused):
            return self._peers.call(route, body, patience=PATIENCE, query=query, type=type)

    async def token(self, route: Route) -> str:
        """As `Peers.token`."""
        with told(self.refused):
            return self._peers.token(route, patience=PATIENCE)

    async def receive(
        self, route: Route, *, query: str = "", fields: Mapping[str, str] | None = None
    ) -> AsyncGenerator[bytes, None]:
        """As `Peers.receive`."""
        pieces = self._peers.receive(route, patience=PATIENCE, query=query, fields=fields)
        try:
            with told(self.refused):
                for piece in pieces:
                    yield piece
        finally:
            pieces.close()


async def block(seconds: float) -> None:
    """Let time pass, and nothing else meanwhile."""
    time.sleep(seconds)  # noqa: ASYNC251 - over a line that blocks there is no event loop


@contextmanager
def told(refused: Refused) -> Iterator[None]:
    """Raise a refusal in the words of the app."""
    try:
        yield
    except Denied as error:
        found = refused(error)
        if found is error:
            raise
        raise found from error


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits, and give what it returns."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    raise AssertionError("a coroutine over a line that blocks has waited")


def drive_all(found: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """Iterate over what never waits. It is closed with the iterator."""
    try:
        while True:
            try:
                each = drive(_next(found))
            except StopAsyncIteration:
                return
            yield each
    finally:
        drive(found.aclose())


async def _next(found: AsyncIterator[T]) -> T:
    return await anext(found)
