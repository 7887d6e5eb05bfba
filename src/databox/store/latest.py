"""The newest reading of each source, and the answers made of it, kept in memory."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from databox.kit.guard import Verified
from databox.kit.http.message import Response
from databox.store import leaving
from databox.store.audit import READ
from databox.store.door import access
from databox.store.readings import Reading, record

MOST = 1024
"""Sources, and answers, that are remembered."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An answer and its record of access, for one token as long as the reading is the newest."""

    verified: Verified
    reading: Reading
    answer: Response
    record: bytes


class Latest:
    """Remembers the newest readings. Of two for one moment the later written is the newer."""

    def __init__(self) -> None:
        self._readings: OrderedDict[str, Reading] = OrderedDict()
        self._meanwhile: dict[str, list[list[Reading]]] = {}
        self._prepared: dict[tuple[int, str], Prepared] = {}
        self._forgotten = 0

    def get(self, source: str) -> Reading | None:
        """The newest reading, None if it is not remembered."""
        return self._readings.get(source)

    def written(self, source: str, reading: Reading) -> None:
        """A reading was written. It may be late, so alone it does not tell which is the newest."""
        known = self._readings.get(source)
        if known is not None:
            self._readings[source] = _newest(known, reading)
        else:
            for each in self._meanwhile.get(source, ()):
                each.append(reading)

    def forget(self, source: str) -> None:
        """Points were deleted, or many were written: what was the newest may be so no more."""
        self._readings.pop(source, None)
        self._forgotten += 1

    async def load(
        self, source: str, find: Callable[[], Awaitable[Reading | None]]
    ) -> Reading | None:
        """Look the newest reading up by `find`, minding what is written while that takes."""
        # One list for each who looks: another may have begun before points were deleted, and may
        # be done while this one still has to mind what is written.
        meanwhile: list[Reading] = []
        looking, forgotten = self._meanwhile.setdefault(source, []), self._forgotten
        looking.append(meanwhile)
        try:
            found = await find()
        finally:
            looking[:] = [each for each in looking if each is not meanwhile]
            if not looking:
                self._meanwhile.pop(source, None)
        known = [each for each in (found, *meanwhile, self._readings.get(source)) if each]
        if not known:
            return None
        newest = _newest(*known)
        if forgotten == self._forgotten:
            self._readings[source] = newest
        if len(self._readings) > MOST:
            self._readings.popitem(last=False)
        return newest

    def prepared(self, source: str, verified: Verified) -> Prepared | None:
        """The answer that this token's holder had before, if there is nothing newer."""
        known = self._prepared.get((id(verified), source))
        if (
            known is not None
            and known.verified is verified
            and known.reading is self._readings.get(source)
        ):
            return known
        return None

    def answer(self, source: str, reading: Reading, verified: Verified) -> Prepared:
        """The answer that gives this reading to this token's holder."""
        # The guard gives the same object while it remembers a token; hashing one would take
        # longer than making the answer.
        key = (id(verified), source)
        known = self._prepared.get(key)
        if known is None or known.reading is not reading or known.verified is not verified:
            if len(self._prepared) >= MOST:
                self._prepared.clear()
            known = self._prepared[key] = prepare(source, reading, verified)
        return known


def prepare(source: str, reading: Reading, verified: Verified) -> Prepared:
    """Make the answer with one reading."""
    t, data = reading.t, leaving.document(reading.data, verified.caveats)
    written = access(verified, READ, source, items=1, size=len(data), earliest=t, latest=t)
    shown = record(source, Reading(t, data, reading.id))
    return Prepared(verified, reading, Response(200, b"[%b]" % shown), written)


def _newest(*in_order: Reading) -> Reading:
    """The newest of readings that were written in this order."""
    return max(reversed(in_order), key=lambda reading: reading.t)
