"""Brings callers and callees together: hands out listeners, wakes sleepers, makes connections."""

import asyncio
import contextlib
import socket
from pathlib import Path

from databox.box.keeper import Keeper
from databox.box.lifecycle import Event, State
from databox.box.pairs import Door, Pairs
from databox.box.part import Part
from databox.box.parts import Parts
from databox.box.permitted import ANSWERED_BY
from databox.wire.errors import DataboxError, Denied

WAKE_SECONDS = 20.0


class Reception:
    """Knows which process answers to which name."""

    def __init__(self, pairs: Pairs, parts: Parts) -> None:
        self._pairs = pairs
        self._parts = parts
        self._watched: dict[str, list[int]] = {}

    def ensure(
        self, caller: str, callee: str, *, uid: int | None = None, twin: bool = False
    ) -> None:
        """Make a pair if it is not there. `uid`, `twin`: for a caller in a sandbox."""
        doors = self._pairs.ensure(caller, callee, uid=uid, twin=twin)
        if not doors:
            return
        name = ANSWERED_BY.get(callee, callee)
        if part := self._parts.serving(name):
            _hand(part, doors)
        else:
            self._rewatch(name)

    def folder(self, caller: str, uid: int | None) -> Path:
        """The folder of a caller's sockets, to be mounted in its sandbox."""
        return self._pairs.folder(caller, uid)

    async def end(self, caller: str, callee: str) -> None:
        """End a pair; when this comes back no connection of it is open any more."""
        if not self._pairs.has(caller, callee):
            return
        name = ANSWERED_BY.get(callee, callee)
        self._unwatch(name)
        self._pairs.drop(caller, callee)
        if part := self._parts.running(name):
            await part.unlisten(caller, callee)
        self._rewatch(name)

    async def end_all(self, name: str) -> None:
        """End every pair in which `name` calls or is called."""
        for caller, callee in self._pairs.of(name):
            await self.end(caller, callee)

    async def connect(self, caller: str, callee: str) -> socket.socket:
        """A connection as `caller`; the callee is woken, and awaited while it starts.

        Raises:
            Denied: there is no such pair.
            Unavailable: the callee does not come up.
        """
        if not self._pairs.has(caller, callee):
            raise Denied(f"{caller} has no business with {callee}", code="no-pair", found=callee)
        await self._parts.keeper(ANSWERED_BY.get(callee, callee)).awake(WAKE_SECONDS)
        return self._pairs.connect(caller, callee)

    def ready(self, part: Part) -> None:
        """A part serves: it gets every listener of those it answers for."""
        for callee in part.spec.answers:
            _hand(part, tuple(self._pairs.of_callee(callee)))

    def changed(self, keeper: Keeper) -> None:
        """A part fell asleep or woke: watch over its callers, or leave them to it."""
        self._rewatch(keeper.name)

    def _rewatch(self, name: str) -> None:
        self._unwatch(name)
        with contextlib.suppress(DataboxError):
            if self._parts.keeper(name).state is State.ASLEEP:
                self._watch(name)

    def _watch(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        self._watched[name] = [door.socket.fileno() for door in self._pairs.of_callee(name)]
        for number in self._watched[name]:
            loop.add_reader(number, self._parts.keeper(name).tell, Event.START)

    def _unwatch(self, name: str) -> None:
        for number in self._watched.pop(name, ()):
            asyncio.get_running_loop().remove_reader(number)


def _hand(part: Part, doors: tuple[Door, ...]) -> None:
    for door in doors:
        part.send(door.message, door.socket)
