"""Readings: what a driver writes, and how it looks in an answer. Pure."""

import base64
from dataclasses import dataclass
from typing import Any

import msgspec

from databox.store import media
from databox.wire.errors import BadRequest

EARLIEST = -62_135_596_800_000
LATEST = 253_402_300_799_999
"""Bounds of a timestamp in Unix ms: the years 1 to 9999."""

# What the JSON decoder raises besides its own errors, for wrong UTF-8 and for deep nesting.
NOT_JSON = (msgspec.MsgspecError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a source. `t`: Unix ms; `data`: JSON; `id`: its name in answers."""

    t: int
    data: bytes
    id: str

    @property
    def series(self) -> int:
        """The number of its series."""
        return int(self.id.partition("-")[0], 16)

    @classmethod
    def of(cls, series: int, t: int, data: bytes) -> "Reading":
        """The reading of a series, by its number: a point is known by its series and its time."""
        return cls(t, data, f"{series:x}-{t - EARLIEST:x}")


def parse_value(body: bytes) -> bytes:
    """Check that a body is JSON, of any kind, and give it in its shortest form.

    Raises:
        BadRequest: it is not.
    """
    return msgspec.json.encode(_decode(body))


def parse_reading(body: bytes, now: int) -> tuple[int, bytes]:
    """Take a written reading apart into its time and its data.

    Accepts `{data: X}`, and X alone where there is no such field. An integer `timestamp` beside
    the data or in it is the reading's time, else `now`.

    Raises:
        BadRequest: not JSON, or a timestamp that is none.
    """
    written = _decode(body)
    data = written
    if isinstance(written, dict) and "data" in written:
        data = written["data"]
    t = _timestamp(written)
    if t is None and data is not written:
        t = _timestamp(data)
    return (now if t is None else t), msgspec.json.encode(data)


def record(source: str, reading: Reading) -> bytes:
    """The reading as answers have it."""
    return b'{"datasource_id":%b,"data":%b,"timestamp":%d,"_id":"%b"}' % (
        msgspec.json.encode(source),
        reading.data,
        reading.t,
        reading.id.encode(),
    )


def record_of(source: bytes, t: int, series: int, data: bytes) -> bytes:
    """The same of a point, by its series' number. `source`: its name as JSON."""
    return b'{"datasource_id":%b,"data":%b,"timestamp":%d,"_id":"%x-%x"}' % (
        source,
        data,
        t,
        series,
        t - EARLIEST,
    )


def value_event(key: str, value: bytes, kind: str = media.JSON) -> bytes:
    """The event of a written value; of one that is not JSON it tells the type.

    Text is told as text, everything else in base64.
    """
    if media.is_json(kind):
        return b'{"datasource_id":%b,"data":%b}' % (msgspec.json.encode(key), value)
    try:
        text = value.decode() if media.is_text(kind) else None
    except UnicodeDecodeError:
        text = None
    if text is not None:
        return msgspec.json.encode({"datasource_id": key, "data": text, "type": kind})
    told = {"datasource_id": key, "data": base64.b64encode(value).decode(), "type": kind}
    return msgspec.json.encode({**told, "encoding": "base64"})


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except NOT_JSON as error:
        raise BadRequest(
            "the body is not JSON",
            code="not-json",
            field="body",
            found=str(error)[:120],
            remedy="Send a JSON value",
        ) from error


def _timestamp(written: Any) -> int | None:
    if not isinstance(written, dict):
        return None
    t = written.get("timestamp")
    if not isinstance(t, int) or isinstance(t, bool):
        return None
    if not EARLIEST <= t <= LATEST:
        raise BadRequest(
            "the timestamp is not a time in milliseconds",
            code="timestamp",
            field="timestamp",
            found=str(t)[:40],
            remedy="Give milliseconds since 1970",
        )
    return t
