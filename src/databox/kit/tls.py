"""The TLS side of a service: its own leaf certificate, for callers who come by name."""

import os
import ssl
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from databox.kit.secret import Secret


def on_demand(pem: Secret, folder: Path) -> Callable[[], ssl.SSLContext]:
    """A `server_context` that is made when the first caller needs it.

    Most stores are called over plain sockets alone, and a context costs 2 ms of each start.
    """
    return cache(partial(server_context, pem, folder))


def server_context(pem: Secret, folder: Path) -> ssl.SSLContext:
    """A context that shows the leaf in `pem` (key and certificate, PEM).

    The library reads keys from files only, so the text stands in `folder` for that moment. The
    leaf is made anew at each start of the box and is good for one name inside it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    path = folder / ".leaf.pem"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, pem.reveal())
        context.load_cert_chain(path)
    finally:
        os.close(descriptor)
        path.unlink()
    return context
