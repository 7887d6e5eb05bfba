"""One worker a client: sends its queue in order, with the intent in the ledger before each try."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from databox.export.queue import Export, Queue
from databox.export.states import OPEN, OVER, Next, Outcome, State, after
from databox.kit.clock import Clock
from databox.wire import ledger
from databox.wire.errors import Conflict, DataboxError

log = logging.getLogger("databox.export")

Send = Callable[[Export], Awaitable[Outcome]]
Record = Callable[[ledger.Event], Awaitable[None]]
Changed = Callable[[Export], None]
_LEDGER_AWAY_S = 2.0


class Workers:
    """Keeps a task for each client that has something to send."""

    def __init__(self, queue: Queue, send: Send, record: Record, clock: Clock) -> None:
        self._queue = queue
        self._send = send
        self._record = record
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake: dict[str, asyncio.Event] = {}
        self._watchers: set[Changed] = set()

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

    async def cancel(self, export: Export, why: str) -> Export:
        """Take an export out of its queue.

        Raises:
            Conflict: it is being sent, or it is over.
        """
        if export.state not in OPEN:
            raise Conflict("this export cannot be cancelled any more", found=export.state.value)
        await self._record(_outcome(export, State.CANCELLED, 0, why))
        cancelled = self._put(export, State.CANCELLED, detail=why)
        self.nudge(export.client)
        return cancelled

    async def retry(self, export: Export) -> Export:
        """Send again what failed, or what nobody knows the end of.

        Raises:
            Conflict: it was sent, or is still on its way.
        """
        if export.state not in (State.FAILED, State.UNKNOWN, State.CANCELLED):
            raise Conflict("this export is not one to try again", found=export.state.value)
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
            export = self._queue.next(client)
            if export is None:
                return
            wait = ((export.next_try or 0) - self._clock.now()) / 1000
            if wait > 0:
                await _or_wait(wake, wait)
                continue
            try:
                await self._try(export)
            except (DataboxError, OSError) as error:
                # No record, no data: without the ledger nothing leaves.
                log.warning("export-waits id=%s why=%s", export.id, error)
                await _or_wait(wake, _LEDGER_AWAY_S)

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
        self._settle(sending, outcome, following)
        if following.state in OVER:
            await self._record_outcome(sending, outcome, following)

    def _settle(self, export: Export, outcome: Outcome, following: Next) -> None:
        retry = following.state is State.RETRYING
        self._put(
            export,
            following.state,
            next_try=self._clock.now() + following.wait * 1000 if retry else None,
            status=outcome.status,
            detail=outcome.detail,
        )

    async def _record_outcome(self, export: Export, outcome: Outcome, following: Next) -> None:
        event = _outcome(export, following.state, outcome.status, outcome.detail)
        while True:
            try:
                return await self._record(event)
            except (DataboxError, OSError) as error:
                log.warning("outcome-waits id=%s why=%s", export.id, error)
                await asyncio.sleep(_LEDGER_AWAY_S)

    def _put(self, export: Export, state: State, **more: object) -> Export:
        changed = self._queue.set(export, state, **more)  # type: ignore[arg-type]
        for watcher in list(self._watchers):
            watcher(changed)
        return changed


def _outcome(export: Export, state: State, status: int, detail: str) -> ledger.ExportOutcome:
    return ledger.ExportOutcome(
        export=export.id,
        client=export.client,
        url=export.url,
        outcome=state.value,
        status=status,
        detail=detail,
    )


async def _or_wait(wake: asyncio.Event, seconds: float) -> None:
    """Wait, unless woken."""
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return
