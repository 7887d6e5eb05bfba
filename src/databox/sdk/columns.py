"""Many points as columns, and how they are handed over to libraries that the author brings.

None of the libraries is needed here, and none is loaded before a hand-over asks for it.

Binary columns: `DBXC`, the version 1, three zero bytes, the number of points, all times (int64),
all values (float64); little-endian.
"""

import importlib
import json
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from databox.sdk.questions import Time, moment
from databox.sdk.readings import Reading
from databox.wire.errors import BadRequest, Unavailable

_HEAD = struct.Struct("<8sI")
_MAGIC = b"DBXC\x01\0\0\0"
MOST_AT_ONCE, MOST_TEXT = 100_000, 4 * 1024 * 1024
"""Points of one body that is written, and bytes of its values; the store takes 8 MiB."""


class Columns:
    """Points, one column a property.

    `times`: Unix ms. `values`: what was written. `tags`: of each point, empty if none has any.
    `times` and `values` are lists, or numpy's arrays where they came in binary.
    """

    def __init__(
        self, times: Sequence[int], values: Sequence[Any], tags: Sequence[Mapping[str, str]] = ()
    ) -> None:
        self.times = times
        self.values = values
        self.tags = tags

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[Reading]:
        for t, value in zip(self.times, self.values, strict=True):
            yield Reading(t, value)

    def __repr__(self) -> str:
        # Values stay out: this text ends up in logs and error messages.
        return f"Columns({len(self)} points)"

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`: `time` (UTC), and `value` or a column a member, and a tag.

        Raises:
            Unavailable: the app has not brought pandas.
        """
        pandas = brought("pandas")
        columns = self._columns()
        columns["time"] = pandas.to_datetime(columns["time"], unit="ms", utc=True)
        return pandas.DataFrame(columns)

    def to_polars(self) -> Any:
        """The same as a `polars.DataFrame`.

        Raises:
            Unavailable: the app has not brought polars.
        """
        polars = brought("polars")
        frame = polars.DataFrame(self._columns(), strict=False)
        time = polars.col("time").cast(polars.Int64).cast(polars.Datetime("ms", "UTC"))
        return frame.with_columns(time)

    def to_arrow(self) -> Any:
        """The same as a `pyarrow.Table`.

        Raises:
            Unavailable: the app has not brought pyarrow.
        """
        arrow = brought("pyarrow")
        columns = self._columns()
        columns["time"] = arrow.array(columns["time"], arrow.int64()).cast(
            arrow.timestamp("ms", "UTC")
        )
        return arrow.table(columns)

    def _columns(self) -> dict[str, Any]:
        """The columns of a table. A name that is taken twice is the point's, then the tag's."""
        columns: dict[str, Any] = {}
        if any(isinstance(value, dict) for value in self._few()):
            for name in dict.fromkeys(n for v in self.values if isinstance(v, dict) for n in v):
                columns[name] = [v.get(name) if isinstance(v, dict) else None for v in self.values]
            if not all(isinstance(value, dict) for value in self.values):
                plain = [None if isinstance(value, dict) else value for value in self.values]
                columns["value"] = plain
        else:
            columns["value"] = self.values
        for name in dict.fromkeys(name for tags in self.tags for name in tags):
            columns[name] = [tags.get(name) for tags in self.tags]
        return {"time": self.times, **{n: c for n, c in columns.items() if n != "time"}}

    def _few(self) -> Iterable[Any]:
        # An array of numbers needs no look at each.
        return self.values if isinstance(self.values, list) else ()


def brought(name: str) -> Any:
    """A library that the author brings along.

    Raises:
        Unavailable: it is not there.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"this needs the package {name}, which the app has not brought",
            code="missing-package",
            found=f"no module {error.name}",
            remedy=f"Name {name} among the packages that the app depends on",
        ) from error


def has_numpy() -> bool:
    """Whether numpy is there; it is not loaded for that."""
    if "numpy" in sys.modules:
        return True
    from importlib.util import find_spec

    return find_spec("numpy") is not None


def joined(pages: Sequence[Columns]) -> Columns:
    """All pages as one."""
    times = [t for page in pages for t in page.times]
    values = [value for page in pages for value in page.values]
    if not any(page.tags for page in pages):
        return Columns(times, values)
    return Columns(times, values, [tags for page in pages for tags in page.tags or _none(page)])


def read_page(body: bytes) -> tuple[Columns, str | None]:
    """A page of points, and how to ask for the next one.

    Raises:
        Unavailable: it is something else.
    """
    try:
        told = json.loads(body)
        series = told.get("series", ())
        tags = [series[place] for place in told.get("of", ())]
        page = Columns(told["timestamps"], told["data"], tags)
        assert len(page.times) == len(page.values)
        return page, told["next"]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError) as error:
        raise Unavailable("the store's answer is not columns of points") from error


def read_binary(body: bytes) -> tuple[Any, Any]:
    """Times and values of any number of blocks in a row, as numpy's arrays.

    Raises:
        Unavailable: they are something else, or numpy is not there.
    """
    numpy = brought("numpy")
    times, values, at = [], [], 0
    while at < len(body):
        if len(body) < at + _HEAD.size or body[at : at + 8] != _MAGIC:
            raise Unavailable("the store's answer is not binary columns")
        count = _HEAD.unpack_from(body, at)[1]
        at += _HEAD.size
        if len(body) < at + 16 * count:
            raise Unavailable("the store's answer is not binary columns")
        times.append(numpy.frombuffer(body, "<i8", count, at))
        values.append(numpy.frombuffer(body, "<f8", count, at + 8 * count))
        at += 16 * count
    if not times:
        return numpy.empty(0, "<i8"), numpy.empty(0, "<f8")
    return numpy.concatenate(times), numpy.concatenate(values)


class Body(NamedTuple):
    """What to send to write points."""

    body: bytes
    binary: bool


def bodies(
    times: Sequence[Time] | bytes, values: Sequence[Any] | bytes, tags: Mapping[str, str]
) -> Iterator[Body]:
    """What to send to write points of one series.

    Arrays of 8-byte numbers, numpy's too, and bytes go in binary; everything else as JSON.

    Raises:
        BadRequest: they differ in length, or a value is not JSON.
    """
    moments, numbers = _packed_times(times), _packed_values(values)
    if moments is not None and numbers is not None:
        yield from _binary(moments, numbers)
        return
    if isinstance(values, bytes) or isinstance(times, bytes):
        raise BadRequest("packed times go with packed values", field="values")
    if moments is not None:
        times = array("q", moments)
    listed, data = [moment(t) for t in _listed(times)], _listed(values)
    _check(len(listed), len(data))
    yield from _json(listed, data, json.dumps(dict(tags)))


def _binary(times: bytes, values: bytes) -> Iterator[Body]:
    _check(len(times) // 8, len(values) // 8)
    if len(times) % 8 or len(values) % 8:
        raise BadRequest("packed columns have 8 bytes a point", found=f"{len(times)} bytes")
    step = 8 * MOST_AT_ONCE
    for at in range(0, len(times), step):
        part = times[at : at + step]
        head = _HEAD.pack(_MAGIC, len(part) // 8)
        yield Body(head + part + values[at : at + step], True)


def _json(times: list[int], data: list[Any], tags: str) -> Iterator[Body]:
    """Bodies of at most about `MOST_TEXT` bytes; a longer value goes by itself."""
    start, size = 0, 0
    texts: list[str] = []
    for place, value in enumerate(data):
        text = _text(value)
        if texts and (size + len(text) > MOST_TEXT or len(texts) >= MOST_AT_ONCE):
            yield _body(times[start:place], texts, tags)
            start, size, texts = place, 0, []
        texts.append(text)
        size += len(text)
    if texts:
        yield _body(times[start:], texts, tags)


def _body(times: list[int], texts: list[str], tags: str) -> Body:
    text = f'{{"tags":{tags},"timestamps":{json.dumps(times)},"data":[{",".join(texts)}]}}'
    return Body(text.encode(), False)


def _text(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadRequest("a reading is a JSON value", field="values", found=str(error)) from error


def _packed_times(column: Any) -> bytes | None:
    """Times as they go over the wire, if they are packed already."""
    if _is_numpys(column) and column.dtype.kind == "M":
        column = column.astype("datetime64[ms]").astype("<i8")
    if _is_numpys(column) and column.dtype.kind == "i":
        return bytes(column.astype("<i8").tobytes())
    return _packed(column, "q")


def _packed_values(column: Any) -> bytes | None:
    """Floating point numbers as they go over the wire, if they are packed already."""
    if _is_numpys(column) and column.dtype.kind == "f":
        return bytes(column.astype("<f8").tobytes())
    return _packed(column, "d")


def _packed(column: Any, code: str) -> bytes | None:
    if isinstance(column, bytes):
        return column
    if isinstance(column, array) and column.typecode == code and sys.byteorder == "little":
        return column.tobytes()
    return None


def _is_numpys(column: Any) -> bool:
    # Nobody has an array of what was not loaded yet.
    return "numpy" in sys.modules and isinstance(column, sys.modules["numpy"].ndarray)


def _listed(column: Any) -> list[Any]:
    return list(column.tolist() if hasattr(column, "tolist") else column)


def _check(times: int, values: int) -> None:
    if times != values:
        raise BadRequest(
            "there must be one value a time", field="values", found=f"{times} and {values}"
        )


def _none(page: Columns) -> list[Mapping[str, str]]:
    return [{}] * len(page)
