"""The form of an object's file: what was written is read, and anything else is found out."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databox.store.objects.files import PART, Content, Draft, Scratch
from databox.store.objects.sealed import HEAD, TAG, Opener, Sealer, file_size, place
from databox.store.objects.stored import CHUNK, Damaged, Stored, chunk_count

NAME, OTHER, SECRET = bytes(range(16)), bytes(16), bytes(range(32))
SCRATCH = Scratch()
SIZES = st.one_of(
    st.integers(0, 100),
    st.integers(-2, 2).map(lambda more: CHUNK + more),
    st.integers(-2, 2).map(lambda more: PART + more),
    st.integers(0, 4 * CHUNK),
)


def content_of(size: int) -> bytes:
    return hashlib.shake_128(b"%d" % size).digest(size)


def seal(content: bytes, pieces: int = 1 << 20, name: bytes = NAME) -> tuple[bytes, Stored]:
    file = bytearray()
    sealer = Sealer(name, SECRET, file.extend)
    for start in range(0, len(content), pieces):
        sealer.update(content[start : start + pieces])
    digest = sealer.finish()
    return bytes(file), Stored(name, SECRET, digest, sealer.size)


def read(folder: Path, stored: Stored, first: int = 0, end: int | None = None) -> bytes:
    end = stored.size if end is None else end
    opened = Content(folder, stored)
    try:
        parts = []
        while first < end:
            parts.append(opened.part(first, end, SCRATCH))
            assert 0 < len(parts[-1]) <= PART
            first += len(parts[-1])
    finally:
        opened.close()
    return b"".join(parts)


def written(folder: Path, file: bytes, stored: Stored) -> Path:
    path = folder / stored.name.hex()
    path.write_bytes(file)
    return path


@settings(max_examples=40, deadline=None)
@given(SIZES, st.sampled_from([1000, 65_536, CHUNK, 700_000]))
def test_a_file_has_its_stated_length_and_digest_however_its_content_came(
    size: int, pieces: int
) -> None:
    content = content_of(size)
    file, stored = seal(content, pieces)
    assert file == seal(content)[0]
    assert len(file) == file_size(size)
    assert stored.digest == hashlib.sha512(content).digest()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(SIZES, st.data())
def test_any_range_gives_exactly_its_bytes(tmp_path: Path, size: int, data: st.DataObject) -> None:
    content = content_of(size)
    file, stored = seal(content)
    written(tmp_path, file, stored)
    first = data.draw(st.integers(0, size))
    end = data.draw(st.integers(first, size))
    assert read(tmp_path, stored, first, end) == content[first:end]


def test_no_stretch_of_the_content_is_in_the_file(tmp_path: Path) -> None:
    content = b"a canary sings in the mine " * 30_000
    file, stored = seal(content)
    assert content[:27] not in file
    assert stored.digest not in file
    assert stored.secret not in file


def test_the_same_content_makes_files_that_have_nothing_in_common(tmp_path: Path) -> None:
    drafts = [Draft(tmp_path, os.urandom(16), None) for _ in range(2)]
    for draft in drafts:
        draft.write(b"the same" * 1000)
    one, other = (draft.finish() for draft in drafts)
    assert one.digest == other.digest
    assert one.secret != other.secret
    first, second = ((tmp_path / each.name.hex()).read_bytes() for each in (one, other))
    assert first[len(HEAD) : len(HEAD) + 64] != second[len(HEAD) : len(HEAD) + 64]


def test_a_shown_object_does_not_show_its_key() -> None:
    assert SECRET.hex() not in repr(seal(b"")[1])
    assert repr(SECRET)[2:20] not in repr(seal(b"")[1])


# Whatever happens to a file, right bytes are given or none.


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(SIZES, st.data())
def test_a_changed_byte_is_found_and_what_is_before_its_chunk_is_right(
    tmp_path: Path, size: int, data: st.DataObject
) -> None:
    content = content_of(size)
    file, stored = seal(content)
    at = data.draw(st.integers(len(HEAD), len(file) - 1))
    changed = bytearray(file)
    changed[at] ^= data.draw(st.integers(1, 255))
    written(tmp_path, bytes(changed), stored)
    number = (at - len(HEAD)) // (CHUNK + TAG)
    before = number * CHUNK
    assert read(tmp_path, stored, 0, before) == content[:before]
    if size:
        with pytest.raises(Damaged, match=f"part {number + 1} of {chunk_count(size)}"):
            read(tmp_path, stored, min(before, size - 1), size)


def chunks(file: bytes) -> list[bytes]:
    return [file[at : at + CHUNK + TAG] for at in range(len(HEAD), len(file), CHUNK + TAG)]


def opens(stored: Stored, number: int, chunk: bytes) -> bool:
    opener = Opener(stored)
    try:
        opener.open(number, chunk, memoryview(bytearray(opener.plain_size(number))))
    except Damaged:
        return False
    return True


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 4), st.data())
def test_a_chunk_opens_in_its_own_place_only(count: int, data: st.DataObject) -> None:
    file, stored = seal(content_of(count * CHUNK))
    one, other = data.draw(st.permutations(range(count)))[:2]
    assert opens(stored, one, chunks(file)[one])
    assert not opens(stored, one, chunks(file)[other])


def test_a_chunk_of_another_object_with_the_same_key_does_not_open() -> None:
    other, _ = seal(content_of(10), name=OTHER)
    _, stored = seal(content_of(10))
    assert not opens(stored, 0, chunks(other)[0])


@pytest.mark.parametrize("size", [CHUNK, CHUNK + 1, 2 * CHUNK])
def test_an_end_that_is_cut_off_is_not_taken_for_the_end(size: int) -> None:
    file, stored = seal(content_of(3 * CHUNK))
    shorter = Stored(stored.name, stored.secret, stored.digest, size)
    last = chunk_count(size) - 1
    assert not opens(shorter, last, chunks(file)[last][: Opener(shorter).sealed_size(last)])


def test_a_last_chunk_does_not_stand_for_one_of_a_longer_object() -> None:
    file, stored = seal(content_of(CHUNK))
    longer = Stored(stored.name, stored.secret, stored.digest, 2 * CHUNK)
    assert not opens(longer, 0, chunks(file)[0])


def test_a_file_of_another_length_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file, stored = seal(content_of(1000))
    for found in (file[:-1], file + b"x"):
        written(tmp_path, found, stored)
        with pytest.raises(Damaged, match="bytes, not"):
            read(tmp_path, stored)


def test_a_file_that_is_not_there_is_named_so(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="not there"):
        read(tmp_path, seal(b"x")[1])


def test_a_file_that_shrinks_while_it_is_read_is_found_out(tmp_path: Path) -> None:
    file, stored = seal(content_of(3 * PART))
    path = written(tmp_path, file, stored)
    opened = Content(tmp_path, stored)
    assert opened.part(0, stored.size, SCRATCH) == content_of(3 * PART)[:PART]
    os.truncate(path, place(2) + 5)
    with pytest.raises(Damaged):
        opened.part(PART, stored.size, SCRATCH)
    opened.close()


# Drafts.


def test_a_draft_is_there_under_its_own_name_only_when_it_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    draft = Draft(folder, NAME, 5)
    draft.write(b"hello")
    assert [each.name for each in folder.iterdir()] == [NAME.hex() + ".part"]
    stored = draft.finish()
    assert [each.name for each in folder.iterdir()] == [NAME.hex()]
    assert read(folder, stored) == b"hello"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / NAME.hex()).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("whole", [False, True])
def test_an_abandoned_draft_leaves_nothing(tmp_path: Path, whole: bool) -> None:
    draft = Draft(tmp_path, NAME, None)
    draft.write(b"hello")
    if whole:
        draft.finish()
    draft.abandon()
    assert list(tmp_path.iterdir()) == []
