"""What a throw-away sandbox needs to fetch what a package depends on: one registry, no more.

Which registry is the choice of whoever runs the box: npm and pip themselves are asked for their
settings. Passwords and tokens in those settings are not passed on: the sandbox holds whatever a
stranger's package says.
"""

import ast
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from databox.box.instances import ToSwitchboard
from databox.box.runtime import PYTHON
from databox.engines import Run
from databox.switchboard.places import Place, parse
from databox.wire.control import Route, Unroute
from databox.wire.errors import BadRequest, Unavailable
from databox.wire.runspec import HostName, Limits

CALLER = "box"
"""Who the ledger says has fetched."""

FETCH_SECONDS = 100.0
FETCH_LIMITS = Limits(memory_mb=768, processes=64, cpu=2.0, disk_mb=384)
MAX_WORDS, MAX_WORD = 8, 100

AUTHORITY = "REGISTRY_CA"
_AUTHORITY_INSIDE = f"/run/secrets/{AUTHORITY}"
_PYPI, _PYPI_FILES = "pypi.org", "files.pythonhosted.org"


@dataclass(frozen=True, slots=True)
class Registry:
    """Where packages come from. `environment`: npm's or pip's variables for it."""

    places: tuple[Place, ...]
    environment: dict[str, str]
    secrets: dict[str, bytes] = field(default_factory=dict)

    @property
    def names(self) -> tuple[HostName, ...]:
        """The places as the sandbox finds them."""
        return tuple(
            HostName(name=place.host, address=f"127.0.0.{number}", port=place.port)
            for number, place in enumerate(self.places, 2)
        )


def check_words(words: Sequence[str]) -> None:
    """Check the command that the manager found in a package.

    Raises:
        BadRequest: it is neither npm nor pip, or too long.
    """
    long = len(words) > MAX_WORDS or any(len(word) > MAX_WORD for word in words)
    if words[0] not in ("npm", "pip", "pip3") or long:
        raise BadRequest(
            "only npm and pip fetch what a package depends on",
            field="install",
            found=" ".join(words)[:MAX_WORD],
        )


def registry(tool: str) -> Registry:
    """Ask `npm` or `pip` for its registry. Takes a moment: runs the tool.

    Raises:
        Unavailable: the tool is not there or does not answer.
        BadRequest: its registry is not an `https` address that can be reached from a sandbox.
    """
    return _npm() if tool == "npm" else _pip()


class Lines:
    """The lines of one sandbox to the places of its registry."""

    def __init__(self, found: Registry, switchboard: ToSwitchboard) -> None:
        self._registry = found
        self._switchboard = switchboard
        self._listeners: list[socket.socket] = []

    async def open(self, run: Run) -> None:
        """Make them, before the first instruction inside."""
        for place, host in zip(self._registry.places, self._registry.names, strict=True):
            listener = await run.listen(host.address, host.port)
            self._listeners.append(listener)
            route = Route(caller=CALLER, name=str(place), outside=str(place))
            self._switchboard(route, listener)

    def close(self) -> None:
        """Take them away."""
        for listener in self._listeners:
            listener.close()
        for place in self._registry.places:
            self._switchboard(Unroute(caller=CALLER, name=str(place)), None)


def _npm() -> Registry:
    program = shutil.which("npm")
    if program is None:
        raise Unavailable(
            "this package needs npm, which is not on this machine",
            code="no-npm",
            field="install",
            remedy="Install it, for example by: apt-get install npm",
        )
    said = _said(program, "config", "get", "registry", "cafile")
    settings = dict(line.partition("=")[::2] for line in said.splitlines())
    address = settings.get("registry", "")
    variables = {"npm_config_registry": address, "npm_config_update_notifier": "false"}
    places = (_place(address),)
    return _trusting(places, variables, "npm_config_cafile", settings.get("cafile", ""))


def _pip() -> Registry:
    with tempfile.TemporaryDirectory(prefix="databox-pip-") as folder:
        # The system may have no pip of its own; a fresh environment brings one along.
        _said(PYTHON, "-m", "venv", folder)
        settings = _pip_settings(_said(f"{folder}/bin/pip", "config", "list"))
    address = settings.get("index-url", f"https://{_PYPI}/simple")
    place = _place(address)
    # The one public index keeps its files elsewhere.
    places = (place, Place(_PYPI_FILES, 443)) if place.host == _PYPI else (place,)
    variables = {"PIP_INDEX_URL": address, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return _trusting(places, variables, "PIP_CERT", settings.get("cert", ""))


def _pip_settings(listing: str) -> dict[str, str]:
    """Read `section.name='value'` lines; a variable wins over a file."""
    settings: dict[str, str] = {}
    lines = [line.partition("=") for line in listing.splitlines()]
    for section in ("global", "install", ":env:"):
        for key, _, value in lines:
            if key.startswith(f"{section}."):
                settings[key.removeprefix(f"{section}.")] = str(ast.literal_eval(value))
    return settings


def _place(address: str) -> Place:
    if urlsplit(address).username is not None:
        # Never shown: there is a password in it.
        raise BadRequest(
            "the registry in your settings needs a password, which no sandbox is given",
            code="registry",
            field="install",
            remedy="Put what the package needs into its folder before you upload it",
        )
    return parse(address)


def _trusting(
    places: tuple[Place, ...], variables: dict[str, str], variable: str, authority: str
) -> Registry:
    """Who is trusted to speak for the registry is the owner's choice too."""
    if not authority.startswith("/"):
        return Registry(places, variables)
    secrets = {AUTHORITY: Path(authority).read_bytes()}
    return Registry(places, {**variables, variable: _AUTHORITY_INSIDE}, secrets)


def _said(*command: str) -> str:
    try:
        done = subprocess.run(
            command,
            # Away from every folder that may hold settings of its own.
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=FETCH_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(
            "npm or pip does not tell its settings",
            code="registry",
            field="install",
            found=command[0],
            remedy=f"Try by hand: {' '.join(command)}",
        ) from error
    return done.stdout
