r"""Path patterns of grants and tokens: the language of path-to-regexp 1.7 with its defaults.

`:name` is one segment, `*` any tail, `(a|b)` a choice, `?` `+` `*` after a name or a choice repeat
it, `\` takes the next character as it is; everything else stands for itself. Matching is anchored
at both ends, ignores the case of ASCII letters, and a slash at the end may be there or not.

A token's holder writes patterns too, so a pattern is hostile. It is never turned into a regular
expression: matching moves the *set* of positions reached so far, one bit for each position of the
path, through the steps of the pattern, so its cost is bounded by the lengths alone. Inside a
choice only characters, classes and repetitions are known; anything else is refused.

Source: path-to-regexp 1.7.0, options at their defaults.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from databox.wire.errors import BadRequest

MAX_PATTERN = 256
MAX_PATH = 1024
"""Characters; a longer path matches no pattern."""
MAX_WILDCARDS = 8

_PLAIN = re.compile(r"[^\\:*(]*")
_SPECIAL = re.compile(r"[\\:*(]")
_TOKEN = re.compile(
    r"\\(?P<escaped>.)"
    r"|(?P<prefix>[/.])?"
    r"(?:(?::(?P<name>\w+)(?:\((?P<capture>(?:\\.|[^\\()])+)\))?"
    r"|\((?P<group>(?:\\.|[^\\()])+)\))(?P<modifier>[+*?])?"
    r"|(?P<asterisk>\*))",
    re.ASCII,
)


class BadPattern(BadRequest):
    """The pattern is too long, too involved, or not in the language."""

    code = "bad-pattern"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. `text`: as written."""

    text: str
    literal: bytes | None
    start: bytes
    steps: "tuple[Step, ...]"

    def matches(self, path: str) -> bool:
        """Whether the whole of `path` (no query) fits."""
        if len(path) > MAX_PATH:
            return False
        # Bytes, because lower() of text also folds letters such as the Kelvin sign into ASCII.
        folded = path.encode("utf-8", "surrogatepass").lower()
        if self.literal is not None:
            return folded == self.literal or folded == self.literal + b"/"
        if not folded.startswith(self.start):
            return False
        return _reaches_end(folded, 1 << len(self.start), self.steps)


Marks = Callable[[bytes], int]
"""Gives, for a set of byte values as a 256-byte table, the positions of the path that have them."""
Step = Callable[[int, Marks, int], int]
"""Moves positions: (positions reached as bits, marks, length of the path) -> positions reached."""


@lru_cache(maxsize=256)
def compile_pattern(text: str) -> Pattern:
    """Read a pattern.

    Raises:
        BadPattern: longer than 256 characters, more than 8 wildcards, a control character, or a
            choice that uses more of regular expressions than is known here.
    """
    if len(text) > MAX_PATTERN:
        raise BadPattern("the path pattern is too long", found=f"{len(text)} characters")
    if not text.isprintable():
        raise BadPattern("the path pattern has a control character", found=ascii(text))
    pieces = list(_pieces(text))
    if sum(not isinstance(piece, str) for piece in pieces) > MAX_WILDCARDS:
        raise BadPattern("the path pattern has too many wildcards", found=text)
    # A slash at the end is left out here and allowed again where the match ends.
    if pieces and isinstance(pieces[-1], str):
        pieces[-1] = pieces[-1].removesuffix("/")
    first = pieces[0] if pieces and isinstance(pieces[0], str) else ""
    steps = tuple(
        _literal(_fold(piece)) if isinstance(piece, str) else piece.step()
        for piece in pieces[bool(first) :]
        if piece
    )
    return Pattern(text, None if steps else _fold(first), _fold(first), steps)


def is_plain(text: str) -> bool:
    """Whether a pattern has no wildcard, so that it matches (nearly) itself alone."""
    return _PLAIN.fullmatch(text) is not None


def escape(path: str) -> str:
    """The pattern that matches exactly this path."""
    return _SPECIAL.sub(r"\\\g<0>", path)


