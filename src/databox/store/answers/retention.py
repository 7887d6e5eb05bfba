"""For how long single points are kept: the owner's rules, what they would drop, and dropping it."""

import msgspec

from databox.kit.guard import Verified
from databox.kit.http.message import Answer, Request, Response
from databox.store import asked, audit, retention
from databox.store.answers.means import Means
from databox.store.audit import DELETE, KEEP, READ
from databox.store.door import access
from databox.store.file import Reader
from databox.store.readings import EARLIEST, LATEST
from databox.store.writes import DropRaw, NewState
from databox.wire import api
from databox.wire.errors import BadRequest, Denied

BY_RULE = "retention"
"""In the record of accesses, in place of a grant: the owner's standing rule."""


class RetentionAnswers:
    """Answers about retention; all but `turn` are for the owner alone."""

    def __init__(self, means: Means, store: str) -> None:
        self._means = means
        self._store = store
        self._looked = 0

    async def rules(self, _: Request, verified: Verified) -> Answer:
        """The rule of each source, and how much it holds."""
        _only_owner(verified)
        found = await self._means.read(_rules)
        await self._means.door.record(verified, access(verified, READ, "", items=len(found)))
        return Response(200, msgspec.json.encode(api.Retentions(sources=tuple(found))))

    async def preview(self, request: Request, verified: Verified) -> Answer:
        """What a rule of `?days=` would drop now; nothing is changed."""
        _only_owner(verified)
        source = asked.name(request, "source", verified.caveats)
        days = retention.check_days(_number(request.parameters.get("days", "")))
        found = await self._preview(source, days)
        await self._means.door.record(verified, access(verified, READ, source))
        return Response(200, msgspec.json.encode(found))

    async def rule(self, request: Request, verified: Verified) -> Answer:
        """Set a source's rule, and drop at once what it drops. Answers with what was dropped."""
        _only_owner(verified)
        source = asked.name(request, "source", verified.caveats)
        days = retention.check_days(_asked_for(request.body).days)
        write = NewState(retention.state_of(source), days)
        await self._means.door.write(verified, write, access(verified, KEEP, source))
        found = await self._preview(source, days)
        await self._drop(source, days)
        return Response(200, msgspec.json.encode(found))

    async def turn(self, now: int) -> None:
        """Drop what the rules drop, now and then. `now`: Unix ms."""
        if 0 <= now - self._looked < retention.EVERY:
            return
        self._looked = now
        for source, days in (await self._means.read(_days)).items():
            await self._drop(source, days)

    async def _preview(self, source: str, days: int) -> api.RetentionPreview:
        before = retention.dropped_before(self._means.clock.now(), days) if days else None

        def look(reader: Reader) -> tuple[int, int]:
            all_of_them = reader.count(source, EARLIEST, LATEST)
            return all_of_them, _older(reader, source, before)

        points, drops = await self._means.read(look)
        return api.RetentionPreview(
            source=source, days=days or None, points=points, drops=drops, before=before
        )

    async def _drop(self, source: str, days: int) -> None:
        if not days:
            return
        before = retention.dropped_before(self._means.clock.now(), days)
        count = await self._means.read(lambda reader: _older(reader, source, before))
        if count:
            record = audit.Record(
                self._store, "", BY_RULE, DELETE, source, "raw", items=count, latest=before - 1
            )
            await self._means.door.write_alone(DropRaw(source, before), audit.encode(record))
            self._means.latest.forget(source)
            self._means.feed.forget(source)


def _rules(reader: Reader) -> list[api.RetentionRow]:
    return [
        api.RetentionRow(
            source=source,
            days=reader.state(retention.state_of(source)) or None,
            points=reader.count(source, EARLIEST, LATEST),
        )
        for source in reader.sources()
    ]


def _days(reader: Reader) -> dict[str, int]:
    """The sources that have a rule, with its days."""
    found = {source: reader.state(retention.state_of(source)) for source in reader.sources()}
    return {source: days for source, days in found.items() if days}


def _older(reader: Reader, source: str, before: int | None) -> int:
    return 0 if before is None else reader.count(source, EARLIEST, before - 1)


def _only_owner(verified: Verified) -> None:
    if not verified.is_owner:
        raise Denied("only the owner may do this")


def _asked_for(body: bytes) -> api.RetentionRequest:
    try:
        return msgspec.json.decode(body, type=api.RetentionRequest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(
            "the body does not say for how many days",
            code="retention-days",
            field="days",
            found=str(error)[:120],
            remedy='Send {"days": 30}, or {"days": null} to keep everything',
        ) from error


def _number(text: str) -> int | None:
    """Days as a query has them: a number, or nothing to keep everything.

    Raises:
        BadRequest: neither.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise BadRequest(
            "this is not a number of days",
            code="retention-days",
            field="days",
            found=text[:40],
            remedy="Give a whole number of days",
        )
    return int(text)
