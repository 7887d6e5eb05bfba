"""`databox dev`: an arbiter and throw-away stores alone, over HTTPS on loopback.

For authors of clients and for conformance tests. There are no sandboxes here, so nobody is known
by the socket they come through: a key or a token is all that is asked. Everything is in a folder
that goes away at the end. The stores and the arbiter are those of the box.
"""

import asyncio
import base64
import binascii
import contextlib
import datetime
import ipaddress
import os
import signal
import socket
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import uvloop

from databox.arbiter.launch import Setting
from databox.arbiter.service import Arbiter
from databox.arbiter.state import State
from databox.box.certificates import Authority
from databox.kit.clock import SystemClock
from databox.kit.database import open_database
from databox.kit.guard import EndedGrants, Guard
from databox.kit.http.message import Request
from databox.kit.http.router import Router
from databox.kit.http.server import Server
from databox.kit.secret import Secret
from databox.kit.tls import server_context
from databox.store.file import StoreFile
from databox.store.service import KEEPS, Store
from databox.wire import api, catalogue
from databox.wire.errors import BadRequest, Conflict, NotFound
from databox.wire.ledger import Event
from databox.wire.names import RESERVED, any_name

ARBITER = "arbiter"
LOOK_EVERY = 0.1
"""Seconds until a store learns that a grant has ended; in a box the manager tells it at once."""


@dataclass(frozen=True, slots=True)
class Place:
    """A service: its name, which its certificate and the tokens for it carry, and its address."""

    name: str
    address: str
    port: int


def dev(arbiter: str, stores: Sequence[str], key_file: Path) -> int:
    """Run until Ctrl-C.

    Raises:
        BadRequest: an address is not on loopback, a name no name, or the key no key.
        NotFound: there is no such key file.
        Conflict: others can read the key file, or an address is taken.
    """
    key = read_key(key_file)
    places = [place(ARBITER, arbiter), *map(store_place, stores)]
    _check_distinct([each.name for each in places])
    with tempfile.TemporaryDirectory(prefix="databox-dev-") as folder:
        uvloop.run(_Development(Path(folder), key).serve(places))
    return 0


def read_key(file: Path) -> str:
    """The manager's arbiter key, base64 of 32 bytes.

    Raises:
        NotFound, Conflict, BadRequest: as `dev`.
    """
    try:
        mode = file.stat().st_mode
        text = file.read_text().strip()
    except FileNotFoundError as error:
        raise NotFound("there is no such key file", field="--cm-key-file") from error
    if mode & 0o077:
        raise Conflict(
            "others can read the key file",
            field="--cm-key-file",
            found=f"mode {mode & 0o777:04o}",
            remedy=f"Run: chmod 600 {file}",
        )
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != 32:
        raise BadRequest(
            "the key is not base64 of 32 bytes",
            field="--cm-key-file",
            remedy="Make one: head -c 32 /dev/urandom | base64",
        )
    return text


def store_place(words: str) -> Place:
    """Read `NAME=HOST:PORT`.

    Raises:
        BadRequest: it is not of this form, the name is one of the box's, or not on loopback.
    """
    name, equals, where = words.partition("=")
    if not equals:
        raise BadRequest("a store needs a name", found=words, remedy="Write NAME=HOST:PORT")
    if name in RESERVED:
        raise BadRequest("this name belongs to the box itself", field="--store", found=name)
    return place(any_name(name, field="--store"), where)


def place(name: str, where: str) -> Place:
    """Read `HOST:PORT`, a name or an address of loopback; IPv6 stands in brackets.

    Raises:
        BadRequest: it is not of this form, or not on loopback.
    """
    host, _, port = where.rpartition(":")
    if not (host and port.isascii() and port.isdecimal() and int(port) < 65536):
        raise BadRequest("this is no address", field=name, found=where, remedy="Write HOST:PORT")
    try:
        bare = host.removeprefix("[").removesuffix("]")
        address = socket.getaddrinfo(bare, int(port), type=socket.SOCK_STREAM)[0][4][0]
    except OSError as error:
        raise BadRequest("this host has no address", field=name, found=host) from error
    if not ipaddress.ip_address(address).is_loopback:
        raise BadRequest(
            "this is only for tests and listens on loopback alone", field=name, found=where
        )
    return Place(name, str(address), int(port))


