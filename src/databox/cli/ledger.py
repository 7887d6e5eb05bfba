"""`databox ledger`: check that nobody changed or removed an entry, with or without the box."""

import base64
import binascii
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from databox.cli.client import Client, operator
from databox.ledger.bundle import checkpoint_of, parted, verify_bundle
from databox.ledger.signing import fault, note, read_note
from databox.ledger.tree import consistent
from databox.wire.api import AcceptRequest, ChainReply, Components, Consistency, Verdict
from databox.wire.errors import BadRequest, Conflict, NotFound, Unavailable
from databox.wire.ledger import Checkpoint
from databox.wire.names import STORE_SUFFIX

LEDGER = "ledger"


def verify(home: Path, file: Path | None, key: str | None, older: Path | None) -> int:
    """Check a saved ledger, or let the box check its own and each store its record of accesses.

    `older`: a ledger or checkpoint saved before, with which the one of now must begin. The exit
    code is 1 if anything is not whole.

    Raises:
        NotFound: there is no such file.
        BadRequest: the key is no public key, or the older file has no checkpoint.
    """
    if file is None:
        return _verify_box(Client(operator(home)), key, older)
    verdict = _saved(file, key, older)
    print(sentence(verdict))
    if verdict.ok and key is None:
        print("Without --key this shows that the file is whole, not that it is from your box.")
    return 0 if verdict.ok else 1


def _saved(file: Path, key: str | None, older: Path | None) -> Verdict:
    raw = None if key is None else _key(key)
    before = None if older is None else _checkpoint(older, raw)
    with _opened(file) as lines:
        return verify_bundle(lines, raw, before)


def _verify_box(client: Client, key: str | None, older: Path | None) -> int:
    verdict: Verdict = client.call("verdict")
    print(sentence(verdict))
    problems = [] if verdict.ok else [verdict.problem]
    if verdict.checkpoint is not None:
        raw = base64.b64decode(verdict.checkpoint.key) if key is None else _key(key)
        problems += filter(None, [fault(verdict.checkpoint, raw)])
        if older is not None:
            problems += _since(client, verdict.checkpoint, _checkpoint(older, raw))
    for line in problems[0 if verdict.ok else 1 :]:
        print(f"The ledger is NOT whole: {line}.")
    return 1 if problems + _stores(client) else 0


def _since(client: Client, now: Checkpoint, older: Checkpoint) -> list[str]:
    """What the box cannot prove of the time since an older checkpoint."""
    if problem := fault(older, base64.b64decode(now.key)):
        return [f"of the older one: {problem}"]
    if older.size > now.size:
        return [f"it has {now.size} entries, but had {older.size} before"]
    query = {"from": str(older.size), "to": str(now.size)}
    proof: Consistency = client.call("consistency", query=query)
    roots = [base64.b64decode(each.root) for each in (older, now)]
    path = [base64.b64decode(each) for each in proof.path]
    if not consistent(older.size, roots[0], now.size, roots[1], path):
        return [f"the first {older.size} entries are not those of before: they were rewritten"]
    print(f"It begins with the same {older.size} entries as before.")
    return []


def _stores(client: Client) -> list[str]:
    """Have each store check its own record; those that are not whole."""
    components: Components = client.call("components")
    wrong = []
    for each in components.components:
        if each.kind != "driver":
            continue
        reply: ChainReply = client.call("store.chain", store=each.name + STORE_SUFFIX)
        print(chain_sentence(each.title, reply))
        if not reply.ok:
            wrong.append(each.name)
    return wrong


def chain_sentence(title: str, reply: ChainReply) -> str:
    """What a store found out about its own record, in words."""
    if reply.ok:
        return f"{title}: {reply.records} accesses on record, none changed or removed."
    why = _WHY.get(reply.why, _WHY["other"]) + (f" ({reply.detail})" if reply.detail else "")
    return f"{title}: the record of accesses is NOT whole: {why}."


_WHY = {
    "fewer": "there are fewer than the ledger knows: an older copy was put back, or it was cut",
    "other": "it is not the one that the ledger knows",
    "broken": "somebody changed it",
    "behind": "the ledger knows fewer than it was told: an older copy of the ledger was put back",
}


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except FileNotFoundError as error:
        raise NotFound("there is no such file", found=str(file)) from error


def _checkpoint(file: Path, key: bytes | None) -> Checkpoint:
    """The checkpoint in a file: the last line of a ledger, or one by itself."""
    with _opened(file) as lines:
        text = lines.read()
    found = checkpoint_of(text[text.rstrip().rfind(b"\n") + 1 :])
    if found is None and key is not None:
        with suppress(ValueError):
            found = read_note(text.decode(), key)
    if found is None:
        raise BadRequest(
            "there is no checkpoint of this ledger in the file",
            field="--older",
            found=str(file),
            remedy="Name a saved ledger; for what `ledger checkpoint` printed, say --key too",
        )
    return found


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


def checkpoint(home: Path) -> int:
    """Print a signed checkpoint of now, to be kept somewhere else."""
    found: Checkpoint = Client(operator(home)).call("checkpoint")
    print(note(found), end="")
    return 0


def accept(home: Path, store: str) -> int:
    """Let a store go on with what is there, although it is not what was known."""
    name = store if store.endswith(STORE_SUFFIX) else store + STORE_SUFFIX
    Client(operator(home)).call("accept", AcceptRequest(store=store if store == LEDGER else name))
    print(f"{store} goes on with what is there. It is written in the ledger.")
    return 0


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
