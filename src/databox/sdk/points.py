"""What `source.points` gives: pages as they are asked for, or all at once for another library."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import Any

from databox.sdk.columns import Columns, joined
from databox.sdk.line import drive, drive_all
from databox.sdk.many import Many
from databox.sdk.questions import Question


class Points:
    """Points that were asked for; whoever iterates over them reads them anew, page by page."""

    def __init__(self, find: Callable[[], Many], asked: Question) -> None:
        self._find = find
        self.asked = asked

    def __iter__(self) -> Iterator[Columns]:
        return drive_all(self._find().pages(self.asked))

    def all(self) -> Columns:
        """All of them at once."""
        return drive(everything(self._find(), self.asked))

    def to_pandas(self) -> Any:
        """All of them as a `pandas.DataFrame`.

        `time` (UTC) and `value`, or a column for each member of documents; a column for each tag.

        Raises:
            Unavailable: the app has not brought pandas.
        """
        return self._quickly().to_pandas()

    def to_polars(self) -> Any:
        """The same as a `polars.DataFrame`.

        Raises:
            Unavailable: the app has not brought polars.
        """
        return self._quickly().to_polars()

    def to_arrow(self) -> Any:
        """The same as a `pyarrow.Table`.

        Raises:
            Unavailable: the app has not brought pyarrow.
        """
        return self._quickly().to_arrow()

    def _quickly(self) -> Columns:
        return drive(quickly(self._find(), self.asked))


async def everything(many: Many, asked: Question) -> Columns:
    """All points as one page."""
    return joined(await gather(many.pages(asked)))


async def quickly(many: Many, asked: Question) -> Columns:
    """All points, as numbers where they are nothing else: without text they are read faster."""
    return await many.numbers(asked) or await everything(many, asked)


async def gather(found: AsyncGenerator[Columns, None]) -> list[Columns]:
    """All pages."""
    async with aclosing(found):
        return [each async for each in found]
