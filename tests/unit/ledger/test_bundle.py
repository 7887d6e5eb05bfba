"""An exported ledger: whatever is done to it shows, and the place is named."""

import base64

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from databox.ledger.bundle import Marks, checkpoint_of, last_line, verify_bundle
from databox.ledger.signing import Signer
from databox.ledger.tree import Growing
from databox.wire.ledger import Checkpoint, Entry, Lifecycle, leaf_hash

KEY = bytes(range(32))
PUBLIC = Ed25519PrivateKey.from_private_bytes(KEY).public_key().public_bytes_raw()


def leaf(number: int, reason: str = "") -> bytes:
    event = Lifecycle(component="hello", event="crashed", reason=reason)
    return msgspec.json.encode(Entry(n=number, t=1000 + number, by="manager", event=event))


def bundle(size: int, signer: Signer | None = None, changed: int = -1) -> list[bytes]:
    """A sound bundle of `size` entries; entry `changed` says something else."""
    tree, marks, lines = Growing(), Marks(), []
    for number in range(size):
        line = leaf(number, "rewritten" if number == changed else "")
        marks.add(leaf_hash(line))
        tree.add(leaf_hash(line))
        lines.append(line + b"\n")
    checkpoint = (signer or Signer(KEY)).checkpoint(size, tree.root(), 5000)
    return [*lines, last_line(checkpoint, marks)]


def problem(lines: list[bytes], key: bytes | None = PUBLIC) -> str:
    verdict = verify_bundle(lines, key)
    assert verdict.ok == (not verdict.problem)
    return verdict.problem


@pytest.mark.parametrize("size", [0, 1, 5])
def test_a_sound_bundle_holds(size: int) -> None:
    verdict = verify_bundle(bundle(size), PUBLIC)
    assert verdict.ok
    assert verdict.size == size
    assert verdict.checkpoint is not None
    assert verdict.checkpoint.size == size


def test_the_lines_are_the_entries_themselves() -> None:
    lines = bundle(2)
    assert lines[:2] == [leaf(0) + b"\n", leaf(1) + b"\n"]
    assert msgspec.json.decode(lines[2])["size"] == 2


def test_a_removed_entry_is_named() -> None:
    lines = bundle(5)
    assert problem(lines[:2] + lines[3:]) == "entry 2 is missing: entry 3 stands in its place"


def test_two_entries_in_another_order_are_named() -> None:
    lines = bundle(5)
    lines[1], lines[3] = lines[3], lines[1]
    assert "entry 1 is not in its place" in problem(lines)


def test_an_entry_that_stands_twice_is_named() -> None:
    lines = bundle(5)
    assert "entry 2 stands again" in problem([*lines[:3], *lines[2:]])


def test_a_cut_end_is_named() -> None:
    lines = bundle(5)
    assert "entries 3 to 4 are missing" in problem([*lines[:3], lines[5]])


def test_a_missing_checkpoint_is_named() -> None:
    assert "cut after entry 4" in problem(bundle(5)[:-1])


def test_entries_after_the_checkpoint_are_refused() -> None:
    lines = bundle(5)
    assert "follows the checkpoint" in problem([*lines, lines[0]])


def test_entries_written_anew_do_not_fit_the_signature() -> None:
    lines = bundle(5, changed=2)
    assert "entry 2 was changed" in problem([*lines[:-1], bundle(5)[-1]])
    new_marks = msgspec.json.decode(lines[-1])["marks"]
    signed = msgspec.json.decode(bundle(5)[-1]) | {"marks": new_marks}
    assert "written anew" in problem([*lines[:-1], msgspec.json.encode(signed)])


def test_a_bundle_signed_by_another_key_is_refused() -> None:
    lines = bundle(5, Signer(bytes(32)), changed=2)
    assert "another key" in problem(lines)
    assert problem(lines, key=None) == ""


def test_an_entry_with_a_lower_number_is_named_by_its_place() -> None:
    lines = bundle(5)
    lines[1] = lines[1].replace(b'{"n":1', b'{"n":0')
    assert "entry 1 should stand there" in problem(lines)


def test_beyond_the_marks_a_change_is_found_and_its_place_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("databox.ledger.bundle.MARKED", 3)
    assert problem(bundle(5)) == ""
    changed, last = bundle(5, changed=4)[:-1], bundle(5)[-1]
    assert "entry 3 or a later one" in problem([*changed, last])


@given(number=st.integers(0, 5), data=st.data())
def test_a_flipped_bit_is_found_wherever_it_is(number: int, data: st.DataObject) -> None:
    lines = bundle(5)
    line = bytearray(lines[number][:-1])
    at = data.draw(st.integers(0, len(line) - 1))
    line[at] ^= 1 << data.draw(st.integers(0, 7))
    lines[number] = bytes(line) + b"\n"
    if number == 5 and _same_checkpoint(lines[5]):
        return
    found = problem(lines)
    assert found
    if number < 5:
        assert f"entry {number}" in found


def before(size: int, changed: int = -1) -> Checkpoint:
    checkpoint = checkpoint_of(bundle(size, changed=changed)[-1])
    assert checkpoint is not None
    return checkpoint


@pytest.mark.parametrize("size", [0, 1, 3, 5])
def test_a_bundle_that_begins_with_an_older_one_holds(size: int) -> None:
    assert verify_bundle(bundle(5), PUBLIC, before(size)).problem == ""


def test_a_bundle_that_rewrote_what_was_before_is_named() -> None:
    found = verify_bundle(bundle(5, changed=1), PUBLIC, before(3)).problem
    assert found == "the first 3 entries are not those of before: they were rewritten"


def test_a_bundle_with_fewer_entries_than_before_is_named() -> None:
    found = verify_bundle(bundle(3), PUBLIC, before(5)).problem
    assert found.startswith("it has 3 entries, but had 5 before")


def test_an_older_checkpoint_of_another_key_says_nothing() -> None:
    older = checkpoint_of(bundle(3, Signer(bytes(32)))[-1])
    found = verify_bundle(bundle(5), PUBLIC, older).problem
    assert found == "of the older one: the checkpoint is signed by another key than this box's"


def _same_checkpoint(line: bytes) -> bool:
    """Base64 has spare bits: some flips leave the same signature or key."""
    try:
        fields = msgspec.json.decode(line)["checkpoint"]
        good = msgspec.json.decode(bundle(5)[5])["checkpoint"]
        return fields.keys() == good.keys() and all(
            _meaning(fields[name]) == _meaning(good[name]) for name in good
        )
    except (msgspec.DecodeError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _meaning(value: object) -> object:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


@given(st.permutations(range(6)))
def test_any_reordering_is_found(order: list[int]) -> None:
    lines = bundle(5)
    assert (problem([lines[number] for number in order]) == "") == (order == [0, 1, 2, 3, 4, 5])


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_arbitrary_lines_never_pass(lines: list[bytes]) -> None:
    assert problem(lines)


def test_the_offline_check_needs_no_database() -> None:
    import subprocess
    import sys

    code = "import sys, databox.ledger.bundle; sys.exit('apsw' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
