"""The ledger as a file to take away, and its check without the box.

One JSON object a line: `{"head": <base64 head after it>, "leaf": <the entry's exact bytes>}`, and
last `{"checkpoint": …}`. The heads are there to name the line where a chain breaks; what proves
the whole is the signed head of the checkpoint.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator

import msgspec

from databox.ledger.signing import fault
from databox.ledger.walk import Broken, Missing, Walk
from databox.wire.api import Verdict
from databox.wire.ledger import Checkpoint

MAX_LINE = 1024 * 1024

# Bytes that are not UTF-8 and very deep nesting come out of the decoder as other kinds of error.
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a bundle: an entry with its head, or the checkpoint."""

    head: str = ""
    leaf: msgspec.Raw = msgspec.Raw()
    checkpoint: Checkpoint | None = None


def entry_line(leaf: bytes, head: bytes) -> bytes:
    """The line of one entry, with its line end."""
    return b'{"head":"%b","leaf":%b}\n' % (base64.b64encode(head), leaf)


def checkpoint_line(checkpoint: Checkpoint) -> bytes:
    """The last line, with its line end."""
    return b'{"checkpoint":%b}\n' % msgspec.json.encode(checkpoint)


def verify_bundle(lines: Iterable[bytes], public_key: bytes | None) -> Verdict:
    """Check a bundle, and name the first thing that is wrong with it.

    `public_key`: the raw Ed25519 key from the recovery sheet; without it the bundle is only
    checked against the key that it names itself.
    """
    walk = Walk()
    rest = iter(lines)
    try:
        checkpoint = _walk_entries(walk, rest)
        _compare(walk, checkpoint, public_key)
    except Broken as error:
        return Verdict(ok=False, size=walk.size, checkpoint=None, problem=str(error))
    return Verdict(ok=True, size=walk.size, checkpoint=checkpoint)


def _walk_entries(walk: Walk, lines: Iterator[bytes]) -> Checkpoint:
    decoder = msgspec.json.Decoder(_Line)
    for text in lines:
        line = _read(decoder, text, walk.size)
        if line.checkpoint is not None:
            if next(lines, None) is not None:
                raise Broken("something follows the checkpoint")
            return line.checkpoint
        try:
            walk.take(bytes(line.leaf), _bytes(line.head))
        except Missing:
            _tell_reordered(walk.size, lines, decoder)
            raise
    raise Broken(f"the checkpoint is missing: the file was cut after {walk.size} entries")


def _read(decoder: "msgspec.json.Decoder[_Line]", text: bytes, number: int) -> _Line:
    if len(text) > MAX_LINE:
        raise Broken(f"line {number} is too long to be an entry")
    try:
        line = decoder.decode(text)
    except _UNREADABLE as error:
        raise Broken(f"entry {number} was changed: its line is not readable") from error
    if bool(bytes(line.leaf)) == (line.checkpoint is not None):
        raise Broken(f"line {number} is neither an entry nor the checkpoint")
    return line


def _tell_reordered(
    wanted: int, lines: Iterator[bytes], decoder: "msgspec.json.Decoder[_Line]"
) -> None:
    """Say so if the entry that is missing at its place comes later on.

    Raises:
        Broken: it does.
    """
    for text in lines:
        try:
            line = _read(decoder, text, wanted)
        except Broken:
            return
        if _number(line.leaf) == wanted:
            raise Broken(f"entry {wanted} is not in its place: entries were put in another order")


def _number(leaf: msgspec.Raw) -> int | None:
    try:
        return msgspec.json.decode(leaf, type=_Numbered).n
    except _UNREADABLE:
        return None


class _Numbered(msgspec.Struct):
    n: int


def _compare(walk: Walk, checkpoint: Checkpoint, public_key: bytes | None) -> None:
    problem = fault(checkpoint, public_key)
    if problem:
        raise Broken(problem)
    if checkpoint.size > walk.size:
        raise Broken(
            f"entries {walk.size} to {checkpoint.size - 1} are missing:"
            f" the checkpoint counts {checkpoint.size}"
        )
    if checkpoint.size < walk.size:
        raise Broken(f"entry {checkpoint.size} and what follows is not covered by the checkpoint")
    if _bytes(checkpoint.head) != walk.head:
        raise Broken("the chain was written anew: its head is not the one that was signed")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
