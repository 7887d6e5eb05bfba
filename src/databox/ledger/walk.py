"""Walks a chain from its first line and names the first one that does not fit. Pure."""

import msgspec

from databox.wire.ledger import START, Entry, next_head


class Broken(Exception):
    """The chain does not hold; the text says where and what, in words."""


class Missing(Broken):
    """A later line stands where the next one should be."""


class Walk:
    """A check in progress. `size`: entries that held so far; `head`: the chain's head after them.

    A line fits if its number is the next one and its head follows from its exact bytes and the
    head before. So a changed byte, a missing line and lines in another order each show at their
    own place; a cut end shows against a checkpoint.
    """

    __slots__ = ("_decoder", "head", "size")

    def __init__(self) -> None:
        self.size = 0
        self.head = START
        self._decoder = msgspec.json.Decoder(Entry)

    def take(self, leaf: bytes, head: bytes) -> Entry:
        """Check the next line and the head that is written beside it.

        Raises:
            Broken: it does not fit.
        """
        entry = self._read(leaf)
        if entry.n > self.size:
            raise Missing(f"entry {self.size} is missing: entry {entry.n} stands in its place")
        if entry.n < self.size:
            raise Broken(f"entry {entry.n} stands again or in the wrong place, at {self.size}")
        follows = next_head(self.head, leaf)
        if follows != head:
            raise Broken(f"entry {self.size} was changed: its content does not fit the chain")
        self.size += 1
        self.head = follows
        return entry

    def _read(self, leaf: bytes) -> Entry:
        try:
            return self._decoder.decode(leaf)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Broken(f"entry {self.size} was changed: it is not readable") from error
