"""The stored ledger: what is in it stays, in order, and joins the caller's transaction."""

from pathlib import Path

import apsw
import pytest

from databox.kit.clock import FixedClock
from databox.kit.database import open_database, transaction
from databox.ledger.chain import MAX_LEAF, Ledger, Wanted
from databox.ledger.check import verify
from databox.ledger.known import HOUR
from databox.wire.errors import NotFound, TooLarge
from databox.wire.ledger import (
    Access,
    Consent,
    Discrepancy,
    Event,
    Installed,
    Lifecycle,
    StoreHead,
    Uninstalled,
)

KEY = bytes(range(32))


@pytest.fixture
def connection(tmp_path: Path) -> apsw.Connection:
    return open_database(tmp_path / "authority.db", KEY)


@pytest.fixture
def ledger(connection: apsw.Connection) -> Ledger:
    return Ledger(connection, KEY, FixedClock())


def crash(number: int, component: str = "hello") -> Lifecycle:
    return Lifecycle(component=component, event="crashed", reason=str(number))


def reasons(ledger: Ledger, **wanted: object) -> list[str]:
    entries = ledger.entries(Wanted(**wanted))  # type: ignore[arg-type]
    return [entry.event.reason for entry in entries if isinstance(entry.event, Lifecycle)]


def test_entries_come_back_newest_first(ledger: Ledger) -> None:
    assert ledger.append("manager", [crash(0), crash(1)]) == 1
    assert ledger.append("manager", [crash(2)]) == 2
    assert reasons(ledger) == ["2", "1", "0"]


def test_an_append_is_undone_with_the_transaction_around_it(
    ledger: Ledger, connection: apsw.Connection
) -> None:
    ledger.append("manager", [crash(0)])
    with pytest.raises(RuntimeError), transaction(connection):
        ledger.append("manager", [crash(1)])
        raise RuntimeError
    ledger.append("manager", [crash(2)])
    assert reasons(ledger) == ["2", "0"]
    assert verify(ledger).ok


def test_all_or_none_when_one_is_too_long(ledger: Ledger) -> None:
    long = Consent(component="a", text="x" * MAX_LEAF, choices="", user="")
    with pytest.raises(TooLarge):
        ledger.append("manager", [crash(0), long])
    assert ledger.size() == 0


def test_a_line_can_neither_be_changed_nor_removed_by_our_own_code(
    ledger: Ledger, connection: apsw.Connection
) -> None:
    ledger.append("manager", [crash(0)])
    for wrong in ("DELETE FROM ledger_entry", "UPDATE ledger_entry SET t = 0"):
        with pytest.raises(apsw.ConstraintError):
            connection.execute(wrong)


def test_filters_narrow_by_component_kind_and_time(connection: apsw.Connection) -> None:
    clock = FixedClock(1000)
    ledger = Ledger(connection, KEY, clock)
    ledger.append("manager", [crash(0, "one")])
    clock.advance(1000)
    ledger.append("manager", [crash(1, "two")])
    assert reasons(ledger, component="one") == ["0"]
    assert reasons(ledger, since=2000) == ["1"]
    assert reasons(ledger, until=2000) == ["0"]
    assert reasons(ledger, kind="lifecycle", before=1) == ["0"]
    assert reasons(ledger, kind="login") == []


def test_more_entries_than_one_batch_are_all_found(ledger: Ledger) -> None:
    ledger.append("manager", [crash(number) for number in range(1203)])
    assert len(reasons(ledger)) == 1203
    assert verify(ledger).size == 1203


def access() -> Access:
    return Access(
        store="os-monitor-store", client="graph", user="", source="load", exact="raw",
        operation="read", count=1, items=1, size=10,
    )  # fmt: skip


def test_a_drivers_history_has_the_accesses_to_its_store(ledger: Ledger) -> None:
    ledger.append("os-monitor-store", [access()])
    for name in ("os-monitor", "os-monitor-store", "graph"):
        assert [entry.event for entry in ledger.entries(Wanted(component=name))] == [access()]


def test_a_batch_that_a_store_sends_again_is_written_once(ledger: Ledger) -> None:
    batch: list[Event] = [access(), StoreHead(store="a-store", head="00", records=3)]
    assert ledger.append_from_store("a-store", batch) == 0
    ledger.append("manager", [crash(0)])
    ledger.append_from_store("a-store", batch)
    assert ledger.size() == 2
    ledger.append_from_store(
        "a-store", [access(), StoreHead(store="a-store", head="01", records=4)]
    )
    assert ledger.size() == 3


def heads(ledger: Ledger) -> list[str]:
    return [
        entry.event.head
        for entry in ledger.entries(Wanted(kind="store-head"))
        if isinstance(entry.event, StoreHead)
    ]


