"""`databox run FILE`: one file is an app; saving it loads it anew."""

import contextlib
import time
from base64 import b64encode
from pathlib import Path

from databox.cli import choosing, consent, install
from databox.cli.client import Client, operator
from databox.wire import api
from databox.wire.errors import Conflict, DataboxError, NotFound
from databox.wire.sla import Choices

LOOK_EVERY = 0.3
"""Seconds between looks at the file: one `stat` each."""


def run(home: Path, file: Path) -> int:
    """Install the app of `file` on invented data, watch the file, and remove the app on Ctrl-C.

    Raises:
        NotFound: there is no such file.
        Conflict: an app of this name is installed.
    """
    if not file.is_file():
        raise NotFound("there is no such file", found=str(file))
    client = Client(operator(home))
    seen = stamp(file)
    screen = _upload(client, file)
    if screen.installed:
        raise Conflict(
            f"{screen.name} is installed already",
            remedy=f"Remove it first: databox uninstall {screen.name}",
        )
    _install(client, screen, Choices())
    _tell(client.address, screen)
    try:
        while True:
            time.sleep(LOOK_EVERY)
            if (now := stamp(file)) not in (seen, None):
                seen = now
                screen = _again(client, file, screen)
    except KeyboardInterrupt:
        _remove(client, screen.name)
        print(f"\n{screen.title} is removed.")
    return 0


def _tell(address: str, screen: api.ConsentScreen) -> None:
    """Say where to look at it in the browser."""
    if screen.kind == "driver":
        print(f"{screen.title} runs and writes into a store of its own.")
        print(f"Its values:  {address}/sources")
    else:
        print(f"{screen.title} runs, on invented data until you allow more.")
        print(f"Its screen:  {address}/apps/{screen.name}/open")
        print(f"Allow it:    {address}/apps/{screen.name}/allow")
    print(f"What it says itself: {address}/apps/{screen.name}, at the end of the page")
    print("Saving the file loads it anew. Ctrl-C removes it.")


def stamp(file: Path) -> tuple[int, int, int] | None:
    """What changes when the file is saved; None while an editor has it moved away."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _again(client: Client, file: Path, old: api.ConsentScreen) -> api.ConsentScreen:
    """Load the saved file; permissions stay where it still asks for them, and nothing is added."""
    try:
        new = _upload(client, file)
        choices = Choices()
        with contextlib.suppress(NotFound):
            present: api.ConsentScreen = client.call("component-consent", name=old.name)
            choices = choosing.still_asked(choosing.present_choices(present), new)
            _remove(client, old.name, keep=new.name == old.name)
        _install(client, new, choices)
    except DataboxError as error:
        print(f"Not loaded: {error}")
        return old
    print(f"Loaded anew at {time.strftime('%H:%M:%S')}.")
    return new


def _upload(client: Client, file: Path) -> api.ConsentScreen:
    content = b64encode(file.read_bytes()).decode()
    found = client.call("upload", api.UploadRequest(files={file.name: content}, describe=file.name))
    screen: api.ConsentScreen = client.call("package", digest=found.package)
    return screen


def _install(client: Client, screen: api.ConsentScreen, choices: Choices) -> None:
    text = consent.text(screen, choices)
    client.call("install", install.request(screen, choices, text))


def _remove(client: Client, name: str, *, keep: bool = False) -> None:
    with contextlib.suppress(NotFound):
        client.call("uninstall", api.UninstallRequest(keep=keep), name=name)
