"""The ledger as a file to take away, and its check without the box.

One JSON object a line: each entry's exact bytes, and last the checkpoint, which carries beside its
own fields `marks`: the first four bytes of the head after each entry, in base64. What proves the
whole is the signed head; the marks only name the entry at which the chain breaks.

The box gives it in pages (`paging.py`). A page after which more follows ends with `{"next": N}`,
the number of the entry that the next begins with; the file is the pages without those lines.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator

import msgspec

from databox.ledger.signing import fault
from databox.ledger.walk import UNREADABLE, Broken, Missing, Walk, number_of
from databox.wire.api import Verdict
from databox.wire.ledger import Checkpoint

MAX_LINE = 1024 * 1024
MARKED = 1_000_000
"""Only that many entries have a mark, so that the last line stays below 6 MiB."""
_MARK = 4


class _LastLine(Checkpoint, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The checkpoint, and a mark for each entry."""

    marks: str


class _NextLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ends a page that is not the last."""

    next: int


class Marks:
    """Collects the marks of a bundle while it is written or read."""

    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, head: bytes) -> None:
        """The chain's head after the next entry."""
        if len(self._bytes) < MARKED * _MARK:
            self._bytes += head[:_MARK]

    def text(self) -> str:
        """All marks in base64."""
        return base64.b64encode(self._bytes).decode("ascii")

    def first_difference(self, text: str) -> int | None:
        """The first entry whose mark is not the one in `text`, None if none is."""
        try:
            other = base64.b64decode(text, validate=True)
        except binascii.Error:
            return 0
        for at in range(0, max(len(self._bytes), len(other)), _MARK):
            if self._bytes[at : at + _MARK] != other[at : at + _MARK]:
                return at // _MARK
        return None


def last_line(checkpoint: Checkpoint, marks: Marks) -> bytes:
    """The line after all entries, with its line end."""
    line = _LastLine(**msgspec.structs.asdict(checkpoint), marks=marks.text())
    return msgspec.json.encode(line) + b"\n"


def next_line(number: int) -> bytes:
    """The line, with its line end, that says with which entry the next page begins."""
    return msgspec.json.encode(_NextLine(next=number)) + b"\n"


def parted(page: bytes) -> tuple[bytes, int | None]:
    """What of a page belongs into the file, and where the next begins, None after the last."""
    start = page.rfind(b"\n", 0, -1) + 1
    try:
        return page[:start], msgspec.json.decode(page[start:], type=_NextLine).next
    except UNREADABLE:
        return page, None


def verify_bundle(lines: Iterable[bytes], public_key: bytes | None) -> Verdict:
    """Check a bundle, and name the first thing that is wrong with it.

    `public_key`: the raw Ed25519 key from the recovery sheet; without it the bundle is only
    checked against the key that it names itself.
    """
    walk, marks = Walk(), Marks()
    try:
        last = _walk_entries(walk, marks, iter(lines))
        _compare(walk, marks, last, public_key)
    except Broken as error:
        return Verdict(ok=False, size=walk.size, checkpoint=None, problem=str(error))
    fields = {name: getattr(last, name) for name in Checkpoint.__struct_fields__}
    return Verdict(ok=True, size=walk.size, checkpoint=Checkpoint(**fields))


def _walk_entries(walk: Walk, marks: Marks, lines: Iterator[bytes]) -> _LastLine:
    """Take every entry; gives the last line."""
    line = next(lines, None)
    if line is None:
        raise Broken("there is nothing in the file")
    for following in lines:
        _take(walk, marks, line, following, lines)
        line = following
    last = _checkpoint(line)
    if last is None and number_of(line) is not None:
        raise Broken(f"the checkpoint is missing: the file was cut after entry {walk.size}")
    if last is None:
        raise Broken("the last line was changed: it is no readable checkpoint")
    return last


def _take(walk: Walk, marks: Marks, line: bytes, following: bytes, rest: Iterator[bytes]) -> None:
    if len(line) > MAX_LINE:
        raise Broken(f"entry {walk.size} was changed: it is too long to be an entry")
    if _checkpoint(line) is not None:
        raise Broken("something follows the checkpoint")
    try:
        walk.step(line.rstrip(b"\r\n"))
    except Missing as error:
        later = any(number_of(each) == walk.size for each in (following, *rest))
        if later:
            raise Broken(f"entry {walk.size} is not in its place: the order was changed") from error
        raise
    marks.add(walk.head)


def _checkpoint(line: bytes) -> _LastLine | None:
    # An entry is recognized by its first bytes, to spare a million failing attempts.
    if line.startswith(b'{"n":'):
        return None
    try:
        return msgspec.json.decode(line, type=_LastLine)
    except UNREADABLE:
        return None


def _compare(walk: Walk, marks: Marks, last: _LastLine, public_key: bytes | None) -> None:
    problem = fault(last, public_key)
    if problem:
        raise Broken(problem)
    if last.size > walk.size:
        raise Broken(
            f"entries {walk.size} to {last.size - 1} are missing: the checkpoint counts {last.size}"
        )
    if last.size < walk.size:
        raise Broken(f"entry {last.size} and what follows is not covered by the checkpoint")
    different = marks.first_difference(last.marks)
    if base64.b64decode(last.head) == walk.head:
        if different is not None:
            raise Broken("the marks in the last line were changed; the entries themselves hold")
    elif different is None and walk.size > MARKED:
        raise Broken(f"an entry was changed: entry {MARKED} or a later one, or all were rewritten")
    elif different is None:
        raise Broken("the chain was written anew: its head is not the one that was signed")
    else:
        raise Broken(f"entry {different} was changed: its content does not fit the chain")
