"""A block gives back what went into it, bit by bit, or is refused."""

import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from databox.store.engine.arrays import np
from databox.store.engine.batch import Batch, batch_of, batch_of_columns, joined, merged, settled
from databox.store.engine.codec import Codec, CodecError
from databox.store.engine.points import WHOLE, pack_columns

CODEC = Codec()

times = st.sets(st.integers(-(2**62), 2**62), min_size=1, max_size=60).map(sorted)
floats = st.floats(allow_nan=False, allow_infinity=False)
decimals = st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 6)).map(
    lambda pair: pair[0] / 10 ** pair[1]
)
wholes = st.integers(-WHOLE, WHOLE)
texts = st.one_of(st.text().map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary())
contents = st.one_of(
    st.lists(floats, min_size=60, max_size=60),
    st.lists(decimals, min_size=60, max_size=60),
    st.lists(wholes, min_size=60, max_size=60),
    st.lists(st.one_of(floats, wholes), min_size=60, max_size=60),
    st.lists(st.one_of(texts.filter(len), wholes), min_size=60, max_size=60),
)


def bits(batch: Batch) -> object:
    if batch.documents is not None:
        return batch.documents
    return [
        value if isinstance(value, int) else struct.pack("<d", value)
        for value in map(batch.content, range(len(batch)))
        if not isinstance(value, bytes)
    ]


@given(times, contents)
@example([0, 1, 2], [-0.0, 0.0, 5e-324])
@example([-(2**62), 2**62], [1.7976931348623157e308, -1.7976931348623157e308])
@example([5], [0.1 + 0.2])
@example([0, 1], [WHOLE, -WHOLE])
def test_a_block_gives_back_what_went_into_it(stamps: list[int], data: list[object]) -> None:
    batch = batch_of(stamps, data[: len(stamps)])  # type: ignore[arg-type]
    back = CODEC.decode(CODEC.encode(batch))
    assert back.times.tolist() == stamps
    assert bits(back) == bits(batch)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_block_or_are_refused(blob: bytes) -> None:
    try:
        CODEC.decode(blob)
    except CodecError:
        return


NUMBERS = CODEC.encode(batch_of(list(range(100)), [n / 4 for n in range(100)]))
DOCUMENTS = CODEC.encode(batch_of(list(range(9)), [b'{"a":1}', 1, b'"x"'] * 3))


@given(st.sampled_from([NUMBERS, DOCUMENTS]), st.data())
def test_a_damaged_block_is_refused_or_still_well_formed(block: bytes, data: st.DataObject) -> None:
    changed = bytearray(block)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(block)))
    for each in (bytes(changed), block[:cut]):
        try:
            batch = CODEC.decode(each)
        except CodecError:
            continue
        assert len(batch) == len(batch.texts())
        assert (np.diff(batch.times) > 0).all()


def test_a_block_that_claims_to_be_huge_is_refused_before_memory_is_taken() -> None:
    import zstandard

    pressed = zstandard.ZstdCompressor().compress(bytes(1 << 28))
    column = struct.pack("<Bqq", 8, 0, 0)
    sections = [column, pressed]
    block = struct.pack("<BBI", 1, 0, 1 << 16)
    block += b"".join(struct.pack("<I", len(each)) + each for each in sections)
    with pytest.raises(CodecError):
        CODEC.decode(block)


def test_a_sensor_takes_few_bytes() -> None:
    chance = np.random.default_rng(1)
    stamps = np.arange(4096) * 1000 + chance.integers(-100, 100, 4096)
    values = np.round(20 + np.cumsum(chance.normal(0, 0.05, 4096)), 2)
    block = CODEC.encode(batch_of_columns(stamps.tobytes(), values.tobytes(), b""))
    assert len(block) / 4096 < 2.0


pairs = st.lists(st.tuples(st.integers(0, 50), st.one_of(wholes, floats, texts.filter(len))))


def batch(points: dict[int, object]) -> Batch:
    return batch_of(sorted(points), [points[t] for t in sorted(points)])  # type: ignore[misc]


@given(pairs, pairs)
def test_of_two_batches_the_newer_counts(older: list[object], newer: list[object]) -> None:
    one, other = dict(older), dict(newer)  # type: ignore[call-overload]
    both = merged(batch(one), batch(other))
    expected = batch(one | other)
    assert both.times.tolist() == sorted(one | other)
    assert both.texts() == expected.texts()


@given(st.lists(st.tuples(st.integers(0, 30), st.one_of(wholes, decimals))))
def test_of_columns_in_any_order_the_last_for_a_moment_counts(
    points: list[tuple[int, float]],
) -> None:
    packed = pack_columns([t for t, _ in points], [number for _, number in points])
    assert packed is not None
    found = batch_of_columns(*packed)
    assert bits(found) == bits(batch(dict(points)))  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [WHOLE + 1, -WHOLE - 1, math.inf, math.nan, True, None, "1"])
def test_what_no_column_holds_is_told(number: object) -> None:
    assert pack_columns([1, 2], [1, number]) is None  # type: ignore[list-item]
    assert pack_columns([1], [1, 2]) is None


def test_documents_that_are_numbers_become_numbers() -> None:
    mixed = joined([batch_of([1], [b'"x"']), batch_of([2, 3], [1, 2.5])])
    assert settled(mixed).documents == [b'"x"', b"1", b"2.5"]
    assert settled(mixed.part(1, 3)).documents is None
    assert settled(mixed.part(1, 3)).texts() == [b"1", b"2.5"]
