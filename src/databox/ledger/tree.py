"""The Merkle tree over the ledger's lines: its root, and what proves something of it. Pure.

Nothing here holds the lines. Whoever asks gives a function that finds the hash of a complete
subtree; whoever checks needs only the proof and two roots.

Source: RFC 6962, 2.1 (tree, proofs); RFC 9162, 2.1.3.2 and 2.1.4.2 (how proofs are checked).
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

EMPTY = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""

Node = Callable[[int, int], bytes]
"""The hash of a complete subtree by level and index: 2**level leaves from index * 2**level on."""

_BLOCK = 1024
_sha256 = hashlib.sha256


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node from those of its two halves."""
    return _sha256(b"\x01" + left + right).digest()


def peaks(first: int, end: int) -> Iterator[tuple[int, int]]:
    """Level and index of the complete subtrees that leaves [first, end) consist of, biggest first.

    `first` is 0, or where a tree of its own begins within a greater one.
    """
    while first < end:
        level = (end - first).bit_length() - 1
        yield level, first >> level
        first += 1 << level


def root(node: Node, size: int) -> bytes:
    """The root of the tree over the first `size` leaves."""
    return _range(node, 0, size)


def inclusion(node: Node, n: int, size: int) -> list[bytes]:
    """What shows that leaf `n` is in the tree of `size` leaves; log2(size) hashes at most."""
    if not 0 <= n < size:
        raise ValueError(f"leaf {n} is not in a tree of {size}")
    path: list[bytes] = []
    first, end = 0, size
    while end - first > 1:
        middle = first + _left(end - first)
        if n < middle:
            path.append(_range(node, middle, end))
            end = middle
        else:
            path.append(_range(node, first, middle))
            first = middle
    return path[::-1]


def consistency(node: Node, old: int, size: int) -> list[bytes]:
    """What shows that the tree of `size` leaves begins with that of the `old` first ones."""
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {size} does not begin with one of {old}")
    if old in (0, size):
        return []
    path: list[bytes] = []
    first, end, whole = 0, size, True
    while old != end:
        middle = first + _left(end - first)
        if old <= middle:
            path.append(_range(node, middle, end))
            end = middle
        else:
            path.append(_range(node, first, middle))
            first, whole = middle, False
    if not whole:
        path.append(_range(node, first, end))
    return path[::-1]


def includes(leaf: bytes, n: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `path` shows that the leaf with this hash is number `n` of the tree."""
    if not 0 <= n < size:
        return False
    at, last, found = n, size - 1, leaf
    for each in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(each, found)
            at, last = _to_right_child(at, last)
        else:
            found = node_hash(found, each)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def consistent(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` shows that the second tree begins with the first: nothing else was changed."""
    if not 0 <= old <= size:
        return False
    if old == size:
        return not path and old_root == root
    if old == 0:
        return not path and old_root == EMPTY
    # Where the old tree is one complete subtree, its root begins the path and is not told again.
    rest = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not rest:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = rest[0]
    for each in rest[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(each, before), node_hash(each, after)
            at, last = _to_right_child(at, last)
        else:
            after = node_hash(after, each)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == root


class Growing:
    """A tree while its leaves come by; keeps log2(size) hashes and some of the newest leaves."""

    __slots__ = ("_complete", "_newest", "_nodes")

    def __init__(self) -> None:
        self._complete = 0
        self._nodes: dict[int, bytes] = {}
        self._newest: list[bytes] = []

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._complete + len(self._newest)

    def add(self, leaf: bytes) -> None:
        """Take the hash of the next leaf."""
        self._newest.append(leaf)
        if len(self._newest) == _BLOCK:
            self._carry()

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Take the hashes of the next leaves."""
        while leaves:
            room = _BLOCK - len(self._newest)
            self._newest += leaves[:room]
            leaves = leaves[room:]
            if len(self._newest) == _BLOCK:
                self._carry()

    def root(self) -> bytes:
        """The root of what came by."""
        parts = [self._nodes[level] for level in sorted(self._nodes, reverse=True)]
        if self._newest:
            parts.append(root(lambda level, index: _folded(self._newest, level, index),
                              len(self._newest)))  # fmt: skip
        return _joined(parts)

    def _carry(self) -> None:
        level = _BLOCK.bit_length() - 1
        found = folded(self._newest)
        self._complete += _BLOCK
        self._newest = []
        while (left := self._nodes.pop(level, None)) is not None:
            found, level = node_hash(left, found), level + 1
        self._nodes[level] = found


def folded(leaves: Sequence[bytes]) -> bytes:
    """The root of a complete subtree from its leaves; a power of two of them."""
    while len(leaves) > 1:
        pairs = iter(leaves)
        # Written out: a call for each would double the time of a million lines.
        leaves = [
            _sha256(b"\x01" + left + right).digest()
            for left, right in zip(pairs, pairs, strict=True)
        ]
    return leaves[0]


def _folded(leaves: Sequence[bytes], level: int, index: int) -> bytes:
    return folded(leaves[index << level : (index + 1) << level])


def _range(node: Node, first: int, end: int) -> bytes:
    return _joined([node(level, index) for level, index in peaks(first, end)])


def _joined(parts: Iterable[bytes]) -> bytes:
    """The root over subtrees that stand beside each other, each smaller than the one before."""
    found = b""
    for each in reversed(list(parts)):
        found = node_hash(each, found) if found else each
    return found or EMPTY


def _left(size: int) -> int:
    """How many of the leaves stand in the left half: the greatest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _to_right_child(at: int, last: int) -> tuple[int, int]:
    """Go up for as long as the node is the only one of its level at the right edge."""
    while at and not at & 1:
        at, last = at >> 1, last >> 1
    return at, last
