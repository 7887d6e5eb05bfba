"""The command line's way to the box: the public API, by the operator's session.

The box writes that session and its key to `run/operator.json`, which only its own user can read.
"""

import http.client
import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from databox.cli.proof import Asked, make_proof
from databox.wire import api
from databox.wire.endpoints import BY_NAME, Endpoint, Raw, Right
from databox.wire.errors import DataboxError, Unavailable, from_json

TIMEOUT = 150.0
"""Seconds for one answer: the slowest, an upload, fetches what the package depends on."""


class Operator(msgspec.Struct, frozen=True):
    """What the box left for the command line. `key`: PEM of a P-256 key."""

    address: str
    session: str
    key: str


class NotRunning(Unavailable):
    """No box answers in this home folder, or it is still locked."""


def operator(home: Path) -> Operator:
    """Read the operator's session of the running box.

    Raises:
        NotRunning: there is none, or another user runs the box.
    """
    path = home / "run" / "operator.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Operator)
    except FileNotFoundError as error:
        raise NotRunning(
            "the box is not running, or still waits for its owner",
            field="DATABOX_HOME",
            found=str(home),
            remedy="Start it with `databox up` and sign in once in the browser",
        ) from error
    except PermissionError as error:
        raise NotRunning(
            "this box belongs to another user",
            field="DATABOX_HOME",
            found=str(home),
            remedy="Run this command as the user who started the box",
        ) from error


class Client:
    """Calls endpoints of the table by name. One connection, one call at a time."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        key = load_pem_private_key(operator.key.encode(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "the box writes no other kind"
        self._key = key

    @property
    def address(self) -> str:
        """Where the owner's browser finds the box."""
        return self._operator.address

    def call(
        self,
        endpoint: str,
        message: Any = None,
        /,
        query: dict[str, str] | None = None,
        **args: str,
    ) -> Any:
        """Call the endpoint of this name in the table; the answer has the type that stands there.

        `args` fill the placeholders of its path; `store` says which, where a store answers. Raw
        answers come as bytes.

        Raises:
            DataboxError: what the box said no with.
            NotRunning: nothing answers at its address.
        """
        line = BY_NAME[endpoint]
        path = fill(public_path(line), args)
        headers = {"Content-Type": "application/json"}
        if line.right is not Right.OPEN:
            headers |= self._proof(line.method, path)
        body = msgspec.json.encode(message or api.Nothing()) if line.method == "POST" else b""
        target = f"{path}?{urlencode(query)}" if query else path
        status, answer = exchange(self.address, line.method, target, headers, body)
        if status >= http.client.BAD_REQUEST:
            raise _refusal(status, answer)
        return _decode(line, answer)

    def _proof(self, method: str, path: str) -> dict[str, str]:
        asked = Asked(
            method=method,
            url=self.address + path,
            session=self._operator.session,
            now=int(time.time()),
            identifier=secrets.token_urlsafe(16),
        )
        proof = make_proof(self._key, asked)
        return {"Authorization": f"DPoP {self._operator.session}", "DPoP": proof}


def public_path(endpoint: Endpoint) -> str:
    """Where the gateway has an endpoint."""
    return f"/api/stores/{{store}}{endpoint.path}" if endpoint.service == "store" else endpoint.path


def fill(path: str, args: dict[str, str]) -> str:
    """Put `args` into the placeholders of a path of the table, each as one segment."""
    for name, value in args.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


def exchange(
    address: str, method: str, target: str, headers: dict[str, str], body: bytes
) -> tuple[int, bytes]:
    """Send one request to the box at `address` and give its status and body.

    Raises:
        NotRunning: nothing answers there.
    """
    host = urlsplit(address).netloc
    # `.localhost` names do not resolve in libc: dial the address, send the name.
    connection = http.client.HTTPConnection("127.0.0.1", int(host.rpartition(":")[2]), TIMEOUT)
    try:
        connection.request(method, target, body=body or None, headers={**headers, "Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise NotRunning(
            "the box does not answer",
            field=address,
            found=str(error) or type(error).__name__,
            remedy="Look at `databox doctor`, or start it with `databox up`",
        ) from error
    finally:
        connection.close()


def box_status(address: str) -> api.Status:
    """Ask in which state the box at `address` is; needs no session.

    Raises:
        NotRunning: nothing answers there, or something that is not a box.
    """
    endpoint = BY_NAME["status"]
    status, answer = exchange(address, endpoint.method, endpoint.path, {}, b"")
    try:
        return msgspec.json.decode(answer, type=api.Status)
    except msgspec.DecodeError as error:
        raise NotRunning(
            "something else answers at the address of the box", field=address, found=str(status)
        ) from error


def _refusal(status: int, answer: bytes) -> DataboxError:
    try:
        return from_json(status, msgspec.json.decode(answer))
    except msgspec.DecodeError:
        return from_json(status, None)


def _decode(endpoint: Endpoint, answer: bytes) -> Any:
    if endpoint.reply is Raw:
        return answer
    return msgspec.json.decode(answer or b"{}", type=endpoint.reply)
