"""The keyring on disk: what opens it, what it gives, what it destroys."""

from pathlib import Path

import pytest

from databox.box.keys import Keyring
from databox.wire.errors import Conflict, DataboxError, Unauthenticated, Unavailable

PASSPHRASE = "four plain words here"


@pytest.fixture
def owned(tmp_path: Path) -> Keyring:
    keys = Keyring(tmp_path)
    keys.set_up(PASSPHRASE, automatic=False)
    return keys


def test_key_is_the_same_after_the_next_start(owned: Keyring, tmp_path: Path) -> None:
    key = owned.key("hue-store.database")
    again = Keyring(tmp_path)
    again.open_by_passphrase(PASSPHRASE)
    assert again.key("hue-store.database") == key


def test_two_keys_differ(owned: Keyring) -> None:
    assert owned.key("a-store.database") != owned.key("b-store.database")


def test_locked_keyring_gives_nothing(owned: Keyring, tmp_path: Path) -> None:
    owned.key("hue-store.database")
    with pytest.raises(Unavailable):
        Keyring(tmp_path).key("hue-store.database")


def test_locked_mode_does_not_open_by_itself(owned: Keyring, tmp_path: Path) -> None:
    assert not Keyring(tmp_path).open_by_itself()


def test_automatic_mode_opens_by_itself(tmp_path: Path) -> None:
    made = Keyring(tmp_path)
    made.set_up(PASSPHRASE, automatic=True)
    key = made.key("ledger")
    again = Keyring(tmp_path)
    assert again.open_by_itself()
    assert again.key("ledger") == key


def test_recovery_code_opens_and_replaces_the_passphrase(tmp_path: Path) -> None:
    code = Keyring(tmp_path).set_up(PASSPHRASE, automatic=False)
    Keyring(tmp_path).open_by_recovery(code, "another one entirely")
    Keyring(tmp_path).open_by_passphrase("another one entirely")
    with pytest.raises(Unauthenticated):
        Keyring(tmp_path).open_by_passphrase(PASSPHRASE)


def test_new_recovery_code_opens_and_the_old_one_does_not(tmp_path: Path) -> None:
    keys = Keyring(tmp_path)
    old = keys.set_up(PASSPHRASE, automatic=False)
    new = keys.draw_recovery_code(PASSPHRASE)
    keys.set_recovery_code(new)
    with pytest.raises(Unauthenticated):
        Keyring(tmp_path).open_by_recovery(old, "another one entirely")
    Keyring(tmp_path).open_by_recovery(new, "another one entirely")


def test_drawing_a_recovery_code_leaves_the_old_one_good(tmp_path: Path) -> None:
    keys = Keyring(tmp_path)
    old = keys.set_up(PASSPHRASE, automatic=False)
    keys.draw_recovery_code(PASSPHRASE)
    Keyring(tmp_path).open_by_recovery(old, "another one entirely")


def test_new_recovery_code_wants_the_passphrase(owned: Keyring) -> None:
    with pytest.raises(Unauthenticated):
        owned.draw_recovery_code("another one entirely")


def test_locked_keyring_takes_no_recovery_code(owned: Keyring, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        Keyring(tmp_path).set_recovery_code(owned.draw_recovery_code(PASSPHRASE))


def test_set_up_twice_is_refused(owned: Keyring) -> None:
    with pytest.raises(Conflict):
        owned.set_up(PASSPHRASE, automatic=False)


def test_set_up_that_was_cut_short_can_be_done_again(tmp_path: Path) -> None:
    first = Keyring(tmp_path)
    first.set_up(PASSPHRASE, automatic=True)
    (tmp_path / "passphrase").unlink()
    again = Keyring(tmp_path)
    assert not again.has_owner
    assert not again.open_by_itself()
    again.set_up(PASSPHRASE, automatic=False)


def test_forgotten_key_is_gone_from_the_disk(owned: Keyring, tmp_path: Path) -> None:
    key = owned.key("hue-store.database")
    owned.forget("hue-store.database")
    assert not (tmp_path / "hue-store.database").exists()
    assert owned.key("hue-store.database") != key


def test_no_file_holds_a_key_in_the_open(owned: Keyring, tmp_path: Path) -> None:
    key = owned.key("hue-store.database")
    assert [path for path in tmp_path.iterdir() if key in path.read_bytes()] == []


def test_every_key_file_is_closed_to_others(owned: Keyring, tmp_path: Path) -> None:
    owned.key("hue-store.database")
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_flipped_bit_is_noticed(owned: Keyring, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    owned.key("ledger")
    content = path.read_bytes()
    place = content.index(b'"sealed":"') + 12
    changed = b"A" if content[place : place + 1] != b"A" else b"B"
    path.write_bytes(content[:place] + changed + content[place + 1 :])
    with pytest.raises(DataboxError):
        owned.key("ledger")
