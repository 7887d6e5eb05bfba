"""Runs from the batches of several series, in order of time and then of series. Pure."""

from collections.abc import Iterator, Sequence

from databox.store.engine.arrays import Ints, np
from databox.store.engine.batch import Batch, joined, taken
from databox.store.engine.points import RUN_BYTES, RUN_POINTS, Position, Run


def runs_of(
    parts: dict[int, list[Batch]], tags: dict[int, str], *, forwards: bool
) -> Iterator[Run]:
    """The runs of batches that ascend in time, by series."""
    if len(parts) == 1:
        ((number, batches),) = parts.items()
        for batch in _gathered(batches if forwards else batches[::-1], forwards=forwards):
            for piece in _pieces(batch if forwards else _reversed(batch)):
                yield _run(piece, (number,), (tags[number],), None)
        return
    numbers = sorted(parts)
    every = [joined(parts[number]) for number in numbers]
    if not every:
        return
    which = np.repeat(np.arange(len(numbers)), list(map(len, every)))
    both = joined(every)
    order = np.lexsort((which, both.times))
    if not forwards:
        order = order[::-1]
    names = tuple(tags[number] for number in numbers)
    at = 0
    ordered, which = taken(both, order), which[order]
    for piece in _pieces(ordered):
        yield _run(piece, tuple(numbers), names, which[at : at + len(piece)])
        at += len(piece)


def _gathered(batches: Sequence[Batch], *, forwards: bool) -> Iterator[Batch]:
    """The same, small ones joined."""
    waiting: list[Batch] = []
    for batch in batches:
        if waiting and sum(map(len, waiting)) + len(batch) > RUN_POINTS:
            yield joined(waiting if forwards else waiting[::-1])
            waiting = []
        waiting.append(batch)
    if waiting:
        yield joined(waiting if forwards else waiting[::-1])


def _pieces(batch: Batch) -> Iterator[Batch]:
    """A batch in pieces that a run may hold."""
    if batch.documents is None:
        for start in range(0, len(batch), RUN_POINTS):
            yield batch.part(start, start + RUN_POINTS)
        return
    start, size = 0, 0
    for place, text in enumerate(batch.documents):
        if place > start and (place - start == RUN_POINTS or size + len(text) > RUN_BYTES):
            yield batch.part(start, place)
            start, size = place, 0
        size += len(text)
    yield batch.part(start, len(batch))


def _reversed(batch: Batch) -> Batch:
    return taken(batch, np.arange(len(batch))[::-1])


def _run(piece: Batch, numbers: tuple[int, ...], tags: tuple[str, ...], which: Ints | None) -> Run:
    whole = b"" if piece.whole is None or not piece.whole.any() else piece.whole.tobytes()
    place = 0 if which is None else int(which[-1])
    return Run(
        tags,
        numbers,
        None if which is None else which.tolist(),
        piece.times,
        piece.values,
        whole,
        piece.documents,
        Position(piece.last, numbers[place]),
    )
