"""The process of one store: opens its file, learns who may come in, serves, reports, and closes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from databox.kit import log as lines
from databox.kit.clock import Clock, SystemClock
from databox.kit.control import Control
from databox.kit.dialer import Dialer
from databox.kit.guard import Guard, Verified, ask_arbiter, make_guard
from databox.kit.http.message import Response
from databox.kit.http.router import Router
from databox.kit.http.server import Server
from databox.kit.steady import SteadyClock
from databox.kit.table import Call, Table
from databox.kit.tls import on_demand
from databox.store.answers import OF_2017, Answers
from databox.store.condition import Condition, condition
from databox.store.door import Door
from databox.store.engine.points import Damage
from databox.store.file import NewEndings, NewState, Reader, StoreFile
from databox.store.rates import Rates
from databox.store.reporting import EVERY, Reporter, Send
from databox.store.reserve import Reserve
from databox.store.sleep import Patience
from databox.store.witness import Ask, Witness, compare
from databox.store.writer import Writer
from databox.wire import api
from databox.wire.caveats import Duty
from databox.wire.control import Fares
from databox.wire.endpoints import BY_NAME
from databox.wire.errors import DataboxError, Unavailable
from databox.wire.ledger import Event

log = logging.getLogger("databox.store")

KEEPS = frozenset(
    {
        Duty.SINCE,
        Duty.UNTIL,
        Duty.EXACT,
        Duty.PRECISION,
        Duty.FIELDS,
        Duty.RATE,
        Duty.DATASOURCES,
    }
)
"""The caveats about data that a store keeps itself."""
TICK = 1.0
"""Seconds between two looks for windows that have closed and tokens that have expired."""
ASK_AGAIN = 0.5
"""Seconds until the ledger is asked again after it did not answer."""
ACCEPTED = 2.0
"""Seconds between two looks whether the owner has accepted what was put back."""
USUAL = 60
"""Seconds without a request after which a store sleeps, if the box says nothing else."""
LOOKS = 4
"""How often within its usual patience a store looks whether it may sleep."""
DAMAGE_LOOKS = 10
"""Every so many looks at itself a store counts what it cannot read."""
DISMISS = 0.05
"""Seconds until those who were connected and asked nothing are gone."""
_TIME, _ASKED = "time", "asked"


async def serve(control: Control) -> None:
    """Run this store until the box says stop, or until nobody has asked anything for a while."""
    dialer = Dialer(control)
    arbiter_key = control.secrets["arbiter-key"].reveal().decode()
    asking = asyncio.create_task(ask_arbiter(dialer, arbiter_key))
    knowing = asyncio.create_task(_known(dialer))
    # The questions leave first: the file is opened while the arbiter answers.
    await asyncio.sleep(0)
    file = StoreFile(control.directory / "store.db", control.secrets["database"].reveal())
    store = Store(control.part, file, control.directory, clock=SystemClock())
    origin = control.config.get("origin", f"https://{control.part}:443")
    guard = make_guard(control.part, await asking, store.clock, keeps=KEEPS)

    async def send(events: tuple[Event, ...]) -> bool:
        reply: api.EntryReply = await dialer.call("entries", api.EntryRequest(events=events))
        return reply.watched

    store.open(guard, send, origin=origin, known=await knowing, ask=lambda: _known(dialer))
    tls = on_demand(control.secrets["tls"], control.directory)
    server = Server(store.router, ssl_context=tls)
    store.on_ended(lambda over: server.end_answers(lambda request: over(request.token)))
    control.on_listener(lambda each, sock: server.serve_listener(sock, each.caller, each.kind))
    control.on_unlisten(lambda gone: server.close_caller(gone.caller))
    store.on_changed(control.fare)
    await control.ready()
    following = asyncio.create_task(_follow(store, dialer))
    patience = Patience(float(control.config.get("idle-seconds", USUAL)), store.away)
    ends = [
        asyncio.create_task(control.run()),
        asyncio.create_task(_sleep(store, server, patience)),
    ]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for each in (*ends, following):
        each.cancel()
    store.dismiss()
    await server.drain()
    await store.close()
    dialer.close()


async def _sleep(store: "Store", server: Server, patience: Patience) -> None:
    """Come back once the store may sleep and takes no more requests.

    The box holds the listeners: whoever connects from then on wakes it.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()

    def idle_since() -> float | None:
        since = server.idle_since
        return None if since is None else max(began, since)

    while True:
        await asyncio.sleep(patience.usual / LOOKS)
        since = idle_since()
        if since is None:
            continue
        patience.asked(since)
        idle = loop.time() - since
        if idle < patience.seconds or not await store.settle(idle):
            continue
        # Nothing may have been asked while the rest was told to the ledger.
        if idle_since() != since:
            continue
        if not server.retire(since):
            await asyncio.sleep(DISMISS)
            if not server.retire(since):
                continue
        return


