"""One worker a client: sends its queue in order, with the intent in the ledger before each try.

What is durable in the queue decides. An outcome stands there first and is then told to the ledger,
however often that takes, so neither a fall nor an absent ledger loses one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from databox.export.queue import Export, Queue
from databox.export.states import OPEN, Next, Outcome, State, after
from databox.kit.clock import Clock
from databox.wire import ledger
from databox.wire.errors import Conflict, DataboxError, Unavailable

log = logging.getLogger("databox.export")

Send = Callable[[Export], Awaitable[Outcome]]
Record = Callable[[ledger.Event], Awaitable[None]]
Permits = Callable[[Export], Awaitable[bool]]
"""Whether the grant of an export still holds; raises when nobody can tell."""
Changed = Callable[[Export], None]
ENDED = "its permission ended"
LOOK_AGAIN_S = 10.0
"""What waits longer is looked at meanwhile: its permission may end by time."""
_AGAIN_S = 2.0


class Workers:
    """Keeps a task for each client that has something to send."""

    def __init__(
        self, queue: Queue, send: Send, record: Record, permits: Permits, clock: Clock
    ) -> None:
        self._queue = queue
        self._send = send
        self._record = record
        self._permits = permits
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake: dict[str, asyncio.Event] = {}
        self._watchers: set[Changed] = set()
        self._reporting = asyncio.Lock()

    def start(self) -> None:
        """Go on with what waited when the box stopped."""
        for client in self._queue.clients():
            self.nudge(client)

    def watch(self, changed: Changed) -> Callable[[], None]:
        """Hear of every change of state; gives how to stop hearing."""
        self._watchers.add(changed)
        return lambda: self._watchers.discard(changed)

    def nudge(self, client: str) -> None:
        """Something of this client is to be sent, or no longer."""
        self._wake.setdefault(client, asyncio.Event()).set()
        task = self._tasks.get(client)
        if task is None or task.done():
            self._tasks[client] = asyncio.create_task(self._work(client))

    def cancel(self, export: Export, why: str) -> Export:
        """Take an export out of its queue: once this returns nothing of it is sent any more.

        Raises:
            Conflict: it is being sent, or it is over.
        """
        if export.state not in OPEN:
            raise Conflict(
                "this cannot be kept from leaving any more",
                field="state",
                found=export.state.value,
                remedy="Only what still waits can be cancelled",
            )
        cancelled = self._put(export, State.CANCELLED, detail=why)
        self.nudge(export.client)
        return cancelled

    async def retry(self, export: Export) -> Export:
        """Send again what failed, or what nobody knows the end of.

        Raises:
            Conflict: it was sent, or is still on its way.
            Unavailable: the ledger, which must know its last end first, is away.
        """
        await self._report(export.client)
        export = self._queue.get(export.id)
        if export.state not in (State.FAILED, State.UNKNOWN, State.CANCELLED):
            raise Conflict(
                "this is not to be tried again",
                field="state",
                found=export.state.value,
                remedy="Only what failed, was cancelled or has an unknown end can be tried again",
            )
        queued = self._put(export, State.QUEUED, tries=0)
        self.nudge(export.client)
        return queued

    async def stop(self) -> None:
        """End all workers; what was being sent is found as unknown at the next start."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _work(self, client: str) -> None:
        wake = self._wake[client]
        while True:
            wake.clear()
            try:
                await self._report(client)
                export = self._queue.next(client)
                if export is None:
                    return
                await self._go_on(export, wake)
            except (DataboxError, OSError) as error:
                # No record, no data: without the ledger nothing leaves.
                log.warning("export-waits client=%s why=%s", client, error)
                await _or_wait(wake, _AGAIN_S)

    async def _go_on(self, export: Export, wake: asyncio.Event) -> None:
        """Wait until its time has come, or try it."""
        if not await self._permits(export):
            if self._queue.get(export.id).state in OPEN:
                self._put(export, State.CANCELLED, detail=ENDED)
            return
        wait = ((export.next_try or 0) - self._clock.now()) / 1000
        if wait > 0:
            await _or_wait(wake, min(wait, LOOK_AGAIN_S))
        else:
            await self._try(export)

    async def _try(self, export: Export) -> None:
        await self._record(
            ledger.ExportIntent(
                export=export.id,
                client=export.client,
                url=export.url,
                size=len(export.body),
                sha256=export.sha256,
                grant=export.grant,
            )
        )
        if self._queue.get(export.id).state not in OPEN:
            return  # cancelled while the intent was written
        tries = export.tries + 1
        sending = self._put(export, State.SENDING, tries=tries)
        outcome = await self._send(sending)
        following = after(outcome, tries, idempotent=False)
        await self._settle(sending, outcome, following)

    async def _settle(self, export: Export, outcome: Outcome, following: Next) -> None:
        """Write what a try came to. Until that works it counts as being sent."""
        retry = following.state is State.RETRYING
        while True:
            try:
                self._put(
                    export,
                    following.state,
                    next_try=self._clock.now() + following.wait * 1000 if retry else None,
                    status=outcome.status,
                    detail=outcome.detail,
                )
            except Unavailable as error:
                log.warning("outcome-waits id=%s why=%s", export.id, error)
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    async def _report(self, client: str) -> None:
        """Tell the ledger every outcome that it does not know yet."""
        async with self._reporting:
            for export in self._queue.unwritten(client):
                await self._record(_outcome(export))
                self._queue.written(export)

    def _put(self, export: Export, state: State, **more: object) -> Export:
        changed = self._queue.set(export, state, **more)  # type: ignore[arg-type]  # known fields
        for watcher in list(self._watchers):
            watcher(changed)
        return changed


def _outcome(export: Export) -> ledger.ExportOutcome:
    return ledger.ExportOutcome(
        export=export.id,
        client=export.client,
        url=export.url,
        outcome=export.state.value,
        status=export.status,
        detail=export.detail,
    )


async def _or_wait(wake: asyncio.Event, seconds: float) -> None:
    """Wait, unless woken."""
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return