def _check_distinct(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise BadRequest("two services have one name", code="duplicate", found=name)


class _Development:
    """Builds the arbiter and the stores, and does for them what in a box other parts do."""

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder
        self._clock = SystemClock()
        self._authority = Authority.new()
        self._state = State(open_database(folder / "arbiter.db", os.urandom(32)))
        with self._state.transaction():
            self._state.records.put("manager", "part", key)

    async def serve(self, places: Sequence[Place]) -> None:
        """Serve until a signal."""
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with contextlib.AsyncExitStack() as end:
            for each, listener in [(each, _listen(each)) for each in places]:
                port = listener.getsockname()[1]
                router = self._router(each.name, port, end)
                server = Server(router, ssl_context=self._tls(each.name))
                server.serve_listener(listener, "outside", "tls")
                end.push_async_callback(server.drain)
                print(f"https://{each.name}:{port} is at {each.address} port {port}")
            print(f"They show certificates of {self._ca()}", flush=True)
            await stop.wait()

    def _router(self, name: str, port: int, end: contextlib.AsyncExitStack) -> Router:
        if name == ARBITER:
            setting = Setting(pairs=False)
            steady = self._state.steady(self._clock)
            return Arbiter(self._state, _forget, steady, setting=setting).router
        store = self._store(name, f"https://{name}:{port}")
        end.push_async_callback(store.close)
        telling = asyncio.create_task(self._tell(name, store))
        end.callback(telling.cancel)
        return store.router

    def _store(self, name: str, origin: str) -> Store:
        item = msgspec.to_builtins(catalogue.store_item(name, origin))
        key = base64.b64encode(os.urandom(32)).decode()
        record = {"name": name, "type": "store", "key": key, "catItem": item}
        with self._state.transaction():
            self._state.records.merge(name, record)
            secret = self._state.records.secret_of(name)
        folder = self._folder / name
        folder.mkdir()
        store = Store(
            name, StoreFile(folder / "store.db", os.urandom(32)), folder, clock=self._clock
        )
        guard = Guard(name, secret, store.clock, EndedGrants(0, ()), keeps=KEEPS, pairs=False)
        store.open(guard, _forget_all, origin=origin)
        return store

    async def _tell(self, name: str, store: Store) -> None:
        """Do the manager's part: tell the store which grants have ended."""
        told = 0
        while True:
            await asyncio.sleep(LOOK_EVERY)
            now = self._state.grants.epoch(name, self._clock.now())
            if now.epoch == told:
                continue
            told = now.epoch
            message = api.EpochRequest(epoch=now.epoch, ended=now.ended)
            request = Request(
                "POST",
                "/epoch",
                "",
                {"content-type": "application/json"},
                "/epoch",
                msgspec.json.encode(message),
                caller="manager",
            )
            answer = store.router.resolve(request).handler(request)
            if asyncio.iscoroutine(answer):
                await answer

    def _tls(self, name: str) -> ssl.SSLContext:
        leaf = self._authority.leaf(name, datetime.datetime.now(datetime.UTC))
        return server_context(Secret(leaf.together), self._folder)

    def _ca(self) -> Path:
        path = self._folder / "ca.pem"
        path.write_bytes(self._authority.certificate(datetime.datetime.now(datetime.UTC)))
        return path


def _listen(each: Place) -> socket.socket:
    try:
        return socket.create_server(
            (each.address, each.port),
            family=socket.AF_INET6 if ":" in each.address else socket.AF_INET,
        )
    except OSError as error:
        raise Conflict(
            f"cannot listen at {each.address} port {each.port}: {error.strerror}", field=each.name
        ) from error


def _forget(event: Event) -> None:
    """There is no ledger here."""


async def _forget_all(events: tuple[Event, ...]) -> bool:
    """There is no ledger here."""
    return False
