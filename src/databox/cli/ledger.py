"""`databox ledger`: check that nobody changed or removed an entry, with or without the box."""

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path

from databox.cli.client import Client, operator
from databox.ledger.bundle import parted, verify_bundle
from databox.wire.api import Verdict
from databox.wire.errors import BadRequest, Conflict, NotFound, Unavailable


def verify(home: Path, file: Path | None, key: str | None) -> int:
    """Check a saved ledger, or let the box check its own. The exit code is 1 if it is not whole.

    Raises:
        NotFound: there is no such file.
        BadRequest: the key is no public key.
    """
    verdict = _saved(file, key) if file else Client(operator(home)).call("verdict")
    print(sentence(verdict))
    if file and verdict.ok and key is None:
        print("Without --key this shows that the file is whole, not that it is from your box.")
    return 0 if verdict.ok else 1


def _saved(file: Path, key: str | None) -> Verdict:
    try:
        with file.open("rb") as lines:
            return verify_bundle(lines, None if key is None else _key(key))
    except FileNotFoundError as error:
        raise NotFound("there is no such file", found=str(file)) from error


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise BadRequest(
            "this is not the public key of a ledger",
            field="--key",
            found=text[:60],
            remedy="Copy the 44 characters from the recovery sheet",
        )
    return key


def sentence(verdict: Verdict) -> str:
    """The verdict in words."""
    if not verdict.ok:
        return f"The ledger is NOT whole: {verdict.problem}."
    signed = f", signed by {verdict.checkpoint.key}" if verdict.checkpoint else ""
    return f"The ledger is whole: {verdict.size} entries, none changed or removed{signed}."


def save(home: Path, file: Path) -> int:
    """Write the whole ledger to a new file, page by page.

    Raises:
        Conflict: the file is there already.
        Unavailable: the box's pages do not follow each other.
    """
    client = Client(operator(home))
    try:
        new = file.open("xb")
    except FileExistsError as error:
        raise Conflict("this file is there already", found=str(file)) from error
    try:
        lines = 0
        with new:
            for page in _pages(client):
                new.write(page)
                lines += page.count(b"\n")
    except BaseException:
        # A part of a ledger would be taken for one that was cut.
        file.unlink()
        raise
    print(f"{lines - 1} entries are in {file}.")
    return 0


def _pages(client: Client) -> Iterator[bytes]:
    at: int | None = 0
    while at is not None:
        page, following = parted(client.call("bundle", query={"from": str(at)}))
        yield page
        if following is not None and following <= at:
            raise Unavailable("the pages of the ledger do not follow each other", found=str(at))
        at = following
