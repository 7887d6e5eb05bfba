"""Server-Sent Events of a store, taken apart as they come; bytes in, events out, no I/O.

Source: HTML Living Standard, 9.2 (Server-sent events).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from databox.sdk.stored import reading_of
from databox.wire.errors import Unavailable

MOST_WAITING = 4 * 1024 * 1024
"""Bytes of one event that is not complete yet."""
END = "end"
_KINDS = {"": "reading", "message": "reading", "gap": "gap", "skipped": "skipped", END: END}


class Event(NamedTuple):
    """One thing that a followed source told.

    `kind`: `reading`; `skipped`, when so much was written at once that it is better read with
    `points`, and `value` is how much, if that may be known; `gap`, when what follows is newer in
    time than what came before, and points that came late are not among it.
    `id`: to come back to, `follow(after=event.id)`. The rest as in `Reading`.
    """

    kind: str
    id: str
    t: int
    value: Any
    tags: Mapping[str, str]
    weight: int = 1
    least: float | None = None
    most: float | None = None


class Message(NamedTuple):
    """One event as it came."""

    name: str
    id: str
    data: str


class Parser:
    """Keeps what has come of an event until it is complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._id = ""

    def feed(self, piece: bytes) -> Iterator[Message]:
        """The events that are complete with this piece.

        Raises:
            Unavailable: one has more than 4 MiB.
        """
        *whole, self._rest = (self._rest + piece).split(b"\n\n")
        if len(self._rest) > MOST_WAITING:
            raise Unavailable("the store sends an event that does not end")
        for text in whole:
            message = self._message(text.decode())
            if message.data:
                yield message

    def _message(self, text: str) -> Message:
        name, data = "", []
        for line in text.split("\n"):
            field, _, value = line.partition(":")
            match field:
                case "event":
                    name = value.removeprefix(" ")
                case "id":
                    self._id = value.removeprefix(" ")
                case "data":
                    data.append(value.removeprefix(" "))
                case _:
                    pass  # a comment, or a field that says nothing to us
        return Message(name, self._id, "\n".join(data))


def event_of(message: Message, *, windows: bool) -> Event | None:
    """What a message tells; None for a kind that is not known here.

    Raises:
        Unavailable: it is not what a store sends.
    """
    kind = _KINDS.get(message.name)
    try:
        told = json.loads(message.data)
        match kind:
            case "reading":
                reading = reading_of(told, windows)
                tags = told.get("tags", {})
                return Event(kind, message.id, reading.t, reading.value, tags, *reading[2:])
            case "skipped":
                return Event(kind, message.id, 0, told.get("skipped"), {})
            case "gap":
                return Event(kind, "", 0, None, {})
            case _:
                return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unavailable("the store sent an event that cannot be read") from error


def reason(message: Message) -> str:
    """Why a stream ended."""
    try:
        return str(json.loads(message.data)["why"])
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable("the store sent an event that cannot be read") from error
