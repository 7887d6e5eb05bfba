"""The ledger as a file to take away, and its check without the box.

One JSON object a line: each entry's exact bytes, and last the checkpoint, which carries beside its
own fields `marks`: the first four bytes of the hash of each entry, in base64. What proves the whole
is the signed root; the marks only name the entry that was changed.

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

    def add(self, leaf: bytes) -> None:
        """The hash of the next entry."""
        if len(self._bytes) < MARKED * _MARK:
            self._bytes += leaf[:_MARK]

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


def verify_bundle(
    lines: Iterable[bytes], public_key: bytes | None, older: Checkpoint | None = None
) -> Verdict:
    """Check a bundle, and name the first thing that is wrong with it.

    `public_key`: the raw Ed25519 key from the recovery sheet; without it the bundle is only
    checked against the key that it names itself. `older`: a checkpoint from before; the bundle
    must begin with what that one signed.
    """
    check = _Check(older)
    try:
        last = check.walk(iter(lines))
        _compare(check, last, public_key)
    except Broken as error:
        return Verdict(ok=False, size=check.size, checkpoint=None, problem=str(error))
    return Verdict(ok=True, size=check.size, checkpoint=_plain(last))


def checkpoint_of(line: bytes) -> Checkpoint | None:
    """The checkpoint in the last line of a bundle, or in one that was saved by itself."""
    try:
        return _plain(msgspec.json.decode(line, type=_LastLine))
    except UNREADABLE:
        pass
    try:
        return msgspec.json.decode(line, type=Checkpoint)
    except UNREADABLE:
        return None


class _Check:
    """The lines of a bundle, walked through."""

    def __init__(self, older: Checkpoint | None) -> None:
        self.marks = Marks()
        self.older = older
        self.older_root: bytes | None = None
        self._walk = Walk()
        self._note_root()

    @property
    def size(self) -> int:
        """Entries that held so far."""
        return self._walk.size

    def root(self) -> bytes:
        """The root over them."""
        return self._walk.root()

    def walk(self, lines: Iterator[bytes]) -> _LastLine:
        """Take every entry; gives the last line."""
        line = next(lines, None)
        if line is None:
            raise Broken("there is nothing in the file")
        for following in lines:
            self._take(line, following, lines)
            line = following
        last = _checkpoint(line)
        if last is None and number_of(line) is not None:
            raise Broken(f"the checkpoint is missing: the file was cut after entry {self.size}")
        if last is None:
            raise Broken("the last line was changed: it is no readable checkpoint")
        return last

    def _take(self, line: bytes, following: bytes, rest: Iterator[bytes]) -> None:
        if len(line) > MAX_LINE:
            raise Broken(f"entry {self.size} was changed: it is too long to be an entry")
        if _checkpoint(line) is not None:
            raise Broken("something follows the checkpoint")
        try:
            self.marks.add(self._walk.step(line.rstrip(b"\r\n")))
        except Missing as error:
            later = any(number_of(each) == self.size for each in (following, *rest))
            if later:
                what = f"entry {self.size} is not in its place: the order was changed"
                raise Broken(what) from error
            raise
        self._note_root()

    def _note_root(self) -> None:
        if self.older is not None and self.older.size == self.size:
            self.older_root = self._walk.root()


def _checkpoint(line: bytes) -> _LastLine | None:
    # An entry is recognized by its first bytes, to spare a million failing attempts.
    if line.startswith(b'{"n":'):
        return None
    try:
        return msgspec.json.decode(line, type=_LastLine)
    except UNREADABLE:
        return None


def _plain(last: _LastLine) -> Checkpoint:
    return Checkpoint(**{name: getattr(last, name) for name in Checkpoint.__struct_fields__})


def _compare(check: _Check, last: _LastLine, public_key: bytes | None) -> None:
    problem = fault(last, public_key)
    if problem:
        raise Broken(problem)
    if last.size > check.size:
        raise Broken(
            f"entries {check.size} to {last.size - 1} are missing:"
            f" the checkpoint counts {last.size}"
        )
    if last.size < check.size:
        raise Broken(f"entry {last.size} and what follows is not covered by the checkpoint")
    different = check.marks.first_difference(last.marks)
    if base64.b64decode(last.root) != check.root():
        raise Broken(_changed(different, check.size))
    if different is not None:
        raise Broken("the marks in the last line were changed; the entries themselves hold")
    if check.older is not None:
        _compare_older(check, check.older, last)


def _changed(different: int | None, size: int) -> str:
    """Which entry was changed, as far as the marks tell."""
    if different is not None:
        return f"entry {different} was changed: its content is not what was signed"
    if size > MARKED:
        return f"an entry was changed: entry {MARKED} or a later one, or all were rewritten"
    return "the entries were written anew: their root is not the one that was signed"


def _compare_older(check: _Check, older: Checkpoint, last: _LastLine) -> None:
    problem = fault(older, base64.b64decode(last.key))
    if problem:
        raise Broken(f"of the older one: {problem}")
    if check.older_root is None:
        raise Broken(
            f"it has {check.size} entries, but had {older.size} before:"
            " its end was cut off, or an older copy was put back"
        )
    if check.older_root != base64.b64decode(older.root):
        raise Broken(f"the first {older.size} entries are not those of before: they were rewritten")
