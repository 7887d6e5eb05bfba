"""A part forked by the zygote is reachable by its pair alone and stands behind its walls."""

import array
import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from databox.box.birth import Birth, Shared
from databox.box.forks import Zygote
from databox.box.zygote import folders_of
from databox.wire.control import Broken, FromPart, Listener, Ready
from databox.wire.errors import Unavailable

PR_SET_CHILD_SUBREAPER_OFF = 0
UID = 50_001


class Echo:
    """A running echo part, as the box would hold it."""

    def __init__(self, zygote: Zygote, home: Path) -> None:
        self.zygote = zygote
        self.home = home
        self.pid = 0
        self.channel, self._part_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.setblocking(False)

    async def start(self, **changes: object) -> FromPart:
        birth = Birth(
            part="echo",
            module="parts_echo",
            config={},
            directory=str(self.home / "data"),
            scratch=str(self.home / "root"),
            uid=UID if os.geteuid() == 0 else None,
        )
        birth = msgspec.structs.replace(birth, **changes)
        secrets = os.memfd_create("secrets")
        os.write(secrets, msgspec.msgpack.encode({"word": b"hush"}))
        with self._part_end:
            self.pid = await self.zygote.fork(birth, (2, self._part_end.fileno(), secrets))
        os.close(secrets)
        return await self.hear()

    async def hear(self) -> FromPart:
        async with asyncio.timeout(10):
            packet = await asyncio.get_running_loop().sock_recv(self.channel, 65536)
        return msgspec.json.decode(packet, type=FromPart)

    async def ask(self, line: str) -> str:
        path = self.home / "pair"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            rights = array.array("i", [listener.fileno()])
            message = Listener(caller="me", callee="echo", kind="plain")
            self.channel.sendmsg(
                [msgspec.json.encode(message)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
            )
            async with asyncio.timeout(10):
                reader, writer = await asyncio.open_unix_connection(path)
                writer.write(f"{line}\n".encode())
                answer = await reader.readline()
            writer.close()
            await writer.wait_closed()
        return answer.decode().strip()


@asynccontextmanager
async def echo(home: Path) -> AsyncIterator[Echo]:
    zygote = await Zygote.start(home, ["parts_echo"], 2)
    part = Echo(zygote, home)
    try:
        yield part
    finally:
        zygote.close()
        part.channel.close()
        if part.pid:
            end(part.pid)


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def run(home: Path, story: Callable[[Echo], object]) -> None:
    async def tell() -> None:
        async with echo(home) as part:
            await story(part)  # type: ignore[misc]

    asyncio.run(tell())


@pytest.mark.usefixtures("adoptive")
def test_part_answers_a_caller_by_its_pair(home: Path) -> None:
    async def story(part: Echo) -> None:
        assert await part.start() == Ready()
        assert await part.ask("hello") == "echo to me: hello"

    run(home, story)


@pytest.mark.usefixtures("adoptive")
def test_part_gets_its_secret_and_writes_its_folder(home: Path) -> None:
    async def story(part: Echo) -> None:
        await part.start()
        assert (home / "data" / "was-here").read_text() == "hush"

    run(home, story)


@pytest.mark.usefixtures("adoptive")
def test_part_finds_no_way_out(home: Path) -> None:
    async def story(part: Echo) -> None:
        await part.start()
        uid = UID if os.geteuid() == 0 else os.geteuid()
        assert await part.ask("walls") == f"echo to me: uid={uid} pid=1 open=[]"

    run(home, story)


@pytest.mark.usefixtures("adoptive")
def test_part_lives_on_when_the_zygote_is_killed(home: Path) -> None:
    async def story(part: Echo) -> None:
        await part.start()
        os.kill(part.zygote.pid, signal.SIGKILL)
        assert await part.ask("still there?") == "echo to me: still there?"

    run(home, story)


@pytest.mark.usefixtures("adoptive")
def test_part_names_the_step_that_failed_and_never_runs(home: Path) -> None:
    async def story(part: Echo) -> None:
        said = await part.start(scratch=str(home / "missing"))
        assert isinstance(said, Broken)
        assert said.step == "build the root"
        assert not (home / "data" / "was-here").exists()

    run(home, story)


@pytest.mark.usefixtures("adoptive")
def test_part_that_falls_says_by_what(home: Path) -> None:
    async def story(part: Echo) -> None:
        assert await part.start(config={"fall": "no luck"}) == Ready()
        assert await part.hear() == Broken(step="run", reason="RuntimeError: no luck")

    run(home, story)


@pytest.mark.usefixtures("adoptive")
def test_fork_reports_when_the_zygote_is_gone(home: Path) -> None:
    async def story(part: Echo) -> None:
        os.kill(part.zygote.pid, signal.SIGKILL)
        with pytest.raises(Unavailable):
            await part.start()

    run(home, story)


def test_folders_that_hold_the_home_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds the box's home"):
        folders_of([str(tmp_path)], tmp_path / "home")


def test_folders_below_another_are_named_once(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    a = str(tmp_path / "a")
    found = folders_of([a, f"{a}/b", "/usr/lib"], Path("/elsewhere"))
    assert found == (Shared(source=a, target=a),)
