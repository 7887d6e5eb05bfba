"""`databox install` and `uninstall`: from the app store page or from a folder."""

import sys
from base64 import b64encode
from pathlib import Path

from databox.cli import consent
from databox.cli.client import Client, operator
from databox.registry import content, recipe
from databox.wire import api
from databox.wire.errors import BadRequest, Conflict, NotFound, TooLarge
from databox.wire.sla import Choices

MAX_BYTES = 16 * 1024 * 1024
_NODE_MODULES = "node_modules"


def install(home: Path, package: str, *, agreed: bool) -> int:
    """Show what the package asks, install it with no permission to see anything, say how to allow.

    Raises:
        Conflict: nobody agreed.
        DataboxError: the box refused it.
    """
    client = Client(operator(home))
    screen = find(client, package)
    text = consent.text(screen, Choices())
    print(text)
    if not agreed:
        _ask(screen)
    client.call("install", request(screen, Choices(), text))
    print(f"{screen.title} is installed as {screen.name}.")
    if screen.asks or screen.exports:
        print(f"It may see nothing yet. Allow it:  {client.address}/apps/{screen.name}/allow")
    return 0


def find(client: Client, package: str) -> api.ConsentScreen:
    """The consent screen of a folder, which is uploaded first, or of an offer.

    Raises:
        NotFound: there is neither.
    """
    folder = Path(package)
    # A name never holds a slash, so `./hello` is a folder even where the store has a `hello`.
    if "/" in package or package == ".":
        if folder.is_file():
            remedy = f"Run a single file: databox run {package}"
            raise NotFound("this is a file, not a folder", found=package, remedy=remedy)
        if not folder.is_dir():
            raise NotFound("there is no such folder", found=package)
        found = client.call("upload", api.UploadRequest(files=files_of(folder)))
        screen: api.ConsentScreen = client.call("package", digest=found.package)
        return screen
    offer: api.ConsentScreen = client.call("offer", name=package)
    return offer


def request(screen: api.ConsentScreen, choices: Choices, text: str) -> api.InstallRequest:
    """What is agreed to: this very package, these choices, this text."""
    return api.InstallRequest(name=screen.name, package=screen.package, choices=choices, text=text)


def files_of(folder: Path) -> dict[str, str]:
    """The files below `folder` by relative path, contents in base64.

    Links are left out, as is what tools leave behind; installed node modules too, where the box
    fetches them itself.

    Raises:
        TooLarge: over 16 MiB together.
        BadRequest: there is no file in it.
    """
    own = _read(folder, without=_NODE_MODULES)
    if not own:
        raise BadRequest("the folder is empty", field=str(folder))
    if (folder / _NODE_MODULES).is_dir() and not _fetched(own):
        own = _read(folder)
    return {path: b64encode(text).decode() for path, text in own.items()}


def _read(folder: Path, without: str = "") -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    size = 0
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder).as_posix()
        if not content.belongs(inner) or without in inner.split("/"):
            continue
        if path.is_symlink() or not path.is_file():
            continue
        size += path.stat().st_size
        if size > MAX_BYTES:
            raise TooLarge(
                "the folder is too large for a package",
                field=str(folder),
                found=f"more than {MAX_BYTES} bytes",
                remedy="Leave out what the app does not need to run",
            )
        files[inner] = path.read_bytes()
    return files


def _fetched(files: dict[str, bytes]) -> bool:
    """Whether the box fetches what the package depends on."""
    try:
        return bool(recipe.read(files).install)
    except BadRequest:
        # The box says what is wrong with it.
        return True


def uninstall(home: Path, name: str, *, keep: bool) -> int:
    """Remove a component, its access first.

    Raises:
        DataboxError: the box has no such component.
    """
    client = Client(operator(home))
    client.call("uninstall", api.UninstallRequest(keep=keep), name=name)
    print(f"{name} is removed; its data {'stays' if keep else 'is deleted'}.")
    return 0


def _ask(screen: api.ConsentScreen) -> None:
    if not sys.stdin.isatty():
        raise Conflict("nobody can be asked here", remedy="Add --yes to agree to what is shown")
    answer = input(f"Install {screen.title}? [y/N] ")
    if not answer.strip().lower().startswith("y"):
        raise Conflict("nothing was installed")
