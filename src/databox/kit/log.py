"""Log lines: an event's name, then `key=value`, always on one line.

Values come from apps, browsers and files, so whatever could end a line, move a terminal's cursor
or pass for another field is escaped, and each value is cut. Bytes are never shown, only counted:
they may be a key, a token or a reading.
"""

import logging
import re
import time
from typing import TextIO

MAX_VALUE = 400
MAX_TRACE = 4000
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+,*\[\]()<>{}-]+")


def event(logger: logging.Logger, level: int, name: str, **fields: object) -> None:
    """Log that `name` happened; `fields` are shown as `key=value` in the order given."""
    if logger.isEnabledFor(level):
        logger.log(level, "%s", line(name, **fields))


def failure(logger: logging.Logger, name: str, error: BaseException, **fields: object) -> None:
    """Log an error nobody expected, with where it happened, on one line."""
    logger.error("%s", line(name, **fields), exc_info=error)


def line(name: str, **fields: object) -> str:
    """One event as text: `store-opened store=os-monitor-store ms=3`."""
    return " ".join([name, *(f"{key}={_shown(value)}" for key, value in fields.items())])


def configure(part: str, stream: TextIO, level: int = logging.INFO) -> None:
    """Send everything that this process logs to `stream`, each line naming the part."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine(part))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


class OneLine(logging.Formatter):
    """Formats a record, traceback included, as exactly one line."""

    def __init__(self, part: str) -> None:
        super().__init__(
            f"%(asctime)s.%(msecs)03dZ %(levelname)s part={part} %(message)s", "%Y-%m-%dT%H:%M:%S"
        )
        self.converter = _utc

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line; also those that other libraries wrote without our `event`."""
        trace = ""
        if record.exc_info and record.exc_info[1] is not None:
            trace = " trace=" + _quoted(self.formatException(record.exc_info)[-MAX_TRACE:])
        plain = logging.makeLogRecord(
            record.__dict__ | {"exc_info": None, "exc_text": None, "stack_info": None}
        )
        return _printable(super().format(plain)) + trace


def _utc(seconds: float | None = None) -> time.struct_time:
    return time.gmtime(seconds)


def _shown(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    text = str(value)
    if len(text) > MAX_VALUE:
        text = text[:MAX_VALUE] + "…"
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{_printable(escaped)}"'


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{{{ord(c):x}}}" for c in text)
