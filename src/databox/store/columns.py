"""Points as columns, in JSON and in binary: how they are read and how they are written. Pure.

Binary: `DBXC`, one byte of version (1), three zero bytes, the number of points as four bytes, then
for each point its time (int64, Unix ms) and after all times each one's value (float64); all
little-endian. An answer is any number of such blocks in a row.
"""

import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import msgspec

from databox.store.engine import tags as series
from databox.store.engine.points import Position, Run, pack_columns
from databox.store.feed import Batch, Point
from databox.store.parts import Part
from databox.store.readings import EARLIEST, LATEST, NOT_JSON
from databox.store.writes import NewColumns, NewDocuments
from databox.wire.errors import BadRequest

JSON, BINARY = "application/json", "application/vnd.databox.columns"
_MAGIC = b"DBXC\x01\0\0\0"
_HEAD = struct.Struct("<8sI")
_NO_TIMES = array("q")
_SENDS_COLUMNS = 'Send {"timestamps": [...], "data": [...]}, equally long'

encode = msgspec.json.Encoder().encode


_Time = Annotated[int, msgspec.Meta(ge=EARLIEST, le=LATEST)]


class _Numbers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    timestamps: list[_Time]
    data: list[int | float]
    tags: dict[str, str] = {}


class _Documents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    timestamps: list[_Time]
    # Read to the last letter: what is no text, or no number, would fail in every answer.
    data: list[Any]
    tags: dict[str, str] = {}


_read_numbers = msgspec.json.Decoder(_Numbers).decode
_read_documents = msgspec.json.Decoder(_Documents).decode


def read_json(body: bytes, source: str) -> NewColumns | NewDocuments:
    """Take JSON columns apart; numbers alone are columns in the file as well.

    Raises:
        BadRequest: it is not such a body, its columns differ in length, or a time is none.
    """
    found = _numbers(body)
    packed = found and pack_columns(found.timestamps, found.data)
    if found and packed:
        return NewColumns(source, series.canonical(found.tags), *packed)
    written = _documents(body)
    _check_length(len(written.timestamps), len(written.data))
    points = list(zip(written.timestamps, map(encode, written.data), strict=True))
    return NewDocuments(source, series.canonical(written.tags), points)


def read_binary(body: bytes, source: str, tags: Mapping[str, str]) -> NewColumns:
    """Take binary columns apart.

    Raises:
        BadRequest: it is not one such block, a time is none, or a value is not finite.
    """
    count = _binary_count(body)
    times, values = body[12 : 12 + 8 * count], body[12 + 8 * count :]
    _check_binary(times, values)
    return NewColumns(source, series.canonical(tags), times, values)


def batch_of(write: NewColumns | NewDocuments) -> Batch | None:
    """What is written, as others are told of it; None for nothing."""
    if isinstance(write, NewDocuments):
        times = [t for t, _ in write.points]
        size = sum(len(data) for _, data in write.points)
        points = write.points
        return (
            times and Batch(write.tags, len(times), size, min(times), max(times), lambda: points)
        ) or None
    if not write.times:
        return None
    import numpy as np

    moments = np.frombuffer(write.times, "<i8")
    earliest, latest = int(moments.min()), int(moments.max())
    return Batch(
        write.tags, len(moments), len(write.values), earliest, latest, lambda: _points(write)
    )


def binary_parts(runs: Iterable[Run]) -> Iterator[Part]:
    """The binary form of numbers.

    Raises:
        BadRequest: there is a document among them.
    """
    for run in runs:
        if run.values is None:
            raise BadRequest(
                "binary columns hold numbers only",
                code="not-numbers",
                field="accept",
                found="a document",
                remedy=f"Ask for {JSON}",
            )
        head = _HEAD.pack(_MAGIC, len(run))
        body = b"".join((head, run.times.tobytes(), run.values.tobytes()))
        yield Part(body, len(run), 8 * len(run), *_bounds(run))


