"""All of our own processes: born from the zygote, kept alive, ended."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from databox.box.home import Home, own_folder
from databox.box.keeper import Hands, Keeper
from databox.box.leftovers import Register
from databox.box.lifecycle import Ended, Event, Policy, State
from databox.box.nursery import Nursery
from databox.box.part import Ears, Part, PartSpec, Place, give_birth
from databox.box.uids import Uids
from databox.wire.control import Fares, FromBox, FromPart, Ready
from databox.wire.errors import NotFound

log = logging.getLogger(__name__)

SWEEP_SECONDS = 10.0
_MARK, _TEXT = 64, 200
_NOTHING_TOLD = Fares(catalogue="")


@dataclass(frozen=True, slots=True)
class Followers:
    """Who hears of parts: what they ask, that one serves, how one fares, and every change."""

    asked: Callable[[Part, FromPart], None]
    ready: Callable[[Part], None]
    fares: Callable[[Keeper], None]
    changed: Callable[[Keeper], None]


class Parts:
    """Keeps them by name. A part serves once its keeper is `RUNNING`."""

    def __init__(
        self,
        home: Home,
        uids: Uids,
        register: Register,
        modules: Sequence[str],
        followers: Followers,
    ) -> None:
        """`modules`: what the zygote loads in advance."""
        self._home = home
        self._uids = uids
        self._register = register
        self._nursery = Nursery(home, register, modules)
        self._followers = followers
        self._keepers: dict[str, Keeper] = {}
        self._running: dict[str, Part] = {}
        self._sweeping: asyncio.Task[None] | None = None
        self._fares: dict[str, Fares] = {}

    async def open(self) -> None:
        """Start the zygote.

        Raises:
            Unavailable: it does not come up.
        """
        await self._nursery.zygote()
        self._sweeping = asyncio.get_running_loop().create_task(self._sweep())

    def add(self, spec: PartSpec, policy: Policy) -> Keeper:
        """Make a part known; it starts when its keeper is told to."""
        place = Place(
            self._home.scratch, self._uids.of(spec.name), self._home.logs / f"{spec.name}.log"
        )
        own_folder(spec.directory, place.uid)
        turn = asyncio.Lock()

        async def spawn() -> None:
            async with turn:
                await self._spawn(spec, place)

        async def end() -> None:
            # A start that is under way comes first; then there is something to end.
            async with turn:
                if part := self._running.get(spec.name):
                    await part.stop()

        hands = Hands(spawn, end, lambda: self.kill(spec.name))
        self._keepers[spec.name] = Keeper(spec.name, policy, hands, self._followers.changed)
        return self._keepers[spec.name]

    def keeper(self, name: str) -> Keeper:
        """The keeper of a part.

        Raises:
            NotFound: there is no such part.
        """
        try:
            return self._keepers[name]
        except KeyError as error:
            raise NotFound("there is no such part", field="part", found=name) from error

    def find(self, name: str) -> Keeper | None:
        """The keeper of a part, if it is known."""
        return self._keepers.get(name)

    def keepers(self) -> tuple[Keeper, ...]:
        """All of them."""
        return tuple(self._keepers.values())

    def running(self, name: str) -> Part | None:
        """The process of a part, if there is one."""
        return self._running.get(name)

    def serving(self, name: str) -> Part | None:
        """The process of a part that is ready, if there is one."""
        keeper = self._keepers.get(name)
        ready = keeper is not None and keeper.state is State.RUNNING
        return self._running.get(name) if ready else None

    def send(self, name: str, message: FromBox) -> None:
        """Tell a part something if it serves; who starts later learns it otherwise."""
        if part := self.serving(name):
            part.send(message)

    def fares(self, name: str) -> Fares:
        """What a store told last, also while it sleeps."""
        return self._fares.get(name, _NOTHING_TOLD)

    def kill(self, name: str) -> None:
        """End a part's process now; its keeper starts it again."""
        if part := self._running.get(name):
            part.kill()

    async def restart(self, name: str) -> None:
        """End a part's process now; this comes back once it is gone."""
        if part := self._running.get(name):
            part.kill()
            await part.wait_over()

    async def remove(self, name: str) -> None:
        """End a part and forget it."""
        if keeper := self._keepers.get(name):
            await keeper.stop()
            del self._keepers[name]
            self._fares.pop(name, None)

    async def stop(self, *names: str) -> None:
        """End these, all at once; those that are not there are no error."""
        there = [self._keepers[name] for name in names if name in self._keepers]
        await asyncio.gather(*(keeper.stop() for keeper in there))

    def close(self) -> None:
        """End the zygote; the parts have ended."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._nursery.close()

    async def _sweep(self) -> None:
        """Take leave of dead processes that nobody waits for.

        A zygote that is killed at work leaves its helper, or a part that the box never heard of.
        """
        seen: set[int] = set()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            ours = {part.pid for part in self._running.values()} | {self._nursery.pid}
            strange = children() - ours
            # Seen twice: one that was born a moment ago is only not known yet.
            for pid in strange & seen:
                _bury(pid)
            seen = strange

    async def _spawn(self, spec: PartSpec, place: Place) -> None:
        keeper = self._keepers[spec.name]

        def ended(end: Ended) -> None:
            self._running.pop(spec.name, None)
            keeper.tell(end)

        zygote = await self._nursery.zygote()
        part = await give_birth(spec, place, zygote, Ears(self._heard, ended))
        self._running[spec.name] = part
        self._register.add(part.pid)

    def _heard(self, part: Part, message: FromPart) -> None:
        if isinstance(message, Ready):
            # Listeners first: whoever waits for the part may connect a moment later.
            self._followers.ready(part)
            self._keepers[part.spec.name].tell(Event.READY)
        elif isinstance(message, Fares):
            self._fares[part.spec.name] = _bounded(message)
            self._followers.fares(self._keepers[part.spec.name])
        else:
            self._followers.asked(part, message)


def _bounded(told: Fares) -> Fares:
    # All of them are told on in one answer, which has a bound.
    return Fares(
        catalogue=told.catalogue[:_MARK],
        trouble=told.trouble[:_TEXT],
        remedy=told.remedy[:_TEXT],
        since=told.since,
    )


def _bury(pid: int) -> None:
    """Take leave of a child if it is dead."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)


def children() -> set[int]:
    """The processes that were handed to this one's first thread, as parts are.

    None on kernels that are built without this list.
    """
    pid = os.getpid()
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return set()
    return {int(word) for word in text.split()}
