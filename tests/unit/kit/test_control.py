"""A part's end of the control channel, with a box that is only a socket."""

import array
import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from databox.kit.control import Control
from databox.wire import control as wire
from databox.wire.errors import Denied, TooLarge, Unavailable

Story = Callable[[Control, "Box"], Awaitable[None]]


class Box:
    """The other end."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.end.setblocking(False)

    async def hear(self) -> wire.FromPart:
        async with asyncio.timeout(5):
            packet = await asyncio.get_running_loop().sock_recv(self.end, wire.MAX_PACKET)
        return msgspec.json.decode(packet, type=wire.FromPart)

    def say(self, message: wire.FromBox, attached: socket.socket | None = None) -> None:
        numbers = [attached.fileno()] if attached else []
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", numbers))]
        self.end.sendmsg([msgspec.json.encode(message)], rights if attached else [])


def tell(story: Story) -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control = Control(theirs, part="hue-store", config={}, secrets={}, directory=Path("/data"))
        with ours, theirs:
            await story(control, Box(ours))
            await asyncio.sleep(0)

    asyncio.run(run())


def test_ready_is_told() -> None:
    async def story(control: Control, box: Box) -> None:
        await control.ready()
        assert await box.hear() == wire.Ready()

    tell(story)


def test_connect_gives_the_attached_connection() -> None:
    async def story(control: Control, box: Box) -> None:
        asking = asyncio.ensure_future(control.connect("arbiter"))
        asked = await box.hear()
        assert isinstance(asked, wire.Connect)
        near, far = socket.socketpair()
        with near, far:
            box.say(wire.Done(id=asked.id), near)
            with await asking as connection:
                far.send(b"hello")
                assert await asyncio.get_running_loop().sock_recv(connection, 5) == b"hello"

    tell(story)


def test_answers_find_their_questions_in_any_order() -> None:
    async def story(control: Control, box: Box) -> None:
        first = asyncio.ensure_future(control.ask(wire.BoxStatus(id=0)))
        second = asyncio.ensure_future(control.ask(wire.BoxStatus(id=0)))
        one, two = await box.hear(), await box.hear()
        assert isinstance(one, wire.BoxStatus)
        assert isinstance(two, wire.BoxStatus)
        box.say(wire.Done(id=two.id, value=msgspec.Raw(b'"second"')))
        box.say(wire.Done(id=one.id, value=msgspec.Raw(b'"first"')))
        assert (await first, await second) == (b'"first"', b'"second"')

    tell(story)


def test_refusal_is_raised_in_its_branch() -> None:
    async def story(control: Control, box: Box) -> None:
        asking = asyncio.ensure_future(control.connect("ledger"))
        asked = await box.hear()
        assert isinstance(asked, wire.Connect)
        error = Denied("no business there", code="no-pair").as_json()
        box.say(wire.Failed(id=asked.id, status=403, error=msgspec.Raw(msgspec.json.encode(error))))
        with pytest.raises(Denied, match="no business there"):
            await asking

    tell(story)


def test_listener_comes_with_who_calls() -> None:
    async def story(control: Control, box: Box) -> None:
        heard: list[tuple[str, str]] = []
        control.on_listener(
            lambda each, sock: (heard.append((each.caller, each.kind)), sock.close())[0]
        )
        await control.ready()
        with socket.socket(socket.AF_UNIX) as listener:
            box.say(wire.Listener(caller="warm-home", callee="hue-store", kind="tls"), listener)
        await asyncio.sleep(0.01)
        assert heard == [("warm-home", "tls")]

    tell(story)


def test_end_of_a_pair_is_confirmed_after_it_was_carried_out() -> None:
    async def story(control: Control, box: Box) -> None:
        closed: list[str] = []
        control.on_unlisten(lambda gone: closed.append(gone.caller))
        await control.ready()
        await box.hear()
        box.say(wire.Unlisten(caller="warm-home", callee="hue-store"))
        assert await box.hear() == wire.Closed(caller="warm-home", callee="hue-store")
        assert closed == ["warm-home"]

    tell(story)


def test_run_ends_when_the_box_says_stop() -> None:
    async def story(control: Control, box: Box) -> None:
        running = asyncio.ensure_future(control.run())
        await asyncio.sleep(0)
        box.say(wire.Stop())
        async with asyncio.timeout(5):
            await running

    tell(story)


def test_end_of_the_box_ends_run_and_open_questions() -> None:
    async def story(control: Control, box: Box) -> None:
        asking = asyncio.ensure_future(control.ask(wire.BoxStatus(id=0)))
        running = asyncio.ensure_future(control.run())
        await box.hear()
        box.end.close()
        with pytest.raises(Unavailable):
            await asking
        await running

    tell(story)


def test_message_past_the_bound_is_refused_here() -> None:
    async def story(control: Control, box: Box) -> None:
        with pytest.raises(TooLarge):
            await control.ask(wire.Unlock(id=0, passphrase="x" * wire.MAX_PACKET))

    tell(story)


def test_answer_that_nobody_waits_for_leaves_no_descriptor_open() -> None:
    async def story(control: Control, box: Box) -> None:
        await control.ready()
        near, far = socket.socketpair()
        with far:
            with near:
                box.say(wire.Done(id=99), near)
            await asyncio.sleep(0.01)
            far.setblocking(False)
            assert far.recv(1) == b""

    tell(story)
