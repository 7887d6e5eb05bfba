"""A box whose exports can go to peers of the test, and clients that speak as its apps do."""

import contextlib
import datetime
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests import box_with_stand_ins
from tests.conformance.export.peers import Peer, folder_for_everybody
from tests.recovery.running import RunningBox, soon
from tests.recovery.speaking import Spoken, upload
from websockets.sync.client import ClientConnection, unix_connect

from databox.box.certificates import Authority

GOOD, LATER, SLOW = "good.test.example", "later.test.example", "slow.test.example"
MOVED, LARGE, BUSY, NO = (
    "moved.test.example",
    "large.test.example",
    "busy.test.example",
    "no.test.example",
)
OTHERS_NAME, SELF_SIGNED = "others-name.test.example", "self-signed.test.example"
PEERS = (GOOD, LATER, SLOW, MOVED, LARGE, BUSY, NO, OTHERS_NAME, SELF_SIGNED)
PRIVATE = {
    "loopback.test.example": ["127.0.0.1"],
    "lan.test.example": ["10.1.2.3"],
    "metadata.test.example": ["169.254.169.254"],
    "mapped.test.example": ["::ffff:127.0.0.1"],
    "one-of-two.test.example": ["203.0.113.7", "::1"],
}
"""Names that lead to addresses which nothing may be sent to."""
PATH = "/in?box=1"
PART = "export-service"
STATES = ("queued", "sending", "retrying", "sent", "failed", "unknown", "cancelled")

APP = """
import base64
from pathlib import Path
from databox.sdk import App, view

app = App({title!r}, purpose="Sends what the test tells it")
places = [app.export(url, why="for the test", what="what it says") for url in {urls!r}]


@app.screen
def screen():
    return view.text(base64.b64encode(Path("/run/secrets/ARBITER_TOKEN").read_bytes()).decode())


@app.form("send")
def send(values):
    sending = places[0].send({{"text": values["text"]}})
    sending.wait(5)
    return view.text(f"{{sending.state}} {{sending.status}}")


app.run()
"""


def url_of(host: str) -> str:
    """The one address at this host that the apps of the test are granted."""
    return f"https://{host}{PATH}"


