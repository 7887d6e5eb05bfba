"""The ledger's endpoints: parts write, the owner reads, checks and takes away."""

import asyncio
import base64
from collections.abc import Iterable

from databox.kit.clock import Clock
from databox.kit.http.message import Response
from databox.kit.table import Call, Table
from databox.ledger import asked, permitted
from databox.ledger.amounts import day_word
from databox.ledger.chain import Ledger, Wanted
from databox.ledger.check import Check
from databox.ledger.names import Names
from databox.ledger.paging import bundle_page
from databox.ledger.reads import MOST, period
from databox.ledger.sentences import is_technical, sentence
from databox.ledger.summing import QUARTER, Page, day, everything, page
from databox.wire import api
from databox.wire.errors import BadRequest
from databox.wire.ledger import Checkpoint, Entry, Event, Installed
from databox.wire.names import STORE_SUFFIX

MAX_ROWS = 500
MAX_NAMES = 1000
WATCHED = 60_000
"""Milliseconds for which somebody who looked is taken to look on."""
_ROWS = 100


class LedgerService:
    """Answers for the ledger.

    Args:
        ledger: The lines, and all that is made of them.
        clock: Time of day, to say "today".
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._looked = -WATCHED

    def serve(self, table: Table) -> None:
        """Put every endpoint of the ledger into the table."""
        table.serve("entries", self.entries)
        table.serve("known-head", self.known_head)
        table.serve("history", self.history)
        table.serve("reads", self.reads)
        table.serve("bundle", self.bundle)
        table.serve("checkpoint", self.checkpoint)
        table.serve("inclusion", self.inclusion)
        table.serve("consistency", self.consistency)
        table.serve("verdict", self.verdict)
        table.serve("alarms", self.alarms)
        table.serve("accept", self.accept)

    def entries(self, call: Call) -> api.EntryReply:
        """Write a part's entries; they are durable when this answers."""
        request: api.EntryRequest = call.message
        caller = call.request.caller
        permitted.check(caller, request.events)
        if caller.endswith(STORE_SUFFIX):
            last = self._ledger.append_from_store(caller, request.events)
        else:
            last = self._ledger.append(caller, request.events)
        watched = self._clock.now() - self._looked < WATCHED
        return api.EntryReply(last=last, watched=watched)

    def known_head(self, call: Call) -> api.KnownHead:
        """What the calling store told last, by which it sees whether it was put back."""
        known = self._ledger.known_head(call.request.caller)
        return api.KnownHead(head=known.head, records=known.records) if known else api.KnownHead()

    def history(self, call: Call) -> api.History:
        """A page of entries with their sentences.

        `by=day` tells whole days and sums up what repeats; `technical=0` leaves out what is inner
        working.
        """
        query = call.request.parameters
        limit = asked.number(query, "limit", _ROWS, 1, MAX_ROWS)
        zone = asked.number(query, "zone", 0, -14 * 60, 14 * 60)
        shown = everything if asked.choice(query, "technical", ("1", "0")) == "1" else _plain
        self._looked = self._clock.now()
        if asked.choice(query, "by", ("entry", "day")) == "day":
            found = self._ledger.page_of_days(asked.days(query, zone), limit, shown)
            return self._told(found, zone, by_day=True)
        return self._told(page(self._ledger.entries(asked.wanted(query)), limit, shown), zone)

    def reads(self, call: Call) -> api.Reads:
        """Who read what, how exact and how much."""
        wanted = asked.reads(call.request.parameters)
        self._looked = self._clock.now()
        names = self._names(0)
        rows = [
            api.ReadsRow(
                access=each.event,
                first=each.first,
                last=each.last,
                sentence=sentence(Entry(n=0, t=each.last, by="", event=each.event), names),
            )
            for each in self._ledger.reads(wanted)
        ]
        start, end = period(wanted)
        return api.Reads(
            rows=tuple(rows[:MOST]),
            since=None if wanted.since is None else start * QUARTER,
            until=None if wanted.until is None else end * QUARTER,
            more=len(rows) > MOST,
        )

    def checkpoint(self, call: Call) -> Checkpoint:
        """A signed checkpoint of now."""
        return self._ledger.checkpoint()

    def inclusion(self, call: Call) -> api.Inclusion:
        """What shows that an entry is among those that a checkpoint signed.

        Raises:
            BadRequest: there is no such entry among so many.
        """
        query, all_of_it = call.request.parameters, self._ledger.size()
        size = asked.number(query, "size", all_of_it, 0, all_of_it)
        if not size:
            raise BadRequest("there is nothing among no entries", field="size", found="0")
        n = asked.number(query, "n", 0, 0, size - 1)
        path = _texts(self._ledger.inclusion(n, size))
        return api.Inclusion(n=n, size=size, leaf=self._ledger.leaf(n).decode(), path=path)

    def consistency(self, call: Call) -> api.Consistency:
        """What shows that nothing was changed since a checkpoint was signed."""
        query, all_of_it = call.request.parameters, self._ledger.size()
        size = asked.number(query, "to", all_of_it, 0, all_of_it)
        old = asked.number(query, "from", 0, 0, size)
        return api.Consistency(old=old, size=size, path=_texts(self._ledger.consistency(old, size)))

    async def verdict(self, call: Call) -> api.Verdict:
        """Check the whole ledger, letting others be served in between."""
        check = Check(self._ledger)
        for batch in self._ledger.lines():
            if not check.take(batch):
                break
            await asyncio.sleep(0)
        return check.verdict()

    async def bundle(self, call: Call) -> Response:
        """A page of the whole ledger as JSON lines, from entry `from` on."""
        size = self._ledger.size()
        first = asked.number(call.request.parameters, "from", 0, 0, size)
        return Response(200, await bundle_page(self._ledger, first), "application/jsonl")

    def alarms(self, call: Call) -> api.Alarms:
        """What was put back or changed, and not accepted."""
        names = self._names(0)
        rows = (
            api.HistoryRow(entry=entry, sentence=sentence(entry, names))
            for entry in self._ledger.alarms()
        )
        return api.Alarms(alarms=tuple(rows))

    def accept(self, call: Call) -> None:
        """Let a store go on with what is there."""
        request: api.AcceptRequest = call.message
        self._ledger.accept(request.store, call.user)

    def _told(self, found: Page, zone: int, *, by_day: bool = False) -> api.History:
        names = self._names(zone)
        today = day(self._clock.now(), zone)

        def told(entry: Entry) -> api.HistoryRow:
            when = day_word(day(entry.t, zone), today) if by_day else ""
            words, technical = sentence(entry, names, day=when), is_technical(entry.event)
            return api.HistoryRow(entry=entry, sentence=words, technical=technical)

        return api.History(rows=tuple(told(row.entry) for row in found.rows), next=found.next)

    def _names(self, zone: int) -> Names:
        labels = self._ledger.labels(MAX_NAMES)
        return Names(titles=self._titles(), sources=labels, zone=zone)

    def _titles(self) -> dict[str, str]:
        """Display names from the newest installation of each component."""
        titles: dict[str, str] = {}
        for number, entry in enumerate(self._ledger.entries(Wanted(kind="installed"))):
            if isinstance(entry.event, Installed) and entry.event.title:
                titles.setdefault(entry.event.component, entry.event.title)
            if number == MAX_NAMES:
                break
        return titles


def _plain(event: Event) -> bool:
    return not is_technical(event)


def _texts(hashes: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(base64.b64encode(each).decode("ascii") for each in hashes)
