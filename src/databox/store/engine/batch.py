"""Points of one series in order of time, as columns: what a block holds. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from databox.store.engine.arrays import Flags, Floats, Ints, np
from databox.store.engine.points import Content, Number, number_of, render


@dataclass(frozen=True, slots=True)
class Batch:
    """Points of one series; the times ascend, none comes twice.

    Numbers are `values`, with `whole` telling which are integers, None if none is. If any point is
    no number, all are `documents`, JSON.
    """

    times: Ints
    values: Floats | None = None
    whole: Flags | None = None
    documents: list[bytes] | None = None

    def __len__(self) -> int:
        return len(self.times)

    @property
    def first(self) -> int:
        """The time of the first point."""
        return int(self.times[0])

    @property
    def last(self) -> int:
        """The time of the last point."""
        return int(self.times[-1])

    @property
    def size(self) -> int:
        """Bytes of data, unpacked."""
        return 8 * len(self) if self.documents is None else sum(map(len, self.documents))

    def part(self, start: int, stop: int) -> "Batch":
        """The points from place `start` up to before `stop`."""
        if start <= 0 and stop >= len(self):
            return self
        cut = slice(max(start, 0), max(stop, 0))
        return Batch(
            self.times[cut],
            None if self.values is None else self.values[cut],
            None if self.whole is None else self.whole[cut],
            None if self.documents is None else self.documents[cut],
        )

    def between(self, first: int, last: int) -> "Batch":
        """The points from `first` to `last`, both inclusive."""
        start = int(np.searchsorted(self.times, first, "left"))
        return self.part(start, int(np.searchsorted(self.times, last, "right")))

    def alone(self) -> "Batch":
        """The same, without keeping a larger batch in memory that this is a part of."""
        if self.times.base is None or len(self.times.base) == len(self):
            return self
        values, whole = self.values, self.whole
        return Batch(
            self.times.copy(),
            None if values is None else values.copy(),
            None if whole is None else whole.copy(),
            self.documents,
        )

    def content(self, place: int) -> Content:
        """What one point holds."""
        if self.documents is not None:
            return self.documents[place]
        assert self.values is not None
        value = float(self.values[place])
        return int(value) if self.whole is not None and self.whole[place] else value

    def texts(self) -> list[bytes]:
        """Each point's data as JSON."""
        if self.documents is not None:
            return self.documents
        return [render(self.content(place)) for place in range(len(self))]


def batch_of(times: Sequence[int], contents: Sequence[Content]) -> Batch:
    """A batch of these points; their times ascend, none comes twice."""
    stamps = np.array(times, np.int64)
    if bytes in set(map(type, contents)):
        texts = [each if isinstance(each, bytes) else render(each) for each in contents]
        return Batch(stamps, documents=texts)
    return _of_numbers(stamps, cast(Sequence[Number], contents))


def _of_numbers(stamps: Ints, numbers: Sequence[Number]) -> Batch:
    values, kinds = np.array(numbers, np.float64), set(map(type, numbers))
    if int not in kinds:
        return Batch(stamps, values)
    if float not in kinds:
        return Batch(stamps, values, np.ones(len(stamps), np.bool_))
    return Batch(stamps, values, np.array([type(each) is int for each in numbers]))


def batch_of_columns(times: bytes, values: bytes, whole: bytes) -> Batch:
    """A batch of columns as they came: in any order, the last of several for one moment counts."""
    stamps = np.frombuffer(times, "<i8")
    numbers = np.frombuffer(values, "<f8")
    flags = np.frombuffer(whole, np.uint8) != 0 if whole else None
    if len(stamps) > 1 and not (stamps[1:] > stamps[:-1]).all():
        order = _last_of_each(stamps)
        stamps, numbers = stamps[order], numbers[order]
        flags = None if flags is None else flags[order]
    return Batch(stamps, numbers, flags if flags is not None and flags.any() else None)


def merged(older: Batch, newer: Batch) -> Batch:
    """The points of both; where both have a moment the newer one counts."""
    if not len(older) or not len(newer):
        return newer if len(newer) else older
    if older.last < newer.first:
        return joined([older, newer])
    if newer.last < older.first:
        return joined([newer, older])
    both = joined([older, newer])
    return taken(both, _last_of_each(both.times))


def joined(batches: Sequence[Batch]) -> Batch:
    """Batches one behind the other; at least one."""
    if len(batches) == 1:
        return batches[0]
    times = np.concatenate([each.times for each in batches])
    if any(each.documents is not None for each in batches):
        return Batch(times, documents=[text for each in batches for text in each.texts()])
    values = np.concatenate([each.values for each in batches if each.values is not None])
    if all(each.whole is None for each in batches):
        return Batch(times, values)
    whole = [
        np.zeros(len(each), np.bool_) if each.whole is None else each.whole for each in batches
    ]
    return Batch(times, values, np.concatenate(whole))


def settled(batch: Batch) -> Batch:
    """The same, as numbers if all of its documents are numbers after all."""
    if batch.documents is None:
        return batch
    numbers: list[Number] = []
    for text in batch.documents:
        number = number_of(text)
        if number is None:
            return batch
        numbers.append(number)
    return _of_numbers(batch.times, numbers)


def _last_of_each(times: Ints) -> Ints:
    """The places of the points in order of time, of several for one moment the last one."""
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    kept: Ints = order[np.append(ordered[1:] != ordered[:-1], True)]
    return kept


def taken(batch: Batch, places: Ints) -> Batch:
    """The points at these places, in that order."""
    return Batch(
        batch.times[places],
        None if batch.values is None else batch.values[places],
        None if batch.whole is None else batch.whole[places],
        None if batch.documents is None else [batch.documents[place] for place in places],
    )