async def _known(dialer: Dialer) -> api.KnownHead:
    """What the ledger knows of this store; asked until it says so."""
    while True:
        try:
            known: api.KnownHead = await dialer.call("known-head")
        except (Unavailable, OSError) as error:
            lines.event(log, logging.WARNING, "known-head-unheard", why=error)
            await asyncio.sleep(ASK_AGAIN)
        else:
            return known


async def _follow(store: "Store", dialer: Dialer) -> None:
    """Ask the arbiter now and then which grants ended.

    The manager tells at once, but it may fall between the arbiter's commit and telling, and whoever
    held the grant would keep its token and its subscriptions.
    """
    while True:
        await asyncio.sleep(EVERY)
        with suppress(DataboxError, OSError):
            await store.learn(await dialer.call("epoch"))


Cut = Callable[[Callable[[Verified | None], bool]], None]
"""Breaks off the answers that are half sent under the tokens of which this is true."""


Fare = Callable[[Fares], Awaitable[None]]
"""Hears how a store fares."""


class Store:
    """One store, apart from its process: whatever has a file, a guard and a ledger can run it.

    Args:
        name: The store's own name.
        file: Its file, opened.
        folder: Its folder, for the space it sets aside.
        clock: The machine's time of day.
    """

    router: Router

    def __init__(self, name: str, file: StoreFile, folder: Path, *, clock: Clock) -> None:
        self._name = name
        self._file = file
        self._reader: Reader = file.reader()
        # Made here: threads that are there cannot be forbidden later.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._folder = folder
        self._reserve = Reserve(folder / "reserve")
        self._writer = Writer(file, self._reserve, clock)
        self.clock = SteadyClock(clock, self._reader.state(_TIME), self._save_time)
        self._looked = self.clock.now()
        asked = self._reader.state(_ASKED)
        self.away = (self._looked - asked) / 1000 if asked else None
        self._tasks: list[asyncio.Task[None]] = []
        self._cut: Cut = lambda _: None
        self._fare: Fare | None = None
        self._told: tuple[Condition, str] = (Condition(), "")
        self._since = 0
        self._looks = 0
        self._damage: list[Damage] = []

    def open(
        self,
        guard: Guard,
        send: Send,
        *,
        origin: str,
        known: api.KnownHead | None = None,
        ask: Ask | None = None,
    ) -> None:
        """Be ready to answer; what has ended before stays so, also if the arbiter forgot it.

        `known`: what the ledger knows of this store; `ask` asks for it again; None where there is
        no ledger. A store that is not what it was waits for the owner.
        """
        guard.ended.apply(*self._reader.endings())
        if not self._reserve.keep():
            lines.event(log, logging.WARNING, "no-reserve", store=self._name)
        self._ended = guard.ended
        rates = Rates(self._kept_number, self.clock)
        self._door = Door(guard, self._writer, self.clock, rates)
        self._answers = Answers(
            self._door,
            self._reader,
            self._executor,
            name=self._name,
            clock=self.clock,
            origin=origin,
            folder=self._folder / "objects",
        )
        self._reporter = Reporter(
            self._name,
            read=self._answers.means.read,
            writer=self._writer,
            send=send,
            labels=self._answers.means.listing.labels,
        )
        self._witness = Witness(self._name, read=self._answers.means.read, send=send, ask=ask)
        if found := compare(self._name, self._reader, known):
            self._witness.found = found
            self._door.closed = self._witness.why_closed()
        self.router = self._routes(guard)
        self._tasks = [
            asyncio.create_task(self._every(TICK, self._tick)),
            asyncio.create_task(self._every(EVERY, self._tell)),
            asyncio.create_task(self._every(ACCEPTED, self._look_again)),
            asyncio.create_task(self._answers.shelf.tidy()),
        ]

    def on_ended(self, cut: "Cut") -> None:
        """Have answers that are half sent broken off when their grant ends."""
        self._cut = cut

    def dismiss(self) -> None:
        """End what would go on for ever, so that there is an end to what is being answered."""
        self._answers.means.tails.end_all()

    def on_changed(self, fare: "Fare") -> None:
        """Have somebody hear how the store fares, now and at each change."""
        self._fare = fare
        news = asyncio.Event()
        self._answers.means.listing.changed = news.set
        self._tasks.append(asyncio.create_task(self._look_at_oneself(news)))

    async def _look_at_oneself(self, news: asyncio.Event) -> None:
        """Look each second, and at once when something was registered."""
        while True:
            try:
                await self._tell_of_oneself()
            except Exception as error:  # noqa: BLE001  the next look may well succeed
                lines.failure(log, "store-look-failed", error, store=self._name)
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await news.wait()
            news.clear()

    async def _tell_of_oneself(self) -> None:
        if not self._looks % DAMAGE_LOOKS:
            self._damage = await self._answers.means.read(lambda reader: reader.damage())
        self._looks += 1
        found = condition(self._writer.trouble, [*self._damage, *self._answers.damage()])
        mark = self._answers.means.listing.mark()
        if (found, mark) != self._told and self._fare is not None:
            if found != self._told[0]:
                self._since = self.clock.now()
            self._told = (found, mark)
            since = self._since if found.trouble else 0
            await self._fare(
                Fares(catalogue=mark, trouble=found.trouble, remedy=found.remedy, since=since)
            )

    async def report(self) -> None:
        """Tell the ledger what was looked at."""
        await self._door.write_down_refusals()
        await self._reporter.report()

    async def _tell(self) -> None:
        """Tell the ledger what is due."""
        if self._door.closed is None:
            await self._door.write_down_refusals()
            await self._reporter.tick()

    async def _look_again(self) -> None:
        """Open the door once what was found is told and accepted."""
        if self._witness.found is not None:
            await self._witness.look_again()
            self._door.closed = self._witness.why_closed()

    async def settle(self, idle: float) -> bool:
        """Finish what is left to do, when nobody has asked for `idle` seconds.

        Whether nothing is left. A store in trouble has something left: to look when it is over.
        """
        if self._writer.trouble is not None or self._witness.found is not None:
            return False
        with suppress(Unavailable):
            await self._door.write_down_refusals(all_of_them=True)
            await self._writer.write(NewState(_ASKED, self.clock.now() - round(idle * 1000)))
            return await self._reporter.report()
        return False

    async def close(self) -> None:
        """Tell the ledger the rest, and close the file."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._door.closed is None:
            await self._door.write_down_refusals(all_of_them=True)
            await self._reporter.report()
        await self._writer.close()
        self._answers.shelf.close()
        self._executor.shutdown()
        self._reader.close()
        self._file.close()

    async def learn(self, told: api.Epoch) -> None:
        """End what has ended and was not heard of yet."""
        fresh = tuple(each for each in told.ended if not self._ended.has_ended(each))
        if fresh:
            lines.event(log, logging.WARNING, "endings-untold", store=self._name, count=len(fresh))
            await self._end(told.epoch, fresh)

    def _routes(self, guard: Guard) -> Router:
        router = Router()
        table = Table(router, guard)
        table.serve("store.status", self._status)
        table.serve("store.epoch", self._epoch)
        table.serve("store.chain", self._witness.chain)
        at_once = self._answers.at_once()
        for name, handler in self._answers.handlers().items():
            endpoint = BY_NAME[name]
            router.add(
                endpoint.method,
                endpoint.path,
                self._door.behind(handler, at_once.get(name), explain=name not in OF_2017),
                max_body=endpoint.max_body,
                any_case=True,
                streamed=endpoint.body_streams,
            )
        return router

    def _status(self, _: Call) -> Response:
        state = b"standby" if self._writer.trouble or self._door.closed else b"active"
        return Response(200, state, "text/plain")

    async def _epoch(self, call: Call) -> None:
        """Grants ended: nothing leaves under them once this is answered."""
        told: api.EpochRequest = call.message
        await self._end(told.epoch, told.ended)

    async def _end(self, epoch: int, ended: tuple[str, ...]) -> None:
        self._ended.apply(epoch, ended)
        self._answers.means.end_grants(ended)
        over = frozenset(ended)
        self._cut(lambda verified: verified is not None and verified.grant in over)
        await self._writer.write(NewEndings(epoch, ended))

    async def _tick(self) -> None:
        now = self.clock.now()
        await self._answers.turn(self._looked, now)
        self._looked = now

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except Exception as error:  # noqa: BLE001  the next turn may well succeed
                lines.failure(log, "store-turn-failed", error, store=self._name)

    async def _kept_number(self, name: str) -> int:
        return await self._answers.means.read(lambda reader: reader.state(name))

    def _save_time(self, now: int) -> None:
        self._writer.write(NewState(_TIME, now))
