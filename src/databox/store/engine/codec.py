"""A block as bytes: columns of small differences, byte by byte of the same rank, pressed by zstd.

Times, and numbers that are decimals of a few digits, become integers; what is kept of them is how
far each is from the one before, less the smallest such step. That leaves a byte or two, and bytes
of one rank lie together, so that zstd finds what they share. Numbers that are no short decimals are
treated alike, by the bits of their floating-point form.

Layout, little-endian: `version kind n`, then sections, each with its length. Every section carries
zstd's own checksum.
Source: RFC 8878 (Zstandard).
"""

import struct
from typing import Final

import zstandard

from databox.store.engine.arrays import Floats, Ints, np
from databox.store.engine.batch import Batch

VERSION: Final = 1
MOST_POINTS: Final = 1 << 16
MOST_BYTES: Final = 1 << 26
"""No block holds more; a length beyond these is damage."""
_LEVEL: Final = 1
_DIGITS: Final = 6
_BITS: Final = 255
"""In place of a number of digits: the value's bits themselves."""
_NUMBERS, _DOCUMENTS = 0, 1
_NONE, _ALL, _SOME = 0, 1, 2
_HEAD: Final = struct.Struct("<BBI")
_COLUMN: Final = struct.Struct("<Bqq")
_LENGTH: Final = struct.Struct("<I")


class CodecError(ValueError):
    """These bytes are no block."""