@dataclass(frozen=True, slots=True)
class _Wildcard:
    prefix: str
    content: "Step"
    repeat: bool
    optional: bool
    partial: bool

    def step(self) -> Step:
        prefix, content = _literal(_fold(self.prefix)), self.content
        once = _sequence(prefix, content)
        body = _sequence(content, _star(once)) if self.repeat else content
        if self.optional and self.partial:
            return _sequence(prefix, _maybe(body))
        whole = _sequence(prefix, body)
        return _maybe(whole) if self.optional else whole


def _pieces(text: str) -> Iterator[str | _Wildcard]:
    """Split a pattern into literal texts and wildcards, in the order they stand."""
    literal = ""
    index = 0
    for found in _TOKEN.finditer(text):
        literal += text[index : found.start()]
        index = found.end()
        if found["escaped"] is not None:
            literal += found["escaped"]
            continue
        wildcard = _wildcard(found, text[index : index + 1])
        if not wildcard.optional and not wildcard.repeat:
            literal += wildcard.prefix
            wildcard = replace(wildcard, prefix="")
        if literal:
            yield literal
        literal = ""
        yield wildcard
    literal += text[index:]
    if literal:
        yield literal


def _wildcard(found: "re.Match[str]", following: str) -> _Wildcard:
    prefix = found["prefix"] or ""
    written = found["capture"] or found["group"]
    if written:
        content = _choice(written)
    elif found["asterisk"]:
        content = _any_tail
    else:
        content = _run(_table_without(prefix or "/"))
    return _Wildcard(
        prefix=prefix,
        content=content,
        repeat=found["modifier"] in ("+", "*"),
        optional=found["modifier"] in ("?", "*"),
        partial=bool(prefix and following and following != prefix),
    )


def _reaches_end(path: bytes, positions: int, steps: tuple[Step, ...]) -> bool:
    reverse = path[::-1]
    known: dict[bytes, int] = {}

    def marks(table: bytes) -> int:
        if table not in known:
            known[table] = int(reverse.translate(table), 2) if reverse else 0
        return known[table]

    for step in steps:
        positions = step(positions, marks, len(path))
        if not positions:
            return False
    end = 1 << len(path)
    return bool(positions & end or (path.endswith(b"/") and positions & (end >> 1)))


# Steps. Bit i of a set of positions means "the first i bytes are matched".


def _sequence(*steps: Step) -> Step:
    def step(positions: int, marks: Marks, length: int) -> int:
        for each in steps:
            positions = each(positions, marks, length)
        return positions

    return step


def _literal(text: bytes) -> Step:
    tables = tuple(_table_of(bytes([byte])) for byte in text)

    def step(positions: int, marks: Marks, _length: int) -> int:
        for table in tables:
            positions = (positions & marks(table)) << 1
        return positions

    return step


def _one(table: bytes) -> Step:
    def step(positions: int, marks: Marks, _length: int) -> int:
        return (positions & marks(table)) << 1

    return step


def _run(table: bytes) -> Step:
    """One or more bytes of the table."""

    def step(positions: int, marks: Marks, _length: int) -> int:
        allowed = marks(table)
        begins = positions & allowed
        # Adding the lowest begin of a stretch of allowed bits carries through to its end, so the
        # bits that changed, and those that were begins, are exactly the stretch from there on.
        stretch = (((allowed + begins) ^ allowed) | begins) & allowed
        return stretch << 1

    return step


def _any_tail(positions: int, _marks: Marks, length: int) -> int:
    lowest = positions & -positions
    return ((1 << (length + 1)) - 1) & ~(lowest - 1) if positions else 0


def _maybe(inner: Step) -> Step:
    def step(positions: int, marks: Marks, length: int) -> int:
        return positions | inner(positions, marks, length)

    return step


def _star(inner: Step) -> Step:
    """Any number of times. Each turn adds a position or ends it, so `length` bounds the turns."""

    def step(positions: int, marks: Marks, length: int) -> int:
        fresh = reached = positions
        while fresh:
            fresh = inner(fresh, marks, length) & ~reached
            reached |= fresh
        return reached

    return step


# Choices: what may stand between parentheses.

