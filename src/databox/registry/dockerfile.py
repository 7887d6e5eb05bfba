"""Reads the small part of a Dockerfile that says how a packaged folder is started.

Understood: FROM a node or python image, ADD or COPY of the folder, RUN of one `npm install` or
`pip install -r`, ENV, LABEL, EXPOSE, CMD. Any other instruction is refused by its name: whoever
skipped it would start something else than its author meant.

Source: the Dockerfile reference, https://docs.docker.com/reference/dockerfile/
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from databox.registry import words
from databox.wire.errors import BadRequest

MAX_SIZE = 64 * 1024
NAME = "Dockerfile"

Runtime = Literal["python", "node"]

_NPM = re.compile(r"npm (install|ci)( --(production|omit=dev|no-audit|no-fund))*")
_PIP = re.compile(r"pip3? install( --no-cache-dir)? -r [A-Za-z0-9][A-Za-z0-9._-]*\.txt")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_OURS = ("DATABOX_", "DATASOURCE_", "PACKAGE_")


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """What was understood. `install`: one command, or empty; `port`: None if none is exposed."""

    runtime: Runtime
    command: tuple[str, ...]
    install: tuple[str, ...]
    port: int | None
    environment: dict[str, str]


@dataclass(slots=True)
class _Draft:
    runtime: Runtime | None = None
    command: tuple[str, ...] = ()
    install: tuple[str, ...] = ()
    port: int | None = None
    environment: dict[str, str] = field(default_factory=dict)


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile.

    Raises:
        BadRequest: an instruction that is not understood, naming its line.
    """
    if len(text) > MAX_SIZE:
        raise _refused("the Dockerfile is too long", f"{len(text)} characters")
    draft = _Draft()
    for name, rest in _instructions(text):
        _apply(draft, name, rest)
    if draft.runtime is None:
        raise _refused("the Dockerfile has no FROM", "")
    if not draft.command:
        raise _refused("the Dockerfile has no CMD", "")
    return Dockerfile(
        runtime=draft.runtime,
        command=draft.command,
        install=draft.install,
        port=draft.port,
        environment=draft.environment,
    )


def _apply(draft: _Draft, name: str, rest: str) -> None:
    if name != "FROM" and draft.runtime is None:
        raise _refused("FROM comes first", f"{name} {rest}")
    match name:
        case "FROM":
            draft.runtime = _runtime(draft, rest)
        case "ADD" | "COPY":
            _check_copy(name, rest)
        case "RUN":
            draft.install = _install(draft, rest)
        case "ENV":
            draft.environment.update(_variables(rest))
        case "LABEL":
            pass  # says who made it and what for: the manifest does that
        case "EXPOSE":
            draft.port = _port(draft, rest)
        case "CMD":
            draft.command = _command(rest)
        case _:
            raise _refused("this instruction is not understood", f"{name} {rest}")


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    joined = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#") or not line.strip():
            continue
        joined += line.strip()
        if joined.endswith("\\"):
            joined = joined[:-1] + " "
            continue
        name, _, rest = joined.partition(" ")
        yield name.upper(), rest.strip()
        joined = ""
    if joined:
        raise _refused("the last line goes on", joined)


def _runtime(draft: _Draft, rest: str) -> Runtime:
    image = rest.rpartition("/")[2].partition(":")[0]
    if draft.runtime is not None or image not in ("node", "python"):
        raise _refused("the box runs images made from node or python, in one stage", f"FROM {rest}")
    return "node" if image == "node" else "python"


def _check_copy(name: str, rest: str) -> None:
    source, _, target = rest.partition(" ")
    if source not in (".", "./") or not target.strip() or " " in target.strip():
        raise _refused("only the whole folder can be copied", f"{name} {rest}")


def _install(draft: _Draft, rest: str) -> tuple[str, ...]:
    command = " ".join(rest.split())
    if draft.install or not (_NPM.fullmatch(command) or _PIP.fullmatch(command)):
        raise _refused("RUN may install once, by npm install or pip install -r", f"RUN {rest}")
    return tuple(command.split())


def _variables(rest: str) -> dict[str, str]:
    """`NAME=value …`, or the older `NAME value`."""
    name, space, value = rest.partition(" ")
    pairs = [(name, value.strip())] if space and "=" not in name else _pairs(rest)
    for name, value in pairs:
        # A variable of the box's own would make a component believe what nobody granted.
        if not _VARIABLE.fullmatch(name) or name.startswith(_OURS) or "$" in value:
            raise _refused("this variable cannot be set", f"ENV {rest}")
    return dict(pairs)


def _pairs(rest: str) -> list[tuple[str, str]]:
    split = [word.partition("=") for word in words.split(rest, field=f"{NAME}: ENV")]
    return [(name, value) for name, _, value in split]


def _port(draft: _Draft, rest: str) -> int:
    number = rest.removesuffix("/tcp")
    good = number.isascii() and number.isdecimal() and len(number) <= 5
    if draft.port is not None or not good or not 1024 <= int(number) < 65536:
        raise _refused("a component has one port, from 1024 to 65535", f"EXPOSE {rest}")
    return int(number)


def _command(rest: str) -> tuple[str, ...]:
    if not rest.startswith("["):
        return words.split(rest, field=f"{NAME}: CMD")
    try:
        found = json.loads(rest)
    except (ValueError, RecursionError) as error:
        raise _refused("CMD is not a list of words", f"CMD {rest}") from error
    if not isinstance(found, list) or not found or not all(isinstance(w, str) for w in found):
        raise _refused("CMD is not a list of words", f"CMD {rest}")
    return tuple(found)


def _refused(what: str, found: str) -> BadRequest:
    return BadRequest(
        what,
        code="dockerfile",
        field=NAME,
        found=found[:100],
        remedy="Say how it is started by `run` in databox-manifest.json",
    )
