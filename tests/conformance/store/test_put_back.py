"""A store whose file was put back or changed: it says so, and waits for the owner."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import msgspec
import pytest
from tests.conformance.store.running import APP, DRIVER, KEY, Running, running, token

from databox.kit.database import open_again
from databox.store import service, witness
from databox.store.audit import ROWS_A_PACK, next_head
from databox.store.file import PackAudit, StoreFile
from databox.store.reporting import REPORTED
from databox.wire import api
from databox.wire.ledger import Discrepancy, StoreHead


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ACCEPTED", 0.02)


async def used(folder: Path, times: int, known: api.KnownHead | None = None) -> api.KnownHead:
    """Write that often; what the ledger knows afterwards."""
    async with running(folder, known=known) as store:
        for number in range(times):
            written = await store.ask("POST", "/load/ts", {"data": number}, caller=DRIVER)
            assert written.status == 200
        await store.store.report()
        head = store.ledger[-1]
    assert isinstance(head, StoreHead)
    return api.KnownHead(head=head.head, records=head.records)


def copied(folder: Path, to: Path) -> None:
    to.mkdir()
    for each in folder.glob("store.db*"):
        shutil.copy(each, to / each.name)


def put_back(folder: Path, copy: Path) -> None:
    for each in folder.glob("store.db*"):
        each.unlink()
    for each in copy.iterdir():
        shutil.copy(each, folder / each.name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a store of which the ledger knows five accesses, put back to three of them."""
    folder = tmp_path / "store"
    folder.mkdir()
    asyncio.run(used(folder, 3))
    copied(folder, tmp_path / "copy")
    known = asyncio.run(used(folder, 2))
    (tmp_path / "known").write_bytes(msgspec.json.encode(known))
    put_back(folder, tmp_path / "copy")
    return folder


def known(folder: Path) -> api.KnownHead:
    return msgspec.json.decode((folder.parent / "known").read_bytes(), type=api.KnownHead)


async def told(store: Running) -> Discrepancy:
    """What the store tells the ledger without being asked."""
    async with asyncio.timeout(5):
        while not store.ledger:
            await asyncio.sleep(0.01)
    found = store.ledger[0]
    assert isinstance(found, Discrepancy)
    return found


def test_the_control_a_store_that_was_not_put_back_serves(tmp_path: Path) -> None:
    async def story() -> None:
        first = await used(tmp_path, 3)
        again = await used(tmp_path, 2, first)
        assert (first.records, again.records) == (3, 5)

    asyncio.run(story())


def test_an_older_copy_is_told_and_nothing_is_given_out(folder: Path) -> None:
    async def story() -> None:
        async with running(folder, known=known(folder)) as store:
            for caller, method in ((APP, "GET"), (DRIVER, "POST")):
                path = "/load/ts/latest" if method == "GET" else "/load/ts"
                answer = await store.ask(method, path, {"data": 1}, caller=caller)
                assert answer.status == 503
                assert b"an older copy was put back" in answer.body
            assert (await store.ask("GET", "/status", key="")).body == b"standby"
            found = await told(store)
        assert (found.why, found.known, found.found) == ("fewer", 5, 3)
        assert all(isinstance(each, Discrepancy) for each in store.ledger)

    asyncio.run(story())


def test_without_what_the_ledger_knows_nobody_would_notice(folder: Path) -> None:
    asyncio.run(used(folder, 1))


def test_once_the_owner_accepts_it_serves_again(folder: Path) -> None:
    async def story() -> None:
        async with running(folder, known=known(folder)) as store:
            found = await told(store)
            store.known = api.KnownHead(head=found.found_head, records=found.found)
            async with asyncio.timeout(5):
                while (await store.ask("GET", "/load/ts/latest")).status != 200:
                    await asyncio.sleep(0.01)

    asyncio.run(story())


def test_a_copy_that_went_on_by_itself_is_another_one(folder: Path) -> None:
    async def story() -> None:
        await used(folder, 4)
        async with running(folder, known=known(folder)) as store:
            found = await told(store)
        assert (found.why, found.known, found.found) == ("other", 5, 7)

    asyncio.run(story())