_ATOM = re.compile(
    r"(?:(?P<class>\[\^?(?:\\.|[^\\\]])+\])|\\(?P<escape>.)|(?P<char>[^\\\[\]^|?*+{}]))"
    r"(?P<modifier>[?*+])?\??"
)
_RANGE = re.compile(r"(?:\\(?P<escape>.)|(?P<low>[^\\]))(?:-(?P<high>[^\\\]-]))?")
_DIGITS = b"0123456789"
_WORD = b"abcdefghijklmnopqrstuvwxyz_" + _DIGITS
_BLANK = b" \t\x0b\x0c"
_NOT_DOT = b"\n\r"


def _choice(text: str) -> Step:
    branches = tuple(_branch(part, text) for part in _branches(text))

    def step(positions: int, marks: Marks, length: int) -> int:
        reached = 0
        for branch in branches:
            reached |= branch(positions, marks, length)
        return reached

    return step


def _branches(text: str) -> list[str]:
    """Split at each `|` that is neither escaped nor in a class."""
    parts = re.findall(r"\||(?:\\.|\[(?:\\.|[^\\\]])*\]|[^|\\\[]|\[)+", text)
    branches = [""]
    for part in parts:
        if part == "|":
            branches.append("")
        else:
            branches[-1] += part
    return branches


def _branch(text: str, whole: str) -> Step:
    steps = []
    index = 0
    while index < len(text):
        atom = _ATOM.match(text, index)
        if not atom:
            raise BadPattern("the choice in the path pattern is not understood", found=whole)
        steps.append(_repeated(_atom_table(atom, whole), atom["modifier"]))
        index = atom.end()
    return _sequence(*steps)


def _repeated(table: bytes, modifier: str | None) -> Step:
    match modifier:
        case "?":
            return _maybe(_one(table))
        case "+":
            return _run(table)
        case "*":
            return _maybe(_run(table))
        case _:
            return _one(table)


def _atom_table(atom: "re.Match[str]", whole: str) -> bytes:
    if atom["class"]:
        return _class_table(atom["class"][1:-1], whole)
    if atom["escape"]:
        return _escape_table(atom["escape"], whole)
    if atom["char"] == ".":
        return _table_without_bytes(_NOT_DOT)
    return _table_of(_single(atom["char"], whole))


def _class_table(text: str, whole: str) -> bytes:
    negated = text.startswith("^")
    members = b""
    for item in _RANGE.finditer(text[negated:]):
        if item["escape"]:
            members += _members(_escape_table(item["escape"], whole))
            if item["high"]:
                raise BadPattern("a range in the path pattern is not understood", found=whole)
            continue
        low = _single(item["low"], whole)
        high = _single(item["high"], whole) if item["high"] else low
        if low > high:
            raise BadPattern("a range in the path pattern is backwards", found=whole)
        members += bytes(range(low[0], high[0] + 1))
    return _table_without_bytes(members) if negated else _table_of(members)


def _escape_table(character: str, whole: str) -> bytes:
    known = {"d": _DIGITS, "w": _WORD, "s": _BLANK}
    if character in known:
        return _table_of(known[character])
    if character.lower() in known:
        return _table_without_bytes(known[character.lower()])
    # An escape of these reaches the original's regular expression escaped twice: not what it says.
    if character.isalnum() or character in "=!:$/()":
        raise BadPattern("an escape in the path pattern is not understood", found=whole)
    return _table_of(_single(character, whole))


def _single(character: str, whole: str) -> bytes:
    if not character.isascii():
        raise BadPattern("a choice in the path pattern is ASCII only", found=whole)
    return character.encode()


# Tables: 256 bytes, "1" where a byte value belongs to the set, "0" where it does not.


# Kept, so that a long pattern holds 256 small tables at most and not one for each of its letters.
@lru_cache(maxsize=512)
def _table_of(members: bytes) -> bytes:
    folded = members.lower()
    return bytes(0x31 if value in folded else 0x30 for value in range(256))


def _table_without_bytes(members: bytes) -> bytes:
    folded = members.lower()
    return bytes(0x30 if value in folded else 0x31 for value in range(256))


def _table_without(character: str) -> bytes:
    return _table_without_bytes(character.encode())


def _members(table: bytes) -> bytes:
    return bytes(value for value in range(256) if table[value] == 0x31)


def _fold(text: str) -> bytes:
    return text.encode().lower()
