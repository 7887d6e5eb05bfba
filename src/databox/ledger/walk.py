"""Walks a chain from its first line and names the first one that does not fit. Pure."""

import msgspec

from databox.wire.ledger import START, Entry, next_head

# Bytes that are not UTF-8 and very deep nesting come out of the decoder as other kinds of error.
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


class Broken(Exception):
    """The chain does not hold; the text says where and what, in words."""


class Missing(Broken):
    """A later line stands where the next one should be."""


class Walk:
    """A check in progress. `size`: entries that held so far; `head`: the chain's head after them.

    A line fits if its number is the next one, and if its head, where one is known, follows from
    its exact bytes and the head before. So a changed byte, a missing line and lines in another
    order each show at their own place; a cut end shows against a checkpoint.
    """

    __slots__ = ("_decoder", "head", "size")

    def __init__(self) -> None:
        self.size = 0
        self.head = START
        self._decoder = msgspec.json.Decoder(Entry)

    def step(self, leaf: bytes, head: bytes | None = None) -> None:
        """Check the next line, and the head that is written beside it.

        Raises:
            Missing: a later one stands in its place.
            Broken: it does not fit.
        """
        number = self._number(leaf)
        if number > self.size:
            raise Missing(f"entry {self.size} is missing: entry {number} stands in its place")
        if number < self.size:
            raise Broken(
                f"entry {number} stands again or in the wrong place:"
                f" entry {self.size} should stand there"
            )
        follows = next_head(self.head, leaf)
        if head is not None and follows != head:
            raise Broken(f"entry {self.size} was changed: its content does not fit the chain")
        self.size += 1
        self.head = follows

    def _number(self, leaf: bytes) -> int:
        try:
            return self._decoder.decode(leaf).n
        except UNREADABLE as error:
            raise Broken(f"entry {self.size} was changed: it is not readable") from error


def number_of(leaf: bytes) -> int | None:
    """The number that a line claims, None if it is no entry."""
    try:
        return msgspec.json.decode(leaf, type=Entry).n
    except UNREADABLE:
        return None
