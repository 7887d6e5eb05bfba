"""A whole box that runs components written for Node, and the pages they show in it."""

from base64 import b64encode
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from tests.box_by_script import BoxByScript, wait_for

from databox.cli import consent
from databox.cli.client import Client, operator
from databox.cli.install import files_of
from databox.registry import content
from databox.wire import api
from databox.wire.sla import Choices

RUNNING_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of a component's own web server, as the gateway passes it on."""

    status: int
    headers: dict[str, str]
    body: bytes


class NodeBox:
    """A box and the public interface by which its owner uses it."""

    def __init__(self, box: BoxByScript) -> None:
        self.home = box.home
        self.client = Client(operator(box.home))
        self._port = int(box.address.rpartition(":")[2])

    def upload(self, folder: Path, **bundled: Path) -> api.ConsentScreen:
        """Upload a folder, with other folders below it under the names given."""
        files = files_of(folder)
        for name, below in bundled.items():
            files |= {f"{name}/{path}": content for path, content in _whole(below).items()}
        found = self.client.call("upload", api.UploadRequest(files=files))
        screen: api.ConsentScreen = self.client.call("package", digest=found.package)
        return screen

    def install(self, screen: api.ConsentScreen, choices: Choices | None = None) -> None:
        """Agree to what the consent screen says, and wait until it runs."""
        chosen = choices or Choices()
        text = consent.text(screen, chosen)
        request = api.InstallRequest(
            name=screen.name, package=screen.package, choices=chosen, text=text
        )
        self.client.call("install", request)
        wait_for(RUNNING_SECONDS, lambda: self.component(screen.name).state == "running")

    def component(self, name: str) -> api.Component:
        """What the box says of it."""
        found: api.Component = self.client.call("component", name=name)
        return found

    def log(self, name: str) -> str:
        """The end of its own output."""
        text: str = self.client.call("log", name=name).text
        return text

    def page(self, name: str) -> Page:
        """Open its screen as the dashboard does: ticket, cookie, then the page."""
        opened = self.client.call("open", name=name)
        host = opened.origin.removeprefix("http://")
        entered = self._get(host, f"/databox-ticket?t={opened.ticket}", {})
        assert (entered.status, entered.headers["location"]) == (303, "/")
        cookie = entered.headers["set-cookie"].partition(";")[0]
        return self._get(host, "/", {"Cookie": cookie})

    def _get(self, host: str, path: str, headers: dict[str, str]) -> Page:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("GET", path, headers={"Host": host, **headers})
            answer = connection.getresponse()
            found = {key.lower(): value for key, value in answer.getheaders()}
            return Page(answer.status, found, answer.read())
        finally:
            connection.close()


def _whole(folder: Path) -> dict[str, str]:
    """Every plain file of an installed tree, packages of Node included."""
    return {
        path.relative_to(folder).as_posix(): b64encode(path.read_bytes()).decode()
        for path in folder.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and content.belongs(str(path.relative_to(folder)))
    }
