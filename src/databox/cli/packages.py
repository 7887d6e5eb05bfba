"""Install locked Python packages by uv, fetched the way the user told pip to fetch.

uv comes by pip, by hash, into a throw-away environment. Where pip was told of another index, a
folder of wheels, a certificate or a proxy, uv is told the same for this one run; nothing is
written into the user's settings, and an address never stands in an argument.

Standard library only: runs before anything is installed.
"""

import ast
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from databox.cli.home import SetupError, clean_environment

PYTHON = "/usr/bin/python3"

_BLANKS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
    "proxy": "ALL_PROXY",
}
"""pip's settings with uv's variable for each; lists are separated by blanks in both."""

_PIP = ("install", "--quiet", "--only-binary=:all:", "--require-hashes", "--no-deps")

# Later ones win, as in pip: a variable over a line for one command over a general line.
_SECTIONS = ("global", "install", ":env:")


def install(requirements: Path, bootstrap: Path, *place: str) -> None:
    """Install what the file `requirements` names, every file checked by its hash.

    `place`: uv's words for where to. Only wheels: a source package would run its own code,
    unconfined, while it is built.

    Raises:
        SetupError: a package could not be fetched or does not have its hash.
    """
    with tempfile.TemporaryDirectory(prefix="databox-uv-") as folder:
        environment = clean_environment(os.environ)
        _run((PYTHON, "-m", "venv", folder), environment, "prepare a Python environment")
        pip = (f"{folder}/bin/python3", "-m", "pip")
        _run((*pip, *_PIP, "-r", str(bootstrap)), environment, "fetch uv")
        settings = pip_settings(_run((*pip, "config", "list"), environment, "read pip's settings"))
        index = ("--no-index",) if settings.get("no-index") in {"true", "1", "yes"} else ()
        _run(
            (f"{folder}/bin/uv", "pip", *_PIP, *index, *place, "-r", str(requirements)),
            uv_environment(settings, environment),
            f"fetch the packages of {requirements.name}",
        )


def into(target: Path) -> tuple[str, ...]:
    """The place that is a plain folder, for PYTHONPATH."""
    return ("--python", PYTHON, "--target", str(target))


def pip_settings(listing: str) -> dict[str, str]:
    """Read what `pip config list` prints, `section.name='value'` a line; the strongest wins."""
    settings: dict[str, str] = {}
    lines = [line.partition("=") for line in listing.splitlines()]
    for section in _SECTIONS:
        for key, _, value in lines:
            if key.startswith(f"{section}."):
                settings[key.removeprefix(f"{section}.")] = str(ast.literal_eval(value))
    return settings


def uv_environment(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for uv. What the user already told uv itself is kept.

    Files are copied, not linked from uv's cache: the runtime changes their modes. The best match
    is taken over all indexes, as pip does; hashes make that safe.
    """
    ours = {"UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy", "UV_NO_PROGRESS": "1"}
    theirs = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    for name, variable in _BLANKS.items():
        if name in settings:
            theirs[variable] = " ".join(settings[name].split())
    if "find-links" in settings:
        theirs["UV_FIND_LINKS"] = ",".join(settings["find-links"].split())
    return {**theirs, **environment, **ours}


def _run(command: tuple[str, ...], environment: dict[str, str], what: str) -> str:
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        # An address with a password may stand in the output: it goes to the user's own terminal.
        end = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-12:])
        raise SetupError(
            f"Could not {what}:\n{end}\n"
            "Check the connection, the room on the disk, and pip's settings (`pip config list`), "
            "which are followed."
        )
    return done.stdout
