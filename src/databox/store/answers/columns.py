"""Many points at once, and taking points away again."""

import msgspec

from databox.kit.guard import Verified
from databox.kit.http.message import Answer, Request, Response
from databox.store import asked, columns, questions
from databox.store.answers.events import EventAnswers
from databox.store.answers.means import Means
from databox.store.audit import DELETE
from databox.store.columns import BINARY, JSON
from databox.store.door import access
from databox.store.engine import tags as series
from databox.store.readings import EARLIEST, LATEST, NOT_JSON
from databox.store.writes import DeletePoints, DeleteSource, NewColumns, NewDocuments
from databox.wire import api
from databox.wire.errors import BadRequest


class ColumnAnswers:
    """Answers to writing and deleting many points."""

    def __init__(self, means: Means, events: EventAnswers) -> None:
        self._means = means
        self._events = events

    async def write(self, request: Request, verified: Verified) -> Answer:
        """Write points of one series, in JSON or binary columns."""
        source = asked.name(request, "source", verified.caveats)
        asked.refuse_bounded(verified.caveats)
        write = _read(request, source)
        batch = columns.batch_of(write)
        if batch is None:
            return Response(200, b'{"written":0}')
        count = await self._events.write(verified, write, batch)
        assert isinstance(count, int)
        self._means.latest.forget(source)
        return Response(200, b'{"written":%d}' % count)

    async def delete(self, request: Request, verified: Verified) -> Answer:
        """Delete points of a stretch, or all of a source."""
        source = asked.name(request, "source", verified.caveats)
        asked.refuse_bounded(verified.caveats)
        asked.refuse_guests(verified.user, verified.role)
        write = _deletion(request.body, source)
        stretch = (write.first, write.last) if isinstance(write, DeletePoints) else (None, None)
        written = access(verified, DELETE, source, earliest=stretch[0], latest=stretch[1])
        count = await self._means.door.write(verified, write, written)
        assert isinstance(count, int)
        self._means.latest.forget(source)
        self._means.feed.forget(source)
        return Response(200, b'{"deleted":%d}' % count)


def _read(request: Request, source: str) -> NewColumns | NewDocuments:
    """What is to be written.

    Raises:
        BadRequest: the body is not of the type that it says, or that is none we know.
    """
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind == BINARY:
        questions.nothing_else(request.parameters)
        return columns.read_binary(request.body, source, questions.tags(request.parameters))
    if request.query:
        raise BadRequest(
            "JSON columns say all in the body",
            code="unknown-parameter",
            field="query",
            found=request.query[:40],
            remedy='Put the tags into the body: {"tags": {…}, "timestamps": […], "data": […]}',
        )
    # What clients of old send without a type, or as a form, is JSON as well.
    return columns.read_json(request.body, source)


def _deletion(body: bytes, source: str) -> DeletePoints | DeleteSource:
    """What is to be deleted; everything only if that is said in so many words.

    Raises:
        BadRequest: the body does not say it, or a bound is no time.
    """
    try:
        asked_for = msgspec.json.decode(body, type=api.Deletion)
    except NOT_JSON as error:
        raise _unclear("body", str(error)[:120]) from error
    bounds = (asked_for.first, asked_for.last)
    if asked_for.whole:
        if bounds != (None, None) or asked_for.tags is not None:
            raise _unclear("whole", "true beside from, to or tags")
        return DeleteSource(source)
    if asked_for.first is None or asked_for.last is None:
        raise _unclear("from" if asked_for.first is None else "to", "nothing")
    if not EARLIEST <= asked_for.first <= asked_for.last <= LATEST:
        raise _unclear("to", f"{asked_for.first} to {asked_for.last}")
    tags = None if asked_for.tags is None else series.canonical(asked_for.tags)
    return DeletePoints(source, asked_for.first, asked_for.last, tags)


def _unclear(field: str, found: str) -> BadRequest:
    return BadRequest(
        "the body does not say what to delete",
        code="deletion",
        field=field,
        found=found,
        remedy='Send {"from": milliseconds, "to": milliseconds}, with "tags" for one series alone,'
        ' or {"whole": true}',
    )
