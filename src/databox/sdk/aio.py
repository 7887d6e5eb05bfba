"""A source for programs that use asyncio: the same names, and the same exceptions.

Requests go over asyncio's own streams. Tokens are shared with what blocks.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any

from databox.sdk import questions
from databox.sdk.columns import Columns
from databox.sdk.events import Event
from databox.sdk.many import Many
from databox.sdk.points import everything, quickly
from databox.sdk.questions import Question, Window
from databox.sdk.readings import Reading

if TYPE_CHECKING:
    from databox.sdk.source import Source

Time = int | datetime


class AioSource:
    """What `source.aio` gives."""

    def __init__(self, source: "Source") -> None:
        self._source = source

    # As of `Source`.
    def points(  # noqa: PLR0913 - what a question has
        self,
        *,
        since: Time | None = None,
        until: Time | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        fields: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> "AioPoints":
        """As `source.points`: `async for` reads page by page, `await` all at once."""
        asked = questions.points(
            since=since,
            until=until,
            limit=limit,
            newest_first=newest_first,
            fields=fields,
            tags=tags,
        )
        return AioPoints(self, asked)

    async def at(self, t: Time, *, tags: Mapping[str, str] | None = None) -> Reading | None:
        """As `source.at`."""
        return await self._many().at(questions.moment(t), tuple((tags or {}).items()))

    async def length(
        self,
        *,
        since: Time | None = None,
        until: Time | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> int:
        """As `source.length`."""
        return await self._many().length(self.points(since=since, until=until, tags=tags).asked)

    # As of `Source`.
    def windows(  # noqa: PLR0913 - what a question has
        self,
        every: str,
        *,
        of: Sequence[str] = ("count", "min", "max", "mean"),
        since: Time | None = None,
        until: Time | None = None,
        field: Sequence[str] | str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Window, None]:
        """As `source.windows`, with `async for`."""
        asked = questions.windows(
            every=every, of=of, since=since, until=until, field=field, tags=tags
        )
        return self._many().windows(asked)

    def follow(
        self, after: str | Time | None = None, *, tags: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Event, None]:
        """As `source.follow`, with `async for`."""
        begin = after if after is None or isinstance(after, str) else questions.moment(after)
        return self._many().follow(begin, tuple((tags or {}).items()))

    def _many(self) -> Many:
        from databox.sdk.waiting import Waiting

        return self._source._many(Waiting, asyncio.sleep)


class AioPoints:
    """Points that were asked for, as `Points`."""

    def __init__(self, source: AioSource, asked: Question) -> None:
        self._source = source
        self.asked = asked

    async def __aiter__(self) -> AsyncGenerator[Columns, None]:
        async with aclosing(self._source._many().pages(self.asked)) as pages:
            async for page in pages:
                yield page

    def __await__(self) -> Generator[Any, None, Columns]:
        return self.all().__await__()

    async def all(self) -> Columns:
        """All of them at once; to await the points themselves does the same."""
        return await everything(self._source._many(), self.asked)

    async def to_pandas(self) -> Any:
        """As `Points.to_pandas`."""
        return (await self._quickly()).to_pandas()

    async def to_polars(self) -> Any:
        """As `Points.to_polars`."""
        return (await self._quickly()).to_polars()

    async def to_arrow(self) -> Any:
        """As `Points.to_arrow`."""
        return (await self._quickly()).to_arrow()

    async def _quickly(self) -> Columns:
        return await quickly(self._source._many(), self.asked)
