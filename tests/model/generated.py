"""What the machine writes and asks: few sources and times, so that everything meets everything."""

import json
from array import array
from collections.abc import Sequence

from hypothesis import strategies as st
from tests.model.disk import Fate, Fault, Kind
from tests.model.plain import HOUR

from databox.store.audit import Record, encode
from databox.store.readings import EARLIEST, LATEST
from databox.store.writes import (
    DeleteItem,
    DeletePoints,
    DeleteSource,
    DeleteValue,
    DropRaw,
    NewColumns,
    NewDocuments,
    NewEndings,
    NewItem,
    NewReading,
    NewState,
    NewValue,
    Write,
)

SOURCES = ("a", "b")
TAGS = ("", '{"room":"hall"}', '{"room":"loft"}')
NAMES = ("k", "k2", "other", "ü")
STATES = (*NAMES, "epoch")
START = 1_500_000_000_000 // HOUR * HOUR
QUARTER = HOUR // 4
ALWAYS = (EARLIEST, LATEST)
ENDS = (EARLIEST, -1, 0, LATEST)
LONGEST = 150
"""Points of one write, in blocks of `sizes.SMALL`; of whole blocks `scale` times as many."""
scale = [1]

sources = st.sampled_from(SOURCES)
tags = st.sampled_from(TAGS)
some_tags = st.sampled_from((None, *TAGS))
near = st.builds(
    lambda quarter, more: START + quarter * QUARTER + more,
    st.integers(0, 24),
    st.sampled_from((0, 0, 1, QUARTER - 1)),
)
times = st.one_of(near, near, near, st.sampled_from(ENDS))
hours = st.integers(-1, 8).map(lambda hour: START + hour * HOUR)
floats = st.one_of(st.sampled_from((0.0, -0.0, 1.0, -2.5, 0.1, 1e15, 5e-324)), st.floats(-1e6, 1e6))
whole = st.sampled_from((0, 1, -1, 7, 2**53, -(2**53), 2**53 + 1, 10**30))
documents = st.one_of(
    st.sampled_from((b"null", b"true", b'"text"', b"[1,2]", b"{}")),
    st.builds(
        lambda a, b: json.dumps({"a": a, "b": b, "note": "n"}).encode(),
        st.integers(-9, 9),
        st.floats(-9, 9),
    ),
    st.integers(1, 300_000).map(lambda size: b'"%b"' % (b"x" * size)),
)
data = st.one_of(documents, st.one_of(floats, whole).map(lambda each: json.dumps(each).encode()))


def _columns(source: str, tags: str, points: Sequence[tuple[int, float]]) -> NewColumns:
    t, values = array("q", [t for t, _ in points]), array("d", [value for _, value in points])
    return NewColumns(source, tags, t.tobytes(), values.tobytes())


def _even(first: int, step: int, count: int, phase: int) -> list[tuple[int, float]]:
    return [(first + step * n, (n * 7 + phase) % 100 / 4) for n in range(count)]


def evenly(source: str, tags: str, first: int, step: int, count: int) -> NewColumns:
    """That many numbers from a time on, `step` ms apart."""
    return _columns(source, tags, _even(first, step, count, 0))


short_columns = st.lists(st.tuples(times, floats), max_size=20)
long_columns = st.builds(
    _even,
    near,
    st.sampled_from((1, 977, QUARTER)),
    st.integers(1, LONGEST).map(lambda count: count * scale[0]),
    st.integers(0, 99),
)
stretches = st.tuples(times, times).map(lambda ends: (min(ends), max(ends)))

points = st.one_of(
    st.builds(NewReading, sources, times, data, tags),
    st.builds(NewReading, sources, times, data, tags),
    st.builds(_columns, sources, tags, short_columns),
    st.builds(_columns, sources, tags, long_columns),
    st.builds(NewDocuments, sources, tags, st.lists(st.tuples(times, documents), max_size=5)),
)
deletes = st.one_of(
    st.builds(
        lambda source, stretch, tags: DeletePoints(source, stretch[0], stretch[1], tags),
        sources,
        stretches,
        some_tags,
    ),
    st.builds(DeleteSource, sources),
)
drops = st.builds(DropRaw, sources, hours)
names = st.sampled_from(NAMES)
others = st.one_of(
    st.builds(NewValue, names, st.binary(max_size=9000), st.sampled_from(("text/plain", "a/b"))),
    st.builds(DeleteValue, names),
    st.builds(NewItem, names, st.binary(min_size=1, max_size=9)),
    st.builds(DeleteItem, names),
    st.builds(NewState, names, st.integers(0, 9)),
    st.builds(NewEndings, st.integers(1, 9), st.tuples(names)),
)
writes: st.SearchStrategy[Write] = st.one_of(points, points, points, deletes, drops, others)
groups = st.lists(writes, min_size=1, max_size=4)
records = st.dictionaries(
    st.builds(
        lambda client, source: encode(Record(client, "", "g", "read", source, "raw", 1)),
        st.sampled_from(("x", "y")),
        sources,
    ),
    st.integers(1, 3),
    max_size=2,
)

fates = st.sampled_from(Fate)
seeds = st.integers(0, 2**32)
_WRITING = (Kind.POWER, Kind.POWER, Kind.WRITE, Kind.FULL, Kind.SYNC, Kind.READ)
faults = st.builds(Fault, st.sampled_from(_WRITING), st.integers(0, 60), st.integers(1, 3))
reading_faults = st.builds(Fault, st.just(Kind.READ), st.integers(0, 20), st.integers(1, 3))
