"""Points of a source: many as columns, the one at a moment, how many there are, which series.

A token with a granularity sees closed windows and nothing else. `at` gives it the window at that
moment, as `latest` gives it the last; the others here tell of single points, or of tags, which
may name anything, and are refused: `windows` is for such a token. For the same reason one with a
precision sees no tags.
"""

from collections.abc import Iterable

from databox.kit.guard import Verified
from databox.kit.http.message import Answer, Request, Response
from databox.store import asked, leaving, pages, queries, questions, windows
from databox.store.answers.means import Means
from databox.store.answers.sending import Sender, windows_read
from databox.store.asked import Stretch
from databox.store.audit import READ
from databox.store.columns import BINARY
from databox.store.door import access
from databox.store.file import Reader
from databox.store.pages import Room
from databox.store.readings import Reading, record
from databox.wire.caveats import Caveats
from databox.wire.tokens import BadToken


class PointAnswers:
    """Answers about points."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._room = Room()

    async def points(self, request: Request, verified: Verified) -> Answer:
        """Points in order of time, as JSON or binary columns."""
        source, caveats = self._source(request, verified), verified.caveats
        question = questions.points(request.parameters, caveats)
        if question.tags:
            refuse_tags(caveats)
        if BINARY in request.headers.get("accept", ""):
            sender = Sender(self._means, verified, source, BINARY)
            return await sender.send(lambda reader: pages.binary(reader, source, question, caveats))
        allowance = self._room.take()
        return await Sender(self._means, verified, source).send(
            lambda reader: pages.json_page(reader, source, question, caveats, allowance)
        )

    async def at(self, request: Request, verified: Verified) -> Answer:
        """The reading that held at a moment: the newest up to it."""
        source, caveats = asked.name(request, "source", verified.caveats), verified.caveats
        t = questions.moment(request.parameters, caveats)
        wanted = questions.tags(request.parameters)
        stretch = Stretch(asked.visible(caveats).first, t)
        if caveats.exact:
            refuse_choice(each for each in request.parameters if each != "t")
            return await self._window_at(verified, source, stretch)
        if wanted:
            refuse_tags(caveats)
        found = await self._means.read(lambda reader: _newest(reader, source, t, wanted))
        if found is None or found.t < stretch.first:
            await self._means.door.record(verified, access(verified, READ, source))
            return Response(200, b"[]")
        shown = Reading(found.t, leaving.document(found.data, caveats), found.id)
        written = access(
            verified, READ, source, items=1, size=len(shown.data), earliest=shown.t, latest=shown.t
        )
        await self._means.door.record(verified, written)
        return Response(200, b"[%b]" % record(source, shown))

    async def length(self, request: Request, verified: Verified) -> Answer:
        """How many points there are."""
        source = self._source(request, verified)
        stretch = questions.stretch_alone(request.parameters, verified.caveats)
        wanted = questions.tags(request.parameters)
        if wanted:
            refuse_tags(verified.caveats)

        def count(reader: Reader) -> int:
            found = pages.chosen(reader, source, wanted)
            return reader.count(source, stretch.first, stretch.last, tags=found)

        length = await self._means.read(count)
        await self._means.door.record(verified, access(verified, READ, source, items=1))
        return Response(200, b'{"length":%d}' % length)

    async def series(self, request: Request, verified: Verified) -> Answer:
        """The tags of each series."""
        source = self._source(request, verified)
        refuse_tags(verified.caveats)
        wanted = questions.tags(request.parameters)
        questions.nothing_else(request.parameters)
        seen = asked.visible(verified.caveats)

        def find(reader: Reader) -> list[str]:
            found = pages.chosen(reader, source, wanted)
            all_ = sorted(reader.series(source) if found is None else found)
            # A series that began later, or ended before, tells of a time that is hidden.
            return [each for each in all_ if _has(reader, source, seen, each)]

        found = await self._means.read(find)
        await self._means.door.record(verified, access(verified, READ, source, items=len(found)))
        listed = b",".join(text.encode() or b"{}" for text in found)
        return Response(200, b'{"series":[%b]}' % listed)

    def _source(self, request: Request, verified: Verified) -> str:
        source = asked.name(request, "source", verified.caveats)
        refuse_windows_only(verified.caveats)
        return source

    async def _window_at(self, verified: Verified, source: str, stretch: Stretch) -> Answer:
        length, now = verified.caveats.exact, self._means.clock.now()
        # The window that the moment lies in, as a whole.
        until = windows.start_of(stretch.last, length) + length - 1
        whole = Stretch(stretch.first, min(until, asked.visible(verified.caveats).last))
        caveats = verified.caveats
        found = await self._means.read(
            lambda reader: queries.latest_window(
                reader, source, whole, length=length, now=now, caveats=caveats
            )
        )
        await self._means.door.record(verified, windows_read(verified, READ, source, found))
        return Response(200, queries.array(found.records))


def refuse_windows_only(caveats: Caveats) -> None:
    """For what tells of single points.

    Raises:
        BadToken: the token shows windows only.
    """
    if caveats.exact:
        raise BadToken(
            "the token shows windows only",
            code="token-caveat",
            field="granularity",
            found=windows.NAMES.get(caveats.exact, ""),
            remedy="Ask for windows instead",
        )


def refuse_choice(parameters: Iterable[str]) -> None:
    """For a token that shows windows, which are of all series and members together.

    The windows of one series beside those of all would tell of readings that a window hides for
    being too few.

    Raises:
        BadToken: there is a parameter that chooses among them.
    """
    for name in parameters:
        raise BadToken(
            "the token shows windows of all series together only",
            code="token-caveat",
            field=name[:40],
            remedy="Leave it out",
        )


def refuse_tags(caveats: Caveats) -> None:
    """For what tells of tags: one may be an address, and who can ask for it learns whether it is.

    Raises:
        BadToken: the token shows places that are made coarse.
    """
    if caveats.precision:
        raise BadToken(
            "the token shows coarse places, and no tags, which may name the exact one",
            code="token-caveat",
            field="tag",
            remedy="Leave them out",
        )


def _newest(reader: Reader, source: str, t: int, wanted: dict[str, str]) -> Reading | None:
    return reader.newest(source, t, tags=pages.chosen(reader, source, wanted))


def _has(reader: Reader, source: str, seen: Stretch, tags: str) -> bool:
    """Whether a series has points in a stretch."""
    found = reader.runs(source, seen.first, seen.last, tags=tags, limit=1)
    return next(found, None) is not None
