"""A part's end of the control channel: what the box says reaches whoever listens for it."""

import asyncio
import socket
from pathlib import Path

import msgspec
import pytest

from databox.kit.control import Control
from databox.wire.control import Allow, FromBox, InstanceState, Stop, Unroute


@pytest.mark.parametrize(
    "event",
    [
        Allow(caller="export-service", places=("receiver.example:443",)),
        InstanceState(name="hello", state="running", reason=""),
        Unroute(caller="hello", name="hue-store"),
    ],
)
def test_an_event_of_the_box_is_heard(tmp_path: Path, event: FromBox) -> None:
    heard: list[object] = []

    async def story() -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            theirs.setblocking(False)
            control = Control(theirs, part="switchboard", config={}, secrets={}, directory=tmp_path)
            control.on_event(heard.append)
            for message in (event, Stop()):
                ours.send(msgspec.json.encode(message))
            async with asyncio.timeout(5):
                await control.run()

    asyncio.run(story())
    assert heard == [event]
