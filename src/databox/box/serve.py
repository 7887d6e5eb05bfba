"""The last step of a part's birth: from here on its own code runs, confined."""

import importlib
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import uvloop

from databox.box.birth import CONTROL, DATA, SECRETS, Birth
from databox.kit import log as lines
from databox.kit.control import Control
from databox.kit.secret import Secret

log = logging.getLogger(__name__)

MAX_SECRETS = 64 * 1024

Serve = Callable[[Control], Awaitable[None]]


def serve_part(birth: Birth) -> None:
    """Run the part's `serve` to its end: it was told to, or had no more to do.

    Raises:
        Exception: whatever it fell by, once that is in its log.
    """
    lines.configure(birth.part, sys.stderr)
    serve: Serve = importlib.import_module(birth.module).serve
    try:
        uvloop.run(_serve(serve, birth))
    except Exception as error:
        lines.failure(log, "part-fell", error)
        raise


async def _serve(serve: Serve, birth: Birth) -> None:
    control = Control(
        # A copy: when the part has fallen, the box must still hear why.
        socket.socket(fileno=os.dup(CONTROL)),
        part=birth.part,
        config=birth.config,
        secrets=_secrets(),
        directory=Path(DATA),
    )
    await serve(control)


def _secrets() -> dict[str, Secret]:
    packed = os.pread(SECRETS, MAX_SECRETS, 0)
    # The sealed memory goes away with its last descriptor.
    os.close(SECRETS)
    plain = msgspec.msgpack.decode(packed, type=dict[str, bytes])
    return {name: Secret(value) for name, value in plain.items()}