class Codec:
    """Packs and unpacks blocks; one thread at a time."""

    def __init__(self) -> None:
        self._compress = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress
        self._decompress = zstandard.ZstdDecompressor().decompress

    def encode(self, batch: Batch) -> bytes:
        """The bytes of a block with at least one point."""
        kind = _NUMBERS if batch.documents is None else _DOCUMENTS
        sections = [*self._put_ints(batch.times)]
        if batch.documents is not None:
            lengths = np.fromiter(map(len, batch.documents), np.int64, len(batch))
            sections += [*self._put_ints(lengths), self._compress(b"".join(batch.documents))]
        else:
            sections += self._put_numbers(batch)
        parts = [_HEAD.pack(VERSION, kind, len(batch))]
        for section in sections:
            parts += (_LENGTH.pack(len(section)), section)
        return b"".join(parts)

    def decode(self, block: bytes) -> Batch:
        """The points of a block.

        Raises:
            CodecError: these are not the bytes of a block.
        """
        try:
            return self._decode(block)
        except (struct.error, zstandard.ZstdError, IndexError, ValueError) as error:
            raise CodecError(str(error)) from error

    def _decode(self, block: bytes) -> Batch:
        version, kind, n = _HEAD.unpack_from(block)
        if version != VERSION or kind not in (_NUMBERS, _DOCUMENTS) or not 0 < n <= MOST_POINTS:
            raise CodecError("not a block that this version knows")
        sections = _sections(block)
        times = self._take_ints(sections[0], sections[1], n)
        if n > 1 and not (times[1:] > times[:-1]).all():
            raise CodecError("the times do not ascend")
        if kind == _NUMBERS:
            return self._take_numbers(times, sections[2:])
        lengths = self._take_ints(sections[2], sections[3], n)
        return Batch(times, documents=self._take_documents(lengths, sections[4]))

    def _put_numbers(self, batch: Batch) -> list[bytes]:
        values = batch.values
        assert values is not None
        digits = _digits(values)
        ints = values.view(np.int64) if digits == _BITS else _scaled(values, digits)
        whole = batch.whole
        if whole is None or not whole.any():
            flags = bytes([_NONE])
        elif whole.all():
            flags = bytes([_ALL])
        else:
            flags = bytes([_SOME]) + self._compress(np.packbits(whole).tobytes())
        return [bytes([digits]), flags, *self._put_ints(ints)]

    def _take_numbers(self, times: Ints, sections: list[bytes]) -> Batch:
        n, digits, flags = len(times), sections[0][0], sections[1]
        ints = self._take_ints(sections[2], sections[3], n)
        if digits == _BITS:
            values = ints.view(np.float64)
        elif digits <= _DIGITS:
            values = ints / 10.0**digits
        else:
            raise CodecError("unknown number of digits")
        if not np.isfinite(values).all():
            raise CodecError("not a number")
        match flags[0]:
            case 0:
                return Batch(times, values)
            case 1:
                return Batch(times, values, np.ones(n, np.bool_))
        bits = np.frombuffer(self._open(flags[1:], (n + 7) // 8), np.uint8)
        return Batch(times, values, np.unpackbits(bits, count=n).astype(np.bool_))

    def _take_documents(self, lengths: Ints, pressed: bytes) -> list[bytes]:
        if (lengths < 0).any() or (lengths > MOST_BYTES).any():
            raise CodecError("impossible lengths")
        ends = np.cumsum(lengths).tolist()
        text = self._open(pressed, ends[-1])
        return [text[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def _put_ints(self, ints: Ints) -> tuple[bytes, bytes]:
        """A column: its first number, smallest step and width of steps; and the steps."""
        steps = np.diff(ints)
        least = int(steps.min()) if len(steps) else 0
        # The difference of two int64 may need 64 bits without a sign; it wraps to just that.
        above = (steps - least).view(np.uint64)
        width = _width(int(above.max()) if len(above) else 0)
        head = _COLUMN.pack(width, int(ints[0]), least)
        if not width:
            return head, b""
        ranked = above.astype(f"<u{width}").view(np.uint8).reshape(-1, width).T
        return head, self._compress(ranked.tobytes())

    def _take_ints(self, head: bytes, pressed: bytes, n: int) -> Ints:
        width, first, least = _COLUMN.unpack(head)
        found = np.empty(n, np.int64)
        found[0] = first
        if width:
            if width not in (1, 2, 4, 8):
                raise CodecError("impossible width")
            ranked = np.frombuffer(self._open(pressed, width * (n - 1)), np.uint8)
            above = np.ascontiguousarray(ranked.reshape(width, -1).T).view(f"<u{width}")
            found[1:] = above.reshape(-1).astype(np.uint64).view(np.int64) + np.int64(least)
        else:
            found[1:] = least
        return np.cumsum(found)

    def _open(self, pressed: bytes, size: int) -> bytes:
        # The size is looked at before memory of that size is asked for.
        if size > MOST_BYTES or zstandard.frame_content_size(pressed) != size:
            raise CodecError("not as long as it says")
        return self._decompress(pressed) if size else b""


def _sections(block: bytes) -> list[bytes]:
    found, at = [], _HEAD.size
    while at < len(block):
        (length,) = _LENGTH.unpack_from(block, at)
        at += _LENGTH.size
        if length > len(block) - at:
            raise CodecError("cut off")
        found.append(block[at : at + length])
        at += length
    return found


def _width(most: int) -> int:
    """Bytes for numbers up to this; none if all are zero."""
    return next(width for width in (0, 1, 2, 4, 8) if most < 1 << 8 * width)


def _digits(values: Floats) -> int:
    """How many digits behind the point these have at most; `_BITS` if too many."""
    sample = values[:: max(len(values) // 16, 1)]
    for digits in range(_DIGITS + 1):
        if _fits(sample, digits) and _fits(values, digits):
            return digits
    return _BITS


def _fits(values: Floats, digits: int) -> bool:
    """Whether the values come back bit by bit from integers."""
    # The comparison of bits also tells -0.0 from 0.0.
    with np.errstate(over="ignore"):
        if float(np.abs(values).max()) * 10.0**digits >= 2**53:
            return False
    back: Floats = _scaled(values, digits) / 10.0**digits
    return bool((back.view(np.int64) == values.view(np.int64)).all())


def _scaled(values: Floats, digits: int) -> Ints:
    return np.rint(values * 10.0**digits).astype(np.int64)