class World:
    """Peers, and the box that knows them."""

    def __init__(self, folder: Path, home: Path, **owner: str) -> None:
        self.folder = folder
        self.home = home
        self.peers = _peers()
        self._write()
        self.box = self.start()
        self.recovery_code = self.box.set_up(**{"mode": "automatic", **owner})

    def start(self) -> RunningBox:
        """Start the box, the first time or again."""
        words = [sys.executable, "-P", box_with_stand_ins.__file__, "--home", str(self.home)]
        stand_ins = ["switchboard=box_test_switchboard", "export-service=box_test_export"]
        start = [*words, "--folder", str(self.folder), *stand_ins]
        self.box = RunningBox(self.home, start=start)
        return self.box

    def app(self, title: str, hosts: tuple[str, ...]) -> "App":
        """Install an app that is granted these hosts, and nothing else."""
        urls = [url_of(host) for host in hosts]
        code = APP.format(title=title, urls=urls)
        status, package = upload(self.box, {"main.py": code}, describe="main.py")
        assert status == 200, package
        exports = [{"url": url, "allowed": True} for url in urls]
        self.ok("POST", "/api/install", {**package, "choices": {"exports": exports}, "text": "yes"})
        return App(self.box, package["name"])

    def ok(self, method: str, path: str, body: object = None) -> Any:
        """A call of the public API that must go well."""
        status, answer = self.box.call(method, path, body)
        assert status == 200, (path, status, answer)
        return answer

    def exports(self) -> list[dict[str, Any]]:
        """Everything that left or waits."""
        found: list[dict[str, Any]] = self.box.get("/api/exports")["exports"]
        return found

    def export(self, number: str) -> dict[str, Any]:
        """One export with its bytes."""
        found: dict[str, Any] = self.box.get(f"/api/exports/{number}")
        return found

    def until(self, number: str, *states: str, within: float = 10.0) -> dict[str, Any]:
        """Wait until an export is in one of these states; gives it then."""
        assert set(states) <= set(STATES)
        soon(lambda: self.export(number)["state"] in states, within=within)
        return self.export(number)

    def story(self, number: str) -> list[dict[str, Any]]:
        """What the ledger says of an export, the oldest first."""
        rows = self.box.get("/api/history?limit=500")["rows"]
        events = [row["entry"]["event"] for row in reversed(rows)]
        return [event for event in events if event.get("export") == number]

    def clear(self) -> None:
        """Cancel all that waits, so that one test's leftovers do not hold up the next."""
        for each in self.exports():
            if each["state"] in ("queued", "retrying"):
                self.box.call("POST", f"/api/exports/{each['id']}/cancel")

    def close(self) -> None:
        """End box and peers."""
        for peer in self.peers.values():
            peer.close()
        if self.box.process.poll() is None:
            self.box.stop()

    def _write(self) -> None:
        known = {f"{host}:443": [("127.0.0.1", peer.port)] for host, peer in self.peers.items()}
        for host, addresses in PRIVATE.items():
            known[f"{host}:443"] = [(each, self.peers[GOOD].port) for each in addresses]
        world = {
            "answers": known,
            "peers": sorted(self.peers),
            "authority": AUTHORITY.certificate(_now()).decode(),
        }
        shutil.copytree(Path(__file__).with_name("stand_ins"), self.folder, dirs_exist_ok=True)
        (self.folder / "world.json").write_text(json.dumps(world))
        for path in self.folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)


AUTHORITY = Authority.new()


def _peers() -> dict[str, Peer]:
    leaf = {host: AUTHORITY.leaf(host, _now()).together for host in PEERS}
    leaf[OTHERS_NAME] = leaf[GOOD]
    leaf[SELF_SIGNED] = Authority.new().leaf(SELF_SIGNED, _now()).together
    peers = {host: Peer(each) for host, each in leaf.items()}
    for host, peer in peers.items():
        if host != LATER:
            peer.up()
    return peers


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class App(Spoken):
    """An installed app of the test."""

    def token(self, path: str, method: str = "POST") -> str:
        """A token of the arbiter for the export service."""
        return self.token_for(PART, method, path)

    def post(self, path: str, fields: object, token: str | None = None) -> tuple[int, bytes]:
        """A request of the export interface; `path` may have a query."""
        body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        credential = self.token(path.partition("?")[0]) if token is None else token
        return self.ask(PART, "POST", path, body, credential)

    def send(self, host: str, text: str = '{"n": 1}') -> str:
        """Hand over an export; gives its id."""
        status, answer = self.post("/export", {"id": "", "uri": url_of(host), "data": text})
        assert status == 200, answer
        return str(json.loads(answer)["id"])

    @contextlib.contextmanager
    def websocket(self, token: str | None = None) -> Iterator[ClientConnection]:
        """The export interface's WebSocket."""
        headers = {"X-Api-Key": self.token("/ws/export", "GET") if token is None else token}
        with unix_connect(
            str(self.socket(PART)), "ws://localhost/ws/export", additional_headers=headers
        ) as opened:
            yield opened


@contextlib.contextmanager
def world(home: Path, **owner: str) -> Iterator[World]:
    """A box that is set up, and its peers. `owner`: as `RunningBox.set_up` takes it."""
    with folder_for_everybody() as folder:
        made = World(folder, home, **owner)
        try:
            yield made
        finally:
            made.close()


def never(true: Callable[[], object], *, for_seconds: float) -> None:
    """Look that something does not happen."""
    end = time.monotonic() + for_seconds
    while time.monotonic() < end:
        assert not true()
        time.sleep(0.05)
