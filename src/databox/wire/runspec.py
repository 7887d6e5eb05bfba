"""What an engine needs to know to run a component apart from the others."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds on one instance: mebibytes, number of processes, share of one core, mebibytes.

    A package writes its own, so they are bounded themselves: memory 16 to 1024, processes 4 to 256,
    share 0.05 to 2, disk 1 to 4096. What asked for the whole machine would be held by nothing.
    """

    memory_mb: Annotated[int, Meta(ge=16, le=1024)] = 128
    processes: Annotated[int, Meta(ge=4, le=256)] = 64
    cpu: Annotated[float, Meta(ge=0.05, le=2.0)] = 0.5
    disk_mb: Annotated[int, Meta(ge=1, le=4096)] = 256


Port = Annotated[int, Meta(ge=1024, le=65535)]
"""A port that a component without rights can listen on."""


class WebPort(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The port on which a component serves its own screen inside its sandbox.

    `ready`: the path that answers once it is up.
    """

    port: Port = 8080
    scheme: Literal["http", "https"] = "http"
    ready: str = "/"


class HostName(msgspec.Struct, frozen=True, kw_only=True):
    """A name that resolves in the sandbox: `name` is at `address`, one of 127.0.0.2 and up."""

    name: str
    address: str
    port: int = 443


class RunSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one component.

    `code` is mounted read-only as `/app`, `var` as the only writable place `/var`, `peers`
    read-only as `/run/databox`, each of `shared` (host path, path inside) read-only, `secrets`
    as files under `/run/secrets`. `uid`: the kernel uid of the instance where the engine runs as
    root, else None.
    """

    name: str
    command: tuple[str, ...]
    code: Path
    var: Path
    peers: Path | None = None
    shared: tuple[tuple[Path, str], ...] = ()
    environment: dict[str, str] = {}
    secrets: dict[str, bytes] = {}
    names: tuple[HostName, ...] = ()
    web: WebPort | None = None
    proc: bool = False
    limits: Limits = Limits()
    uid: int | None = None
    log: Path | None = None

    def __repr__(self) -> str:
        # Secrets and environment stay out of every log and traceback.
        return f"RunSpec(name={self.name!r}, command={self.command!r})"
