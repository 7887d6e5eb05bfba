"""The ledger's endpoints: parts write, the owner reads, checks and takes away."""

import asyncio
from collections.abc import Mapping

from databox.kit.clock import Clock
from databox.kit.http.message import Response
from databox.kit.table import Call, Table
from databox.ledger import permitted
from databox.ledger.amounts import day_word
from databox.ledger.chain import Check, Ledger, Wanted
from databox.ledger.names import Names
from databox.ledger.paging import bundle_page
from databox.ledger.sentences import is_technical, sentence
from databox.ledger.summing import QUARTER_MINUTES, Page, Row, day, everything, page
from databox.ledger.sums import Days
from databox.wire.api import EntryReply, EntryRequest, History, HistoryRow, Verdict
from databox.wire.errors import BadRequest
from databox.wire.ledger import Checkpoint, Event, Installed
from databox.wire.names import STORE_SUFFIX

MAX_ROWS = 500
MAX_NAMES = 1000
_ROWS = 100


class LedgerService:
    """Answers for the ledger.

    Args:
        ledger: The chain.
        clock: Time of day, to say "today".
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def serve(self, table: Table) -> None:
        """Put every endpoint of the ledger into the table."""
        table.serve("entries", self.entries)
        table.serve("history", self.history)
        table.serve("bundle", self.bundle)
        table.serve("checkpoint", self.checkpoint)
        table.serve("verdict", self.verdict)

    def entries(self, call: Call) -> EntryReply:
        """Write a part's entries; they are durable when this answers."""
        request: EntryRequest = call.message
        caller = call.request.caller
        permitted.check(caller, request.events)
        if caller.endswith(STORE_SUFFIX):
            return EntryReply(last=self._ledger.append_from_store(caller, request.events))
        return EntryReply(last=self._ledger.append(caller, request.events))

    def history(self, call: Call) -> History:
        """A page of entries with their sentences.

        `by=day` tells whole days and sums up what repeats; `technical=0` leaves out what is inner
        working.
        """
        asked = call.request.parameters
        limit = _number(asked, "limit", _ROWS, 1, MAX_ROWS)
        zone = _number(asked, "zone", 0, -14 * 60, 14 * 60)
        shown = everything if _choice(asked, "technical", ("1", "0")) == "1" else _plain
        if _choice(asked, "by", ("entry", "day")) == "day":
            found = self._ledger.page_of_days(_days(asked, zone), limit, shown)
            return self._told(found, zone, by_day=True)
        return self._told(page(self._ledger.entries(_wanted(asked)), limit, shown), zone)

    def checkpoint(self, call: Call) -> Checkpoint:
        """A signed checkpoint of now."""
        return self._ledger.checkpoint()

    async def verdict(self, call: Call) -> Verdict:
        """Check the whole chain, letting others be served in between."""
        check = Check(self._ledger)
        for batch in self._ledger.lines():
            if not check.take(batch):
                break
            await asyncio.sleep(0)
        return check.verdict()

    async def bundle(self, call: Call) -> Response:
        """A page of the whole ledger as JSON lines, from entry `from` on."""
        size = self._ledger.size()
        first = _number(call.request.parameters, "from", 0, 0, size)
        return Response(200, await bundle_page(self._ledger, first), "application/jsonl")

    def _told(self, found: Page, zone: int, *, by_day: bool = False) -> History:
        labels = self._ledger.labels(MAX_NAMES)
        names = Names(titles=self._titles(), sources=labels, zone=zone)
        today = day(self._clock.now(), zone)

        def told(row: Row) -> HistoryRow:
            when = day_word(day(row.entry.t, zone), today) if by_day else ""
            words = sentence(row.entry, names, day=when, times=row.times)
            technical = is_technical(row.entry.event)
            return HistoryRow(entry=row.entry, sentence=words, technical=technical)

        return History(rows=tuple(map(told, found.rows)), next=found.next)

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


def _wanted(asked: Mapping[str, str]) -> Wanted:
    return Wanted(
        before=_optional(asked, "before"),
        component=asked.get("component", ""),
        kind=asked.get("kind", ""),
        since=_optional(asked, "since"),
        until=_optional(asked, "until"),
    )


def _days(asked: Mapping[str, str], zone: int) -> Days:
    if zone % QUARTER_MINUTES:
        # Sums are kept by the quarter; no time zone of today needs less.
        raise _unfit("zone", str(zone), "minutes that are whole quarters of an hour")
    wanted = _wanted(asked)
    return Days(
        zone=zone,
        before=wanted.before,
        component=wanted.component,
        kind=wanted.kind,
        since=wanted.since,
        until=wanted.until,
    )


def _optional(asked: Mapping[str, str], name: str) -> int | None:
    return _number(asked, name, 0, 0, 2**53) if name in asked else None


def _number(asked: Mapping[str, str], name: str, usual: int, least: int, most: int) -> int:
    text = asked.get(name, str(usual))
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 16):
        raise _unfit(name, text, "a whole number")
    if not least <= int(text) <= most:
        raise _unfit(name, text, f"a number from {least} to {most}")
    return int(text)


def _choice(asked: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    text = asked.get(name, choices[0])
    if text not in choices:
        raise _unfit(name, text, f"one of {', '.join(choices)}")
    return text


def _unfit(name: str, found: str, wanted: str) -> BadRequest:
    return BadRequest(
        "the parameter cannot be used", field=name, found=found[:80], remedy=f"Give {wanted}"
    )
