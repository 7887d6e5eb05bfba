"""The opening of a WebSocket: what is asked, and what is answered; no socket.

Source: RFC 6455 section 4.
"""

import base64
import binascii
import hashlib

from databox.kit.http.message import Request
from databox.wire.errors import BadRequest

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_key(key: str) -> str:
    """What a server answers to `Sec-WebSocket-Key`, so that the client knows it was understood."""
    # SHA-1 is the protocol's; it keeps no secret here.
    digest = hashlib.sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def check_opening(request: Request) -> str:
    """Check the request that opens a WebSocket; gives the value for `Sec-WebSocket-Accept`.

    Raises:
        BadRequest: It is not such a request; its code is `not-a-websocket`.
    """
    headers = request.headers
    connection = {word.strip().lower() for word in headers.get("connection", "").split(",")}
    key = headers.get("sec-websocket-key", "")
    checks = (
        ("method", request.method == "GET", request.method),
        ("version", request.version == "1.1", request.version),
        ("upgrade", headers.get("upgrade", "").lower() == "websocket", headers.get("upgrade")),
        ("connection", "upgrade" in connection, headers.get("connection")),
        (
            "sec-websocket-version",
            headers.get("sec-websocket-version") == "13",
            headers.get("sec-websocket-version"),
        ),
        ("sec-websocket-key", _is_key(key), "not 16 bytes in base64"),
    )
    for field, holds, found in checks:
        if not holds:
            raise BadRequest(
                "This path is a WebSocket of version 13",
                code="not-a-websocket",
                field=field,
                found=found,
            )
    return accept_key(key)


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
