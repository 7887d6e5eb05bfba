"""Two stores that are asked the same: what may not be seen is all that differs between them."""

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from databox.kit.clock import FixedClock
from databox.kit.guard import EndedGrants, Guard
from databox.kit.http.message import Request, Response, Stream, Upgrade
from databox.store.file import StoreFile
from databox.store.service import KEEPS, Store
from databox.wire import tokens
from databox.wire.errors import DataboxError, Unavailable

NAME, SECRET, KEY = "walk-store", "s" * 43, bytes(range(32))
DRIVER, APP = "walk", "graph"
START = 1_700_006_400_000
"""A midnight in UTC."""
_IDS = re.compile(rb'"_id":"[^"]*"|"next":"[^"]*"|id: [^\n]*|"id":"[^"]*"')
"""Names of points and places in a list: numbers of series, and of which run of the store."""

Told = tuple[int, bytes]
"""An answer: its status and its body, without ids."""
Column = list[tuple[int, object]]
"""Readings: time, Unix ms, and data."""


@dataclass
class Socket:
    """The other end of a WebSocket, as far as a store needs one."""

    frames: list[bytes] = field(default_factory=list)
    is_open: bool = True

    def send_frame(self, frame: bytes) -> bool:
        """Take an event; its text begins behind the frame's head, which tells how long it is."""
        head = {126: 4, 127: 10}.get(frame[1], 2)
        self.frames.append(_IDS.sub(b"", frame[head:]))
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Be closed."""
        self.frames.append(b"closed %d %b" % (code, reason.encode()))
        self.is_open = False

    async def receive(self) -> None:
        """Say nothing until the end."""
        await asyncio.Event().wait()


class World:
    """One store and those who ask it, without a network between."""

    def __init__(self, folder: Path, clock: FixedClock) -> None:
        self._folder, self._clock = folder, clock
        self._following: list[asyncio.Task[None]] = []
        self._lives = 0
        self.open()

    def open(self) -> None:
        """Open the file, as after any end."""
        file = StoreFile(self._folder / "store.db", KEY)
        self.store = Store(NAME, file, self._folder, clock=self._clock)
        guard = Guard(NAME, SECRET, self.store.clock, EndedGrants(0, ()), keeps=KEEPS)
        self.store.open(guard, _no_ledger, origin="https://walk-store:443")
        # A second passes when the test says so, and not as well when the machine does.
        for task in self.store._tasks:
            task.cancel()

    async def close(self) -> None:
        """End in good order."""
        await self.stop_following()
        await self.store.close()

    async def kill(self) -> None:
        """End as if killed now: what is on the disk at this moment is all that is left."""
        self._lives += 1
        left = self._folder.with_name(f"{self._folder.name[0]}{self._lives}")
        shutil.copytree(self._folder, left)
        await self.close()
        self._folder = left

    def break_writes(self) -> None:
        """Let every write fail from now on."""

        def fail(*_: object) -> asyncio.Future[Any]:
            failed = asyncio.get_running_loop().create_future()
            failed.set_exception(Unavailable("the store could not write"))
            return failed

        self.store._writer.write = fail  # type: ignore[method-assign, assignment]

    async def stop_following(self) -> None:
        """Let every socket go."""
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        self._following = []

    async def write(self, source: str, column: Column, tags: dict[str, str]) -> None:
        """Write readings as the driver does."""
        if column:
            times, data = zip(*column, strict=True)
            body = {"timestamps": times, "data": data, "tags": tags}
            told = await self.post(f"/{source}/ts/columns", body)
            assert told[0] == 200, told

    async def post(self, path: str, body: object) -> Told:
        """Ask as the driver."""
        request = _request(DRIVER, "POST", path, ())
        request.body = json.dumps(body).encode()
        return await _whole(await self._answer(request))

    async def ask(
        self, path: str, caveats: Sequence[str], *, grant: str = "g1", **headers: str
    ) -> Told:
        """Ask as the app, with a token of these caveats."""
        return await _whole(await self.answer(path, caveats, grant=grant, **headers))

    async def answer(
        self, path: str, caveats: Sequence[str], *, grant: str = "g1", **headers: str
    ) -> Any:
        """The same with its headers."""
        request = _request(APP, "GET", path, caveats, grant)
        request.headers |= headers
        return await self._answer(request)

    async def follow(self, path: str, caveats: Sequence[str]) -> Socket | Told:
        """Follow something by WebSocket; what is no WebSocket is the answer."""
        request = _request(APP, "GET", path, caveats)
        request.headers["upgrade"] = "websocket"
        answer = await self._answer(request)
        if not isinstance(answer, Upgrade):
            return await _whole(answer)
        socket = Socket()
        accepting: Any = answer.accept(socket)  # type: ignore[arg-type]
        self._following.append(asyncio.ensure_future(accepting))
        means = self.store._answers.means
        while not (self._following[-1].done() or path == "/ws" or means.tails._all()):
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.002)
        return socket

    async def turn(self) -> None:
        """Let a second of the store's own work pass."""
        await self.store._tick()
        await asyncio.sleep(0.004)

    async def _answer(self, request: Request) -> Any:
        try:
            answer: Any = self.store.router.resolve(request).handler(request)
            return answer if isinstance(answer, Response) else await answer
        except DataboxError as error:
            return Response(error.status, json.dumps(error.as_json()).encode())


class Worlds:
    """Both, on one clock."""

    def __init__(self, folder: Path) -> None:
        self.clock = FixedClock(START)
        self.count = 0
        self.both = []
        for name in "ab":
            (folder / name).mkdir()
            self.both.append(World(folder / name, self.clock))

    async def differ(self, path: str, caveats: Sequence[str], **headers: str) -> Told:
        """Ask both the same: the answers must be the same; gives one of them."""
        one, other = [await world.ask(path, caveats, **headers) for world in self.both]
        assert one == other, (path, caveats, one, other)
        return one

    async def close(self) -> None:
        """End both."""
        for world in self.both:
            await world.close()


@contextmanager
def worlds(runner: "asyncio.Runner") -> Iterator[Worlds]:
    """Two stores in memory where the machine has a file system there."""
    quick = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=quick if quick.is_dir() else None) as folder:

        async def opened() -> Worlds:
            return Worlds(Path(folder))

        made = runner.run(opened())
        try:
            yield made
        finally:
            runner.run(made.close())


def _request(
    client: str, method: str, path: str, caveats: Sequence[str], grant: str = "g1"
) -> Request:
    """A request with a token for exactly this path, as the arbiter would mint it."""
    plain, _, query = path.partition("?")
    token = tokens.mint(
        SECRET,
        location="https://arbiter:443",
        identifier=f"{client}:{grant}:n",
        caveats=(f"target = {NAME}", f"path = {plain}", f"method = {method}", *caveats),
    )
    headers = {"x-api-key": token, "content-type": "application/json"}
    return Request(method, plain, query, headers, path, caller=client)


async def _whole(answer: Any) -> Told:
    if isinstance(answer, Stream):
        body = b"".join([chunk async for chunk in answer.chunks])
        return answer.status, _IDS.sub(b"", body)
    assert isinstance(answer, Response), answer
    return answer.status, _IDS.sub(b"", answer.body)


async def _no_ledger(_: object) -> bool:
    return False