def test_a_ledger_that_was_put_back_is_told_and_the_store_serves(tmp_path: Path) -> None:
    async def story() -> None:
        first = await used(tmp_path, 3)
        await used(tmp_path, 2, first)
        async with running(tmp_path, known=first) as store:
            assert (await store.ask("GET", "/load/ts/latest")).status == 200
            found = await told(store)
        assert (found.why, found.known, found.found) == ("behind", 3, 5)

    asyncio.run(story())


def changed(folder: Path, change: Callable[[apsw.Connection], object]) -> None:
    """By somebody who has the file and its key."""
    StoreFile(folder / "store.db", KEY).close()
    connection = open_again(folder / "store.db", KEY)
    change(connection)
    connection.close()


def owner() -> str:
    caveats = ("user = Ada", "role = owner")
    return token("gateway", "GET", "/chain", *caveats, grant="user")


async def asked(store: Running) -> api.ChainReply:
    answer = await store.ask("GET", "/chain", caller="gateway", key=owner())
    assert answer.status == 200, answer.body
    return msgspec.json.decode(answer.body, type=api.ChainReply)


BLOB = b'[[1,["graph","","g1","read","load","raw",0,0,null,null]]]'


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET blob = CAST(replace(blob, 'hue', 'hug') AS BLOB) WHERE n = 3",
        "DELETE FROM audit WHERE n = 3",
        "UPDATE audit SET n = -n WHERE n IN (3, 4); UPDATE audit SET n = 7 + n WHERE n < 0",
        "UPDATE audit SET total = total + 1 WHERE n = 3",
    ],
    ids=["changed", "removed", "reordered", "miscounted"],
)
def test_a_chain_that_somebody_changed_is_told(tmp_path: Path, statement: str) -> None:
    async def story() -> None:
        first = await used(tmp_path, 5)
        changed(tmp_path, lambda connection: connection.execute(statement))
        async with running(tmp_path, known=first) as store:
            reply = await asked(store)
            assert (reply.ok, reply.why) == (False, "broken")
            assert reply.detail in ("row 3", "row 4")
            assert any(isinstance(each, Discrepancy) for each in store.ledger)

    asyncio.run(story())


def test_the_control_a_chain_that_nobody_changed_holds(tmp_path: Path) -> None:
    async def story() -> None:
        first = await used(tmp_path, 5)
        async with running(tmp_path, known=first) as store:
            assert await asked(store) == api.ChainReply(ok=True, records=5)

    asyncio.run(story())


def test_only_the_owner_asks_for_the_check(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path) as store:
            shown = token(APP, "GET", "/chain")
            assert (await store.ask("GET", "/chain", key=shown)).status == 403
            assert (await store.ask("GET", "/chain", key="")).status == 401

    asyncio.run(story())


def test_a_chain_cut_and_written_anew_is_another_one(tmp_path: Path) -> None:
    """Whoever has the key can make a chain that holds, but not one that the ledger knows."""

    def rewrite(connection: apsw.Connection) -> None:
        connection.execute("DELETE FROM audit")
        head = bytes(32)
        for n in range(1, 6):
            head = next_head(head, n, BLOB)
            connection.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?)", (n, n, n, BLOB, head))

    async def story() -> None:
        first = await used(tmp_path, 5)
        changed(tmp_path, rewrite)
        async with running(tmp_path, known=first) as store:
            assert (await told(store)).why == "other"
            assert (await asked(store)).why == "other"

    asyncio.run(story())


def test_a_head_among_pressed_rows_is_found(tmp_path: Path) -> None:
    file = StoreFile(tmp_path / "store.db", KEY)
    heads = []
    for number in range(2 * ROWS_A_PACK + 5):
        file.commit({BLOB[4:-2]: 1}, [], number)
        heads.append(file.reader().newest_access())
    while file.commit({}, [PackAudit(2 * ROWS_A_PACK)], 0)[0]:
        pass
    reader = file.reader()
    for at in (1, ROWS_A_PACK - 1, ROWS_A_PACK, ROWS_A_PACK + 1, 2 * ROWS_A_PACK + 5):
        row = heads[at - 1]
        assert row is not None
        assert reader.head_at(at) == row.head.hex()
    assert reader.head_at(len(heads) + 1) == ""
    walk = witness.Walk(reader)
    while walk.step():
        pass
    assert (walk.broken_at, walk.records) == (None, len(heads))
    assert reader.state(REPORTED) == 0
