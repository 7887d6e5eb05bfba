"""How the component in a folder is started: from its manifest, a Dockerfile or package.json.

Rules, in order:
1. `run` of the manifest, as it stands.
2. A Dockerfile; its `npm start` is looked up in package.json, since there is no shell for npm.
3. package.json: `scripts.start`, else `server.js` as npm does.
A manifest of 2017 (version 1) means a component that serves HTTPS with the box's certificate.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from databox.registry import dockerfile, words
from databox.registry.content import MANIFEST
from databox.wire import manifest
from databox.wire.errors import BadRequest
from databox.wire.manifest import Manifest, Run

PACKAGE = "package.json"
PORT = 8080

Scheme = Literal["http", "https"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The manifest with its `run` filled in, and what has to happen before the first start.

    `install`: one command to run in a throw-away sandbox, or empty.
    """

    manifest: Manifest
    install: tuple[str, ...]


def read(files: Mapping[str, bytes]) -> Recipe:
    """Find out how to start what is in these files.

    Raises:
        BadRequest: no manifest or a bad one; a Dockerfile or package.json that needs more than
            the box gives.
    """
    if MANIFEST not in files:
        raise BadRequest(
            "there is no manifest",
            code="manifest-missing",
            field="files",
            found=", ".join(sorted(files)[:5]),
            remedy=f"Put a {MANIFEST} at the top of the folder",
        )
    found = manifest.decode(files[MANIFEST])
    if found.run is not None:
        return Recipe(found, ())
    scheme: Scheme = "https" if found.manifest_version == 1 else "http"
    if dockerfile.NAME in files:
        return _from_dockerfile(found, files, scheme)
    run = Run(command=_start(files), runtime="node", port=PORT, scheme=scheme)
    return Recipe(_with(found, run), ("npm", "install"))


def _from_dockerfile(found: Manifest, files: Mapping[str, bytes], scheme: Scheme) -> Recipe:
    asked = dockerfile.parse(files[dockerfile.NAME].decode(errors="replace"))
    command = asked.command
    if command[:2] in (("npm", "start"), ("npm", "run")):
        if command not in (("npm", "start"), ("npm", "run", "start")):
            raise _unknown("CMD", " ".join(command))
        command = _start(files)
    run = Run(
        command=command,
        runtime=asked.runtime,
        port=asked.port or PORT,
        scheme=scheme,
        environment=asked.environment,
    )
    return Recipe(_with(found, run), asked.install)


def _start(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """What `npm start` would start."""
    if PACKAGE not in files:
        raise _unknown("run", "no run, no Dockerfile, no package.json")
    try:
        package = json.loads(files[PACKAGE])
    except (ValueError, RecursionError) as error:
        raise _unknown(PACKAGE, "not JSON") from error
    scripts = package.get("scripts", {}) if isinstance(package, dict) else None
    if not isinstance(scripts, dict):
        raise _unknown(PACKAGE, "no object of scripts")
    start = scripts.get("start")
    if isinstance(start, str):
        return words.split(start, field=f"{PACKAGE}: scripts.start")
    if start is None and "server.js" in files:
        return ("node", "server.js")
    raise _unknown(f"{PACKAGE}: scripts.start", "neither a script nor server.js")


def _with(found: Manifest, run: Run) -> Manifest:
    return msgspec.structs.replace(found, run=run)


def _unknown(field: str, found: str) -> BadRequest:
    return BadRequest(
        "it is not clear how this is started",
        code="run-missing",
        field=field,
        found=found[:100],
        remedy=f'Add "run": {{"command": ["python3", "main.py"]}} to {MANIFEST}',
    )
