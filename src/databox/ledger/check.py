"""The box's own check of its ledger: every line, the tree, each checkpoint that was kept."""

import base64
from collections.abc import Sequence

from databox.ledger.chain import Ledger, Line
from databox.ledger.signing import fault
from databox.ledger.walk import Broken, Walk
from databox.wire.api import Verdict
from databox.wire.ledger import Checkpoint


def verify(ledger: Ledger) -> Verdict:
    """Check all of it at once."""
    check = Check(ledger)
    for batch in ledger.lines():
        if not check.take(batch):
            break
    return check.verdict()


class Check:
    """A check of the whole ledger that can pause between batches."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._walk = Walk()
        self._kept = ledger.kept_checkpoints()
        self._problem = ""

    def take(self, batch: Sequence[Line]) -> bool:
        """Check the next lines; False once something is wrong."""
        try:
            # In strides that end where a checkpoint was kept.
            while batch:
                end = next(
                    (at for at in range(1, len(batch)) if self._walk.size + at in self._kept),
                    len(batch),
                )
                stride, batch = batch[:end], batch[end:]
                self._walk.stride([line.leaf for line in stride], [line.hash for line in stride])
                if checkpoint := self._kept.pop(self._walk.size, None):
                    self._compare(checkpoint)
        except Broken as error:
            self._problem = str(error)
        return not self._problem

    def verdict(self) -> Verdict:
        """What came out, with a fresh checkpoint if all is well."""
        missing = [size for size in self._kept if size > self._walk.size]
        if not self._problem and missing:
            self._problem = (
                f"entries {self._walk.size} to {max(missing) - 1} are missing:"
                f" a checkpoint counts {max(missing)}"
            )
        if not self._problem and self._walk.root() != self._ledger.root(self._walk.size):
            self._problem = "the tree over the entries is not the one that they make"
        checkpoint = None if self._problem else self._ledger.checkpoint()
        return Verdict(
            ok=not self._problem,
            size=self._walk.size,
            checkpoint=checkpoint,
            problem=self._problem,
        )

    def _compare(self, kept: Checkpoint) -> None:
        if problem := fault(kept, self._ledger.public_key):
            raise Broken(f"{problem} (of {kept.size} entries)")
        if base64.b64decode(kept.root) != self._walk.root():
            raise Broken(f"the first {kept.size} entries are not those that were signed")
