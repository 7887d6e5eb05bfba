"""Keeps one part, store or instance alive: carries out what `lifecycle` decides."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from databox.box.lifecycle import Act, Ended, Event, Life, Pause, Policy, State, step
from databox.kit import log as lines
from databox.wire.errors import DataboxError, Unavailable

log = logging.getLogger(__name__)

HOPELESS_FALLS = 3
"""So many falls in a row, and callers are told instead of kept waiting."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What a keeper can do. `end` asks for a good end and sees to it that there is one.

    After `spawn` came back, and only then, somebody tells the keeper of the end of the process.
    """

    spawn: Callable[[], Coroutine[Any, Any, None]]
    end: Callable[[], Coroutine[Any, Any, None]]
    kill: Callable[[], None]


class Keeper:
    """One life. `changed` hears of every new state."""

    def __init__(
        self, name: str, policy: Policy, hands: Hands, changed: Callable[["Keeper"], None]
    ) -> None:
        self.name = name
        self.policy = policy
        self.life = Life()
        self._hands = hands
        self._changed = changed
        self._news = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def state(self) -> State:
        """Where it is."""
        return self.life.state

    def tell(self, event: Event | Ended) -> None:
        """Something happened."""
        before = self.life
        self.life, act = step(before, event, time.time(), self.policy)
        if self.life.state is not before.state:
            self._report()
            self._set_timer(act)
        match act:
            case Act.SPAWN:
                self._do(self._spawn())
            case Act.END:
                self._do(self._hands.end())
            case Act.KILL:
                self._hands.kill()
            case Pause() | None:
                pass

    async def until(self, *states: State) -> State:
        """Wait for one of these states."""
        while self.life.state not in states:
            await self._news.wait()
        return self.life.state

    async def stop(self) -> None:
        """End it, and come back when it is over."""
        self.tell(Event.STOP)
        await self.until(State.STOPPED)

    async def awake(self, within: float) -> None:
        """Start it if it sleeps, and wait until it serves.

        Raises:
            Unavailable: it is stopped, has failed, keeps falling, or is not there in time.
        """
        if self.state is State.ASLEEP:
            self.tell(Event.START)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not self._settled:
                    await self._news.wait()
        if self.state is not State.RUNNING:
            raise Unavailable(
                f"{self.name} does not run",
                code="not-running",
                found=self.life.reason or self.state,
            )

    @property
    def _settled(self) -> bool:
        """Whether there is no point in waiting for it to run."""
        if self.state is State.WAITING:
            return self.life.falls >= HOPELESS_FALLS
        return self.state in (State.RUNNING, State.FAILED, State.STOPPED)

    def _report(self) -> None:
        lines.event(
            log,
            logging.INFO if self.state is not State.FAILED else logging.ERROR,
            "life",
            of=self.name,
            state=self.state,
            reason=self.life.reason,
        )
        self._news.set()
        self._news = asyncio.Event()
        self._changed(self)

    def _set_timer(self, act: Act | Pause | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        if isinstance(act, Pause):
            self._timer = loop.call_later(act.seconds, self.tell, Event.DUE)
        elif self.state is State.STARTING and self.policy.ready_within:
            self._timer = loop.call_later(self.policy.ready_within, self.tell, Event.LATE)

    async def _spawn(self) -> None:
        try:
            await self._hands.spawn()
        except (DataboxError, OSError) as error:
            self.tell(Ended(clean=False, reason=str(error)))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            lines.failure(log, "keeper-fell", error, of=self.name)
            self.tell(Ended(clean=False, reason=f"{type(error).__name__}: {error}"))
