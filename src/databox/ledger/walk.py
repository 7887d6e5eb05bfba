"""Walks the ledger from its first line and names the first one that does not fit. Pure."""

import hashlib
from collections.abc import Sequence

import msgspec

from databox.ledger.tree import Growing
from databox.wire.ledger import Entry, leaf_hash

# Bytes that are not UTF-8 and very deep nesting come out of the decoder as other kinds of error.
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
_sha256 = hashlib.sha256


class Broken(Exception):
    """The ledger does not hold; the text says where and what, in words."""


class Missing(Broken):
    """A later line stands where the next one should be."""


class Walk:
    """A check in progress: `size` entries held so far.

    A line fits if its number is the next one, and if it has the hash that is noted for it, where
    one is. So a changed byte, a missing line and lines in another order each show at their own
    place; that all of it was written anew, or its end cut, shows against a signed root.
    """

    __slots__ = ("_tree", "size")

    def __init__(self) -> None:
        self.size = 0
        self._tree = Growing()

    def step(self, leaf: bytes, noted: bytes | None = None) -> bytes:
        """Check the next line against the hash that is `noted` for it; gives its hash.

        Raises:
            Missing: a later one stands in its place.
            Broken: it does not fit.
        """
        # Its first bytes are enough: to read a million lines whole takes a second longer, and
        # what else is in them is covered by the hash.
        if not leaf.startswith(b'{"n":%d,' % self.size):
            self._blame(leaf)
        found = leaf_hash(leaf)
        if noted is not None and found != noted:
            raise Broken(f"entry {self.size} was changed: it is not what was noted of it")
        self._tree.add(found)
        self.size += 1
        return found

    def stride(self, leaves: Sequence[bytes], noted: Sequence[bytes]) -> None:
        """Check many lines that follow each other; twice as fast as one by one.

        Raises:
            Missing, Broken: as `step`.
        """
        found = [_sha256(b"\x00" + leaf).digest() for leaf in leaves]
        if found == noted and all(
            leaf.startswith(b'{"n":%d,' % n) for n, leaf in enumerate(leaves, self.size)
        ):
            self._tree.extend(found)
            self.size += len(found)
            return
        for leaf, each in zip(leaves, noted, strict=True):
            self.step(leaf, each)

    def root(self) -> bytes:
        """The root of the tree over what held so far."""
        return self._tree.root()

    def _blame(self, leaf: bytes) -> None:
        number = number_of(leaf)
        if number is None or number == self.size:
            raise Broken(f"entry {self.size} was changed: it is not readable")
        if number > self.size:
            raise Missing(f"entry {self.size} is missing: entry {number} stands in its place")
        raise Broken(
            f"entry {number} stands again or in the wrong place:"
            f" entry {self.size} should stand there"
        )


def number_of(leaf: bytes) -> int | None:
    """The number that a line claims, None if it is no entry."""
    try:
        return msgspec.json.decode(leaf, type=Entry).n
    except UNREADABLE:
        return None