def test_a_head_is_known_at_once_and_a_line_when_a_checkpoint_is_signed(ledger: Ledger) -> None:
    for number in range(3):
        told = StoreHead(store="a-store", head=f"{number:02}", records=number)
        ledger.append_from_store("a-store", [told])
    known = ledger.known_head("a-store")
    assert known is not None
    assert (known.head, known.records) == ("02", 2)
    assert heads(ledger) == []
    assert ledger.checkpoint().size == 1
    assert heads(ledger) == ["02"]
    assert ledger.checkpoint().size == 1, "a head that has a line gets no other"


def test_a_head_does_not_wait_longer_than_an_hour_for_its_line(connection: apsw.Connection) -> None:
    clock = FixedClock(1000)
    ledger = Ledger(connection, KEY, clock)
    for number in range(3):
        told = StoreHead(store="a-store", head=f"{number:02}", records=number)
        ledger.append_from_store("a-store", [told])
        clock.advance(HOUR // 2 + 1)
    assert heads(ledger) == ["02"]


def test_a_store_that_goes_back_is_named_and_what_was_known_stays(ledger: Ledger) -> None:
    ledger.append_from_store("a-store", [StoreHead(store="a-store", head="05", records=5)])
    for head, records in (("03", 3), ("06", 5)):
        ledger.append_from_store(
            "a-store", [StoreHead(store="a-store", head=head, records=records)]
        )
        (alarm,) = ledger.alarms()
        assert isinstance(alarm.event, Discrepancy)
        assert (alarm.event.found, alarm.event.found_head) == (records, head)
    known = ledger.known_head("a-store")
    assert known is not None
    assert (known.head, known.records) == ("05", 5)


def differs() -> Discrepancy:
    return Discrepancy(
        store="a-store", why="fewer", known=5, found=3, known_head="05", found_head="03"
    )


def test_the_same_discrepancy_is_written_once(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.append_from_store("a-store", [differs()])
    assert ledger.size() == 1


def test_what_the_owner_accepted_is_what_is_known(ledger: Ledger) -> None:
    ledger.append_from_store("a-store", [StoreHead(store="a-store", head="05", records=5)])
    ledger.append_from_store("a-store", [differs()])
    ledger.accept("a-store", "Ada")
    known = ledger.known_head("a-store")
    assert known is not None
    assert (known.head, known.records) == ("03", 3)
    assert ledger.alarms() == []
    with pytest.raises(NotFound):
        ledger.accept("a-store", "Ada")


def test_a_deleted_store_may_begin_anew_whatever_its_last_words(ledger: Ledger) -> None:
    ledger.append_from_store("a-store", [StoreHead(store="a-store", head="05", records=5)])
    ledger.append("manager", [Uninstalled(component="a", kept=True)])
    assert ledger.known_head("a-store") is not None
    ledger.append("manager", [Uninstalled(component="a", kept=False)])
    ledger.append_from_store("a-store", [StoreHead(store="a-store", head="06", records=6)])
    assert ledger.known_head("a-store") is None
    install = Installed(component="a", kind="driver", title="", version="", package="", signer="")
    ledger.append("manager", [install])
    ledger.append_from_store("a-store", [StoreHead(store="a-store", head="01", records=1)])
    known = ledger.known_head("a-store")
    assert known is not None
    assert (known.head, known.records) == ("01", 1)
    assert ledger.alarms() == []


def test_the_tree_goes_on_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "again.db"
    for number in range(3):
        connection = open_database(path, KEY)
        ledger = Ledger(connection, KEY, FixedClock())
        ledger.append("manager", [crash(number)])
        verdict = verify(ledger)
        connection.close()
        assert (verdict.ok, verdict.size) == (True, number + 1)


def tampered(connection: apsw.Connection, statement: str) -> str:
    """What the check says after somebody with the database's key changed the file."""
    ledger = Ledger(connection, KEY, FixedClock())
    ledger.append("manager", [crash(number) for number in range(5)])
    ledger.checkpoint()
    connection.execute("DROP TRIGGER ledger_no_change; DROP TRIGGER ledger_no_removal")
    connection.execute(statement)
    verdict = verify(ledger)
    assert not verdict.ok
    return verdict.problem


def test_a_changed_line_is_named(connection: apsw.Connection) -> None:
    statement = (
        "UPDATE ledger_entry SET leaf = CAST(replace(leaf, 'crashed', 'stopped') AS BLOB)"
        " WHERE n = 3"
    )
    assert "entry 3 was changed" in tampered(connection, statement)


def test_a_removed_line_is_named(connection: apsw.Connection) -> None:
    assert "entry 2 is missing" in tampered(connection, "DELETE FROM ledger_entry WHERE n = 2")


def test_a_cut_end_is_found_by_the_kept_checkpoint(connection: apsw.Connection) -> None:
    problem = tampered(connection, "DELETE FROM ledger_entry WHERE n >= 3")
    assert "entries 3 to 4 are missing" in problem
