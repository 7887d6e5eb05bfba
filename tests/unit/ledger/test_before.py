"""A ledger of before there was a tree: opened, it has one, and what was wrong with it is told."""

import base64
import hashlib
from pathlib import Path

import apsw
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from databox.kit.clock import FixedClock
from databox.kit.database import open_database, prepare
from databox.ledger import chain
from databox.ledger.chain import Ledger, Wanted
from databox.ledger.check import verify
from databox.ledger.tree import Growing
from databox.wire.ledger import Discrepancy, Entry, Lifecycle, StoreHead, leaf_hash

KEY = bytes(range(32))
SIZE = 40
STORE = "a-store"


@pytest.fixture
def old(tmp_path: Path) -> apsw.Connection:
    """As the version before wrote it: lines, heads, a checkpoint, and what a store told last."""
    connection = open_database(tmp_path / "authority.db", KEY)
    prepare(connection, "ledger", chain._FORMAT[:3])
    head = bytes(32)
    for n in range(SIZE):
        event = StoreHead(store=STORE, head="05", records=5) if n == 7 else crash(n)
        leaf = msgspec.json.encode(Entry(n=n, t=n, by="manager", event=event))
        head = hashlib.sha256(b"\x01" + head + leaf_hash(leaf)).digest()
        connection.execute(
            "INSERT INTO ledger_entry VALUES (?, ?, 'lifecycle', ?, ?)", (n, n, leaf, head)
        )
        if n == SIZE - 2:
            sign(connection, n + 1, head)
    connection.execute("INSERT INTO ledger_head VALUES (?, '05', 7)", (STORE,))
    return connection


def crash(n: int) -> Lifecycle:
    return Lifecycle(component="hello", event="crashed", reason=str(n))


def sign(connection: apsw.Connection, size: int, head: bytes) -> None:
    text = base64.b64encode(head).decode()
    signature = Ed25519PrivateKey.from_private_bytes(KEY).sign(
        f"databox ledger v1\n{size}\n{text}\n9\n".encode()
    )
    connection.execute(
        "INSERT INTO ledger_checkpoint VALUES (?, ?, 9, '', ?)",
        (size, text, base64.b64encode(signature).decode()),
    )


def opened(connection: apsw.Connection) -> Ledger:
    return Ledger(connection, KEY, FixedClock(1000))


def tampered(connection: apsw.Connection, statement: str) -> str:
    """What is written when such a ledger is opened after somebody changed it."""
    connection.execute("DROP TRIGGER ledger_no_removal; DROP TRIGGER ledger_no_change")
    connection.execute(statement)
    connection.execute(
        "CREATE TRIGGER ledger_no_change BEFORE UPDATE ON ledger_entry"
        " BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END"
    )
    (alarm,) = opened(connection).alarms()
    assert isinstance(alarm.event, Discrepancy)
    return alarm.event.detail


def test_it_has_a_tree_and_goes_on(old: apsw.Connection) -> None:
    ledger = opened(old)
    assert ledger.size() == SIZE
    ledger.append("manager", [crash(SIZE)])
    verdict = verify(ledger)
    assert (verdict.ok, verdict.size) == (True, SIZE + 1)
    assert ledger.alarms() == []


def test_its_tree_is_that_of_its_lines(old: apsw.Connection) -> None:
    ledger = opened(old)
    tree = Growing()
    for batch in ledger.lines():
        for line in batch:
            tree.add(leaf_hash(line.leaf))
    assert ledger.root(SIZE) == tree.root()


def test_what_a_store_told_last_is_still_known(old: apsw.Connection) -> None:
    known = opened(old).known_head(STORE)
    assert known is not None
    assert (known.head, known.records) == ("05", 5)


def test_its_lines_cannot_be_changed_afterwards(old: apsw.Connection) -> None:
    opened(old)
    with pytest.raises(apsw.ConstraintError):
        old.execute("UPDATE ledger_entry SET t = 0")


def test_opened_again_it_is_as_it_was(old: apsw.Connection) -> None:
    root = opened(old).root(SIZE)
    again = opened(old)
    assert again.root(SIZE) == root
    assert [entry.n for entry in again.entries(Wanted(before=2))] == [1, 0]


def test_a_line_changed_before_is_told(old: apsw.Connection) -> None:
    statement = (
        "UPDATE ledger_entry SET leaf = CAST(replace(leaf, 'crashed', 'stopped') AS BLOB)"
        " WHERE n = 3"
    )
    assert tampered(old, statement) == "entry 3 was changed before there was a tree"


def test_an_end_cut_before_is_told(old: apsw.Connection) -> None:
    found = tampered(old, "DELETE FROM ledger_entry WHERE n >= 20")
    assert found == "entries 20 to 38 were missing before there was a tree"


def test_a_checkpoint_forged_before_is_told(old: apsw.Connection) -> None:
    found = tampered(old, "UPDATE ledger_checkpoint SET time = 10")
    assert found == "a checkpoint of before the tree is not signed by this box"