def json_parts(runs: Iterable[Run], follows: Callable[[Position], str | None]) -> Iterator[Part]:
    """The JSON form: one object, all times first.

    What is not sent yet is held, so `runs` is as long as memory should hold. Where the points are
    of several series, or of one with tags, `series` lists their tags and `of` names for each point
    its place in that list. `follows`: the cursor to go on with after a position, if there is more.
    """
    held: list[Run] = []
    opening = b'{"timestamps":['
    for run in runs:
        times = encode(run.times.tolist())
        yield Part(opening + times[1:-1], len(run), 0, *_bounds(run))
        opening = b","
        # The times are on their way; holding them would double what is held.
        held.append(replace(run, times=_NO_TIMES))
    yield Part((opening if not held else b"") + b'],"data":[')
    opening = b""
    for run in held:
        data = run.json()
        yield Part(opening + data[1:-1], 0, len(data) - 2)
        opening = b","
    yield Part(b"]" + _told_apart(held) + b',"next":')
    cursor = follows(held[-1].end) if held else None
    yield Part(encode(cursor) + b"}")


def _told_apart(runs: Sequence[Run]) -> bytes:
    """The two members that tell which point is of which series, or nothing where there are none."""
    places: dict[str, int] = {}
    for run in runs:
        for tags in run.tags:
            places.setdefault(tags, len(places))
    if not any(places):
        return b""
    listed = b",".join(tags.encode() or b"{}" for tags in places)
    return b',"series":[%b],"of":[%b]' % (listed, b",".join(_places(runs, places)))


def _places(runs: Iterable[Run], places: Mapping[str, int]) -> Iterator[bytes]:
    for run in runs:
        own = [places[tags] for tags in run.tags]
        which = [0] * _count(run) if run.which is None else run.which
        yield encode([own[place] for place in which])[1:-1]


def _count(run: Run) -> int:
    """How many points, also where the times were let go."""
    return len(run.documents or ()) if run.values is None else len(run.values)


def _bounds(run: Run) -> tuple[int, int]:
    ends = run.times[:1].tolist() + run.times[len(run) - 1 :].tolist()
    return min(ends), max(ends)


def _numbers(body: bytes) -> _Numbers | None:
    try:
        return _read_numbers(body)
    except msgspec.ValidationError:
        return None
    except NOT_JSON as error:
        raise _malformed(error) from error


def _documents(body: bytes) -> _Documents:
    try:
        return _read_documents(body)
    except NOT_JSON as error:
        raise _malformed(error) from error


def _binary_count(body: bytes) -> int:
    if len(body) < _HEAD.size:
        raise _not_binary(f"{len(body)} bytes")
    magic, count = _HEAD.unpack_from(body)
    if magic != _MAGIC:
        raise _not_binary(repr(magic))
    if len(body) != _HEAD.size + 16 * count:
        raise _not_binary(f"{count} points in {len(body)} bytes")
    return int(count)


def _check_length(times: int, data: int) -> None:
    if times != data:
        raise BadRequest(
            "the columns are not equally long",
            code="columns",
            field="data",
            found=f"{times} timestamps, {data} data",
            remedy=_SENDS_COLUMNS,
        )


def _check_binary(times: bytes, values: bytes) -> None:
    import numpy as np

    moments = np.frombuffer(times, "<i8")
    wrong = np.flatnonzero((moments < EARLIEST) | (moments > LATEST))
    if len(wrong):
        raise BadRequest(
            "this is not a time in milliseconds",
            code="timestamp",
            field=f"timestamps[{wrong[0]}]",
            found=str(moments[wrong[0]]),
            remedy="Give milliseconds since 1970",
        )
    wrong = np.flatnonzero(~np.isfinite(np.frombuffer(values, "<f8")))
    if len(wrong):
        raise BadRequest(
            "this is not a finite number",
            code="not-a-number",
            field=f"data[{wrong[0]}]",
            remedy="Leave the point out",
        )


def _points(write: NewColumns) -> Sequence[Point]:
    times, values = array("q", write.times), array("d", write.values).tolist()
    whole = write.whole or bytes(len(values))
    numbers = (int(value) if flag else value for value, flag in zip(values, whole, strict=True))
    return list(zip(times.tolist(), map(encode, numbers), strict=True))


def _malformed(error: Exception) -> BadRequest:
    return BadRequest(
        "the body is not columns of points",
        code="columns",
        field="body",
        found=str(error)[:120],
        remedy=_SENDS_COLUMNS,
    )


def _not_binary(found: str) -> BadRequest:
    return BadRequest(
        "the body is not binary columns of points",
        code="columns",
        field="body",
        found=found,
        remedy="Send DBXC, 1, three zero bytes, the number of points, all times, all values",
    )
