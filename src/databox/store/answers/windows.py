"""What the points of a source come to, window by window.

Windows are aligned to 1970. Where the asked stretch cuts one, only the points within count, except
for a token with a granularity: it sees whole, closed windows, or none.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice

import msgspec

from databox.kit.guard import Verified
from databox.kit.http.message import Answer, Request
from databox.store import asked, pages, queries, questions
from databox.store import windows as bounds
from databox.store.answers.means import Means
from databox.store.answers.points import refuse_choice
from databox.store.answers.sending import Sender
from databox.store.engine.windows import Window
from databox.store.parts import Part, gathered
from databox.store.reader import Reader, Tags
from databox.store.readings import EARLIEST, LATEST
from databox.wire.caveats import Caveats
from databox.wire.tokens import BadToken

encode = msgspec.json.Encoder().encode

_TOGETHER = 256
"""Windows that are encoded at once: one by one they cost half as much again."""

_TELL: dict[str, Callable[[Window], float]] = {
    "count": lambda window: window.n,
    "sum": lambda window: (
        window.sum if math.isfinite(window.sum) else math.copysign(1.797e308, window.sum)
    ),
    "min": lambda window: window.min,
    "max": lambda window: window.max,
    "mean": lambda window: window.mean,
    "sd": lambda window: window.deviation,
}


class WindowAnswers:
    """Answers about windows."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def windows(self, request: Request, verified: Verified) -> Answer:
        """Windows of one length, oldest first."""
        source, caveats = asked.name(request, "source", verified.caveats), verified.caveats
        question = questions.windows(request.parameters, caveats)
        _refuse_places(caveats)
        if caveats.exact:
            by = ["by"] if question.by_series else []
            refuse_choice([*by, *(f"tag.{name}" for name in question.tags)])
        now = self._means.clock.now()
        return await Sender(self._means, verified, source).send(
            lambda reader: gathered(_parts(reader, source, question, caveats, now))
        )


def _refuse_places(caveats: Caveats) -> None:
    """For places that are made coarse: the least and the most of many tell the exact one.

    Raises:
        BadToken: the token shows such places.
    """
    if caveats.precision:
        raise BadToken(
            "the token shows places that are made coarse, and windows of places tell nothing",
            code="token-caveat",
            field="precision",
            remedy="Ask for points instead",
        )


def _parts(
    reader: Reader, source: str, question: questions.Windows, caveats: Caveats, now: int
) -> Iterator[Part]:
    opening = b'{"every":%d,"windows":[' % question.every
    for tags, found in _series(reader, source, question, caveats, now):
        while together := list(islice(found, _TOGETHER)):
            told = [_told(window, question, tags) for window in together]
            # A row a window, without the brackets around them.
            rows = opening + encode(told)[1:-1]
            opening = b","
            end = together[-1].start + question.every - 1
            yield Part(rows, len(together), len(rows), together[0].start, end)
    yield Part((opening if opening != b"," else b"") + b"]}")


def _series(
    reader: Reader, source: str, question: questions.Windows, caveats: Caveats, now: int
) -> Iterator[tuple[str | None, Iterator[Window]]]:
    """The windows of all series together, or each series' own beside its tags."""
    if caveats.exact:
        seen = queries.visible(
            reader, source, question.stretch, length=question.every, now=now, caveats=caveats
        )
        yield None, _of_fields(seen, question.fields)
        return
    chosen = pages.chosen(reader, source, question.tags)
    if not question.by_series:
        yield None, _windows(reader, source, question, caveats, chosen)
        return
    for tags in sorted(reader.series(source) if chosen is None else chosen):
        yield tags, _windows(reader, source, question, caveats, tags)


def _windows(
    reader: Reader, source: str, question: questions.Windows, caveats: Caveats, tags: Tags
) -> Iterator[Window]:
    """The windows that a stretch touches; of the first and the last only what lies in it."""
    stretch, every = question.stretch, question.every
    ask = partial(
        queries.sums,
        reader,
        source,
        caveats=caveats,
        tags=tags,
        fields=question.fields,
        percentiles=question.percentiles,
    )
    first, end = max(stretch.first, EARLIEST), min(stretch.last, LATEST) + 1
    start = bounds.start_of(first, every)
    if start < first:
        whole = min(start + every, end)
        for window in ask(first, whole, every):
            yield replace(window, start=start)
        first = whole
    if first < end:
        yield from ask(first, end, every)


def _of_fields(found: Iterator[Window], fields: tuple[str, ...] | None) -> Iterator[Window]:
    return (each for each in found if fields is None or each.field in fields)


def _told(window: Window, question: questions.Windows, tags: str | None) -> dict[str, object]:
    ranks = iter(window.percentiles)
    told: dict[str, object] = {"start": window.start, "field": window.field}
    if tags is not None:
        told["tags"] = msgspec.Raw(tags.encode() or b"{}")
    for name in question.of:
        told[name] = _TELL[name](window) if name in _TELL else next(ranks)
    if window.approximate:
        told["approximate"] = True
    return told
