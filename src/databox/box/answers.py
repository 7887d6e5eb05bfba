"""Answers what parts ask: checks that they may, has it done, and sends back what came of it."""

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from databox.box.part import Part
from databox.box.permitted import check_sender
from databox.kit import log as lines
from databox.wire.control import MAX_PACKET, Done, Failed, FromPart
from databox.wire.errors import DataboxError, TooLarge, Unavailable

log = logging.getLogger(__name__)

MOST_AT_ONCE = 256
"""Questions of one part that may be open; honest ones have a handful."""
MAX_ANSWER = MAX_PACKET - 100
"""Bytes of an answer; what stands around it in the packet takes less than the rest."""

Answer = Awaitable[Any]
Ask = Callable[[str, FromPart], Answer]
"""Does what a part, given by its name, asks. A socket is sent along; anything else is encoded."""


class Answers:
    """One task a question."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._open: dict[str, set[asyncio.Task[None]]] = {}

    def take(self, part: Part, message: FromPart) -> None:
        """A part asks something."""
        mine = self._open.setdefault(part.spec.name, set())
        if len(mine) >= MOST_AT_ONCE:
            _refuse(part, message, Unavailable("too many questions at once", code="busy"))
            return
        task = asyncio.get_running_loop().create_task(self._answer(part, message))
        mine.add(task)
        task.add_done_callback(mine.discard)

    async def leave(self, *parts: str) -> None:
        """Leave every open question of these parts; without names, of all."""
        tasks = [task for name in parts or self._open for task in self._open.get(name, ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, part: Part, message: FromPart) -> None:
        try:
            check_sender(part.spec.name, message)
            found = await self._ask(part.spec.name, message)
        except DataboxError as error:
            _refuse(part, message, error)
        except Exception as error:  # noqa: BLE001 - the edge: the part must get an answer
            lines.failure(log, "question-fell", error, part=part.spec.name)
            _refuse(part, message, _trouble(error))
        else:
            _reply(part, message, found)


def _reply(part: Part, message: FromPart, found: Any) -> None:
    number: int = getattr(message, "id", 0)
    if isinstance(found, socket.socket):
        with found:
            part.send(Done(id=number), found)
        return
    value = msgspec.json.encode(found)
    if len(value) > MAX_ANSWER:
        # Cut off at the end of its packet it would be no answer, and the part would wait for one.
        too_long = TooLarge("the answer is too long", found=f"{len(value)} bytes")
        _refuse(part, message, too_long)
    else:
        part.send(Done(id=number, value=msgspec.Raw(value)))


def _trouble(error: Exception) -> DataboxError:
    """What to say of an error that nobody expected: a full disk has a remedy, others a log."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable(
            "the disk is full",
            code="disk-full",
            found=str(error.strerror),
            remedy="Free some space; the box goes on by itself",
        )
    return DataboxError("the box could not do this", code="internal")


def _refuse(part: Part, message: FromPart, error: DataboxError) -> None:
    lines.event(
        log,
        logging.WARNING,
        "refused",
        part=part.spec.name,
        asked=type(message).__name__,
        why=error.message,
    )
    number: int = getattr(message, "id", 0)
    text = msgspec.Raw(msgspec.json.encode(error.as_json()))
    part.send(Failed(id=number, status=error.status, error=text))
