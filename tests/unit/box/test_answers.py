"""What the box answers fits into one packet, whatever an app wrote."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from databox.box import usage
from databox.box.answers import Answers
from databox.box.components import TAIL_BYTES
from databox.box.part import Part
from databox.wire.control import MAX_PACKET, Done, Failed, FromBox, Tail


def answer(found: Any) -> FromBox:
    """What the manager hears when its question comes to `found`."""
    sent: list[FromBox] = []
    spec = SimpleNamespace(name="manager")
    part = cast(Part, SimpleNamespace(spec=spec, send=sent.append))

    async def ask(part: str, message: object) -> Any:
        return found

    async def whole() -> None:
        Answers(ask).take(part, Tail(id=7, name="x"))
        await asyncio.sleep(0.01)

    asyncio.run(whole())
    (only,) = sent
    assert len(msgspec.json.encode(only)) <= MAX_PACKET
    return only


def test_an_answer_too_long_for_its_packet_is_refused_and_not_cut() -> None:
    refused = answer("x" * MAX_PACKET)
    assert isinstance(refused, Failed)
    assert (refused.id, refused.status) == (7, 413)


@pytest.mark.parametrize("written", [b"\x01", b"\xff", b"\\", "\u202e".encode(), "\x9b".encode()])
def test_the_end_of_a_log_fits_whatever_an_app_wrote(tmp_path: Path, written: bytes) -> None:
    log = tmp_path / "log"
    log.write_bytes(written * 100_000)
    assert isinstance(answer(usage.tail(log, TAIL_BYTES)), Done)


def test_the_end_of_a_log_steers_no_terminal(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"a\tb\n\x1b[2J\r" + "\x9b2J \u202e".encode())
    shown = usage.tail(log, TAIL_BYTES)
    assert shown.startswith("a\tb\n")
    assert all(c.isprintable() or c in "\n\t" for c in shown)
