"""The store as a process: what it asks the box and the arbiter for before it answers anybody."""

import asyncio
import datetime
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.conformance.store.running import APP, KEY, NAME, SECRET, token

from databox.kit.control import Control
from databox.kit.http.client import Connection
from databox.kit.http.message import Request, Response
from databox.kit.http.router import Router
from databox.kit.http.server import Server
from databox.kit.secret import Secret
from databox.store import service
from databox.store.service import serve
from databox.wire import api
from databox.wire.control import Connect, Done, FromPart, Listener, Ready, Stop
from databox.wire.ledger import Event, StoreHead


def leaf() -> bytes:
    """A self-signed certificate for the store, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


class Box:
    """Plays the box and the authority for one store."""

    def __init__(self, folder: Path) -> None:
        self.channel, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.setblocking(False)
        self.pem = leaf()
        secrets = {"database": KEY, "arbiter-key": b"a2V5", "tls": self.pem}
        self.control = Control(
            self._theirs,
            part=NAME,
            config={},
            secrets={name: Secret(value) for name, value in secrets.items()},
            directory=folder,
        )
        self.ready = asyncio.Event()
        self.ledger: list[Event] = []
        self.arbiter_is_there = asyncio.Event()
        self.arbiter_is_there.set()
        self.asked: list[str] = []
        self.ended: tuple[str, ...] = ("over",)
        self.authority = Server(self._routes())
        asyncio.get_running_loop().add_reader(self.channel, self._read)

    def pair(self, caller: str, kind: str = "plain") -> Path:
        """Hand the store a listener for `caller`."""
        path = self.control.directory / f"{caller}-{kind}.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        message = Listener(caller=caller, callee=NAME, kind=kind)  # type: ignore[arg-type]
        self._send(message, listener)
        listener.close()
        return path

    def stop(self) -> None:
        self._send(Stop())

    def close(self) -> None:
        for each in (self.channel, self._theirs):
            asyncio.get_running_loop().remove_reader(each)
        self.channel.close()
        self._theirs.close()

    def _routes(self) -> Router:
        router = Router()
        router.add("GET", "/store/secret", self._secret)
        router.add("GET", "/epoch", self._epoch)
        router.add("POST", "/entries", self._entries)
        router.add("GET", "/known-head", self._known)
        return router

    async def _secret(self, request: Request) -> Response:
        await self.arbiter_is_there.wait()
        self.asked.append("secret")
        right = request.headers["x-api-key"] == "a2V5" and request.caller == NAME
        return Response(200 if right else 401, SECRET.encode(), "text/plain")

    def _epoch(self, _: Request) -> Response:
        self.asked.append("epoch")
        return Response(200, msgspec.json.encode(api.Epoch(epoch=1, ended=self.ended, now=0)))

    def _known(self, _: Request) -> Response:
        return Response(200, msgspec.json.encode(api.KnownHead()))

    def _entries(self, request: Request) -> Response:
        self.ledger += msgspec.json.decode(request.body, type=api.EntryRequest).events
        return Response(200, msgspec.json.encode(api.EntryReply(last=len(self.ledger))))

    def _read(self) -> None:
        message = msgspec.json.decode(self.channel.recv(65536), type=FromPart)
        match message:
            case Ready():
                self.ready.set()
            case Connect(id=number):
                ours, theirs = socket.socketpair()
                self.authority.serve_connection(ours, NAME)
                self._send(Done(id=number), theirs)
                theirs.close()

    def _send(self, message: msgspec.Struct, attached: socket.socket | None = None) -> None:
        packet = msgspec.json.encode(message)
        socket.send_fds(self.channel, [packet], [attached.fileno()] if attached else [])


Story = Callable[[Box], Awaitable[None]]


def play(folder: Path, story: Story) -> Box:
    """Run a store until the story ends, then stop it as the box does."""

    async def whole() -> Box:
        box = Box(folder)
        process = asyncio.create_task(serve(box.control))
        await story(box)
        box.stop()
        async with asyncio.timeout(10):
            await process
        await box.authority.drain(0.1)
        box.close()
        return box

    return asyncio.run(whole())


async def ask(path: Path, grant: str = "g1", context: ssl.SSLContext | None = None) -> Response:
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(str(path))
    connected.setblocking(False)
    name = NAME if context else None
    connection = Connection(connected, ssl_context=context, server_hostname=name)
    key = token(APP, "GET", "/load/ts/latest", grant=grant)
    try:
        return await connection.request("GET", "/load/ts/latest", {"x-api-key": key})
    finally:
        connection.close()


def test_it_asks_for_its_secret_and_epoch_before_it_answers(tmp_path: Path) -> None:
    async def story(box: Box) -> None:
        box.arbiter_is_there.clear()
        await asyncio.sleep(0.1)
        assert not box.ready.is_set()
        box.arbiter_is_there.set()
        await box.ready.wait()
        assert sorted(box.asked) == ["epoch", "secret"]
        path = box.pair(APP)
        assert json.loads((await ask(path)).body) == []
        assert (await ask(path, grant="over")).status == 401

    play(tmp_path, story)


def test_it_hears_of_an_ending_that_nobody_lived_to_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "EVERY", 0.05)

    async def story(box: Box) -> None:
        await box.ready.wait()
        path = box.pair(APP)
        assert (await ask(path)).status == 200
        box.ended = ("over", "g1")
        async with asyncio.timeout(5):
            while (await ask(path)).status == 200:
                await asyncio.sleep(0.05)
        assert (await ask(path)).status == 401

    play(tmp_path, story)


def test_it_tells_the_ledger_before_it_ends(tmp_path: Path) -> None:
    async def story(box: Box) -> None:
        await box.ready.wait()
        assert (await ask(box.pair(APP))).status == 200

    box = play(tmp_path, story)
    head = box.ledger[-1]
    assert isinstance(head, StoreHead)
    assert head.records == 1


def test_it_answers_by_name_over_tls(tmp_path: Path) -> None:
    async def story(box: Box) -> None:
        await box.ready.wait()
        context = ssl.create_default_context(cadata=box.pem.decode().partition("KEY-----\n")[2])
        assert (await ask(box.pair(APP, "tls"), context=context)).status == 200

    play(tmp_path, story)


@pytest.mark.parametrize("module", ["cryptography", "databox.arbiter", "databox.ledger"])
def test_it_does_not_load_what_it_has_no_use_for(module: str) -> None:
    code = f"import sys, databox.store.service; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
