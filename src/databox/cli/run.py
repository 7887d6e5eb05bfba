"""`databox run FILE`: one file is an app; saving it loads it anew."""

import contextlib
import signal
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from databox.cli import choosing, consent, install
from databox.cli.client import Client, operator
from databox.cli.down import running
from databox.cli.output import new_lines, whole_lines
from databox.wire import api
from databox.wire.errors import Conflict, DataboxError, Denied, NotFound, Unavailable
from databox.wire.sla import Choices

LOOK_EVERY = 0.3
"""Seconds between looks at the file: one `stat` each."""
LISTEN_EVERY = 3
"""So many looks later the app's own output is asked for: one call to the box."""
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(home: Path, file: Path) -> int:
    """Install the app of `file` on invented data, watch the file, and remove the app on Ctrl-C.

    The exit code is 1 if the box ended before, or somebody removed the app.

    Raises:
        NotFound: there is no such file.
        Conflict: an app of this name is installed.
    """
    if file.is_dir():
        remedy = f"Install a folder: databox install {_folder(file)}"
        raise NotFound("this is a folder, not a file", found=str(file), remedy=remedy)
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
    trial = Trial(home, client, file, screen, seen)
    with _told_to_end():
        try:
            _install(client, screen, Choices())
            _tell(client.address, screen)
            return trial.watch()
        except KeyboardInterrupt:
            _remove(client, trial.screen.name)
            print(f"\n{trial.screen.title} is removed.")
            return 0


@dataclass(slots=True)
class Trial:
    """The app as it runs now. `seen`: the file's stamp; `shown`: the end of its output so far."""

    home: Path
    client: Client
    file: Path
    screen: api.ConsentScreen
    seen: tuple[int, int, int] | None
    shown: Sequence[str] = ()

    def watch(self) -> int:
        """Load the file anew when it is saved and print what the app prints, until the box ends."""
        for turn in count(1):
            time.sleep(LOOK_EVERY)
            if (now := stamp(self.file)) not in (self.seen, None):
                self.seen = now
                self._load()
            if turn % LISTEN_EVERY == 0 and not self._listen():
                return 1
        raise AssertionError("counting does not end")

    def _load(self) -> None:
        new = _again(self.client, self.file, self.screen)
        if new is not self.screen:
            # Its output went with the one before.
            self.screen, self.shown = new, ()

    def _listen(self) -> bool:
        """Print what the app printed since; False once there is nothing to listen to."""
        screen = self.screen
        try:
            text = self.client.call("log", name=screen.name).text
        except NotFound:
            print(f"{screen.title} was removed by somebody else.")
            return False
        except Denied:
            # Sessions of the command line end with the box that made them.
            return self._box_is_gone()
        except Unavailable:
            # A part that fell is back within a second.
            return running(self.home) is not None or self._box_is_gone()
        lines = whole_lines(text)
        for line in new_lines(self.shown, lines):
            print(f"{screen.name} | {line}")
        self.shown = lines
        return True

    def _box_is_gone(self) -> bool:
        name = self.screen.name
        print(f"The box has stopped. {self.screen.title} stays installed in it: once the box runs")
        print(f"again, remove it by: databox uninstall {name}")
        return False


@contextlib.contextmanager
def _told_to_end() -> Iterator[None]:
    """Whoever ends this process, in whatever way it can answer, has the app removed as Ctrl-C does.

    A shell starts what runs in the background with SIGINT ignored.
    """
    before = {number: signal.getsignal(number) for number in ENDS}
    for number in ENDS:
        if number != signal.SIGHUP or before[number] != signal.SIG_IGN:  # `nohup` means it
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(address: str, screen: api.ConsentScreen) -> None:
    """Say where to look at it in the browser."""
    if screen.kind == "driver":
        print(f"{screen.title} runs and writes into a store of its own.")
        print(f"Its values:  {address}/sources")
    else:
        print(f"{screen.title} runs, on invented data until you allow more.")
        print(f"Its screen:  {address}/apps/{screen.name}/open")
        print(f"Allow it:    {address}/apps/{screen.name}/allow")
    print("What it prints, its errors too, stands below.")
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
        client.call("uninstall", api.UninstallRequest(keep=keep, readers=keep), name=name)


def _folder(path: Path) -> str:
    """A folder as `install` tells it from a name of the store: with a slash."""
    return str(path) if "/" in str(path) else f"./{path}"
