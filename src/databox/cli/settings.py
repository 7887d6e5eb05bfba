"""`config.toml`: the port, and where the running box answers."""

import tomllib
from pathlib import Path

from databox.wire.errors import BadRequest

PORT = 8989


def port_of(home: Path) -> int:
    """The port that `config.toml` names, or 8989.

    Raises:
        BadRequest: the file is not TOML, or its port is no port.
    """
    try:
        settings = tomllib.loads((home / "config.toml").read_text())
    except FileNotFoundError:
        return PORT
    except tomllib.TOMLDecodeError as error:
        raise BadRequest("config.toml cannot be read", found=str(error)) from error
    port = settings.get("port", PORT)
    if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
        raise BadRequest(
            "config.toml names no usable port",
            field="port",
            found=repr(port),
            remedy="Write a number from 1 to 65535, such as port = 8989",
        )
    return port


def announced(home: Path) -> str | None:
    """The address that the running box has told, None until it listens."""
    try:
        return (home / "run" / "address").read_text().strip()
    except (FileNotFoundError, PermissionError):
        return None


def address_of(home: Path) -> str:
    """The address of the box of this home folder: where it listens, or else where it would."""
    return announced(home) or f"http://databox.localhost:{port_of(home)}"
