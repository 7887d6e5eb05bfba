"""Our own stores as the box runs them: forked, confined, encrypted, beside the real authority.

Only who asks is played: no gateway, manager or switchboard runs. The callers have pairs with each
store, and tokens minted with the store's own secret, had from the arbiter as the store has
it.
"""

import os
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.store.load import Request

from databox.box import kernel, specs
from databox.box.answers import Answers
from databox.box.arbiter_line import ArbiterLine
from databox.box.home import open_home
from databox.box.keeper import Keeper
from databox.box.keys import Keyring
from databox.box.leftovers import Register
from databox.box.lifecycle import PART, Event, State
from databox.box.pairs import Pairs
from databox.box.part import Part
from databox.box.parts import Followers, Parts
from databox.box.reception import Reception
from databox.box.runtime import find
from databox.box.settings import CLEANLY
from databox.box.specs import AUTHORITY
from databox.box.stores import Stores
from databox.box.trust import Trust
from databox.box.uids import Uids
from databox.kit.http.client import Connection
from databox.wire import tokens
from databox.wire.control import Connect, FromPart, Stop
from databox.wire.errors import Denied

CALLERS = ("bench", "bench-2", "bench-3", "bench-4")
"""More than one, because a store lets no single caller have all its connections."""
START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Store:
    """One store. `paths`: of its callers' sockets; `folder`: of its files; `secret`: of its tokens.

    Its process is another after each sleep.
    """

    name: str
    paths: dict[str, Path]
    folder: Path
    secret: str

    def request(self, method: str, path: str, kind: str = "", callers: int = 1) -> Request:
        """A request with tokens for it. `path` may have a query; `kind`: of its body."""
        asking = list(self.paths)[:callers]
        heads = tuple(self._head(caller, method, path, kind) for caller in asking)
        return Request(tuple(str(self.paths[caller]) for caller in asking), heads)

    def token(self, caller: str, method: str, path: str) -> str:
        """A token for exactly one path."""
        caveats = (f"target = {self.name}", f"path = {path}", f"method = {method}")
        return tokens.mint(
            self.secret,
            location="https://arbiter:443",
            identifier=f"{caller}:own:nonce",
            caveats=caveats,
        )

    def _head(self, caller: str, method: str, path: str, kind: str) -> bytes:
        key = self.token(caller, method, path.partition("?")[0])
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.name}", f"X-Api-Key: {key}"]
        if kind:
            lines.append(f"Content-Type: {kind}")
        return "".join(f"{line}\r\n" for line in lines).encode()


class Rack:
    """The authority, and stores on demand, in a home folder of their own."""

    def __init__(self, root: Path) -> None:
        self._home = home = open_home(root)
        self._keys = Keyring(home.keys)
        self._keys.set_up("only for this measurement", automatic=False)
        self._trust = Trust(home.keys)
        self._trust.open(self._keys)
        self._answers = Answers(self._ask)
        followers = Followers(self._answers.take, self._ready, self._fares, self._changed)
        uids = Uids.of_this_machine(root / "uids")
        register = Register(home.run / "register")
        self._parts = Parts(home, uids, register, specs.PRELOADED, followers)
        self._pairs = Pairs(home, None)
        self._reception = Reception(self._pairs, self._parts)
        self._stores = Stores(home, self._keys, self._parts, self._reception, self._trust.leaf)
        self._arbiter = ArbiterLine(self._reception)

    async def open(self) -> None:
        """Start the parent of all parts, and the authority."""
        await self._parts.open()
        making = specs.Making(self._home, self._keys, self._trust.leaf, find(), "", lambda: CLEANLY)
        spec = next(each for each in specs.unlocked(making) if each.name == AUTHORITY)
        self._reception.ensure("box", "arbiter")
        self._parts.add(spec, PART).tell(Event.START)
        await self._parts.keeper(AUTHORITY).awake(START_SECONDS)

    async def close(self) -> None:
        """End all of it."""
        self._arbiter.close()
        await self._parts.stop(*(self._stores.names))
        await self._parts.stop(AUTHORITY)
        await self._answers.leave()
        self._parts.close()
        self._pairs.close()

    async def store(self, name: str) -> Store:
        """A new store, which sleeps until somebody asks it."""
        self._stores.ensure(name)
        await self._arbiter.know(name, "store", self._stores.arbiter_key(name))
        paths = {}
        for caller in CALLERS:
            self._reception.ensure(caller, name)
            paths[caller] = self._reception.folder(caller, None) / f"{name}.sock"
        return Store(name, paths, self._home.stores / name, await self._secret(name))

    @property
    def authority(self) -> int:
        """The process that hears of every access."""
        part = self._parts.running(AUTHORITY)
        return part.pid if part else 0

    def pid(self, store: Store) -> int:
        """Its process now, 0 while it sleeps."""
        part = self._parts.running(store.name)
        return part.pid if part else 0

    async def awake(self, store: Store) -> int:
        """Have it run; gives its process."""
        await self._parts.keeper(store.name).awake(START_SECONDS)
        return self.pid(store)

    async def sleep(self, store: Store) -> None:
        """Have it end as it does after some idle time; the next caller wakes it."""
        if part := self._parts.running(store.name):
            part.send(Stop())
            await self._parts.keeper(store.name).until(State.ASLEEP)

    async def _secret(self, name: str) -> str:
        """Asks the arbiter as the store does."""
        connection = Connection(await self._reception.connect(name, "arbiter"))
        headers = {"x-api-key": self._stores.arbiter_key(name)}
        try:
            reply = await connection.request("GET", "/store/secret", headers, b"")
        finally:
            connection.close()
        assert reply.status == 200, reply.body
        return reply.body.decode()

    async def _ask(self, part: str, message: FromPart) -> socket.socket:
        if not isinstance(message, Connect):
            raise Denied("only connections are given here", code="not-permitted")
        return await self._reception.connect(part, message.callee)

    def _ready(self, part: Part) -> None:
        self._reception.ready(part)

    def _fares(self, keeper: Keeper) -> None:
        """Nobody is told how a store fares."""

    def _changed(self, keeper: Keeper) -> None:
        self._reception.changed(keeper)


@asynccontextmanager
async def rack(core: int | None) -> AsyncIterator[Rack]:
    """A rack whose parts all run on one core, if one is given."""
    with tempfile.TemporaryDirectory(prefix="databox-bench-") as folder:
        opened = Rack(Path(folder) / "home")
        # Parts are handed to this process by a double fork, as to the box.
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        mine = os.sched_getaffinity(0)
        os.sched_setaffinity(0, mine if core is None else {core})
        try:
            # Parts are forked from a process that is started here, and stay where it is.
            await opened.open()
        finally:
            os.sched_setaffinity(0, mine)
        try:
            yield opened
        finally:
            await opened.close()
