"""Every access is recorded before its answer leaves, and the ledger hears of it exactly once."""

import asyncio
from pathlib import Path

import msgspec
from tests.conformance.store.running import APP, DRIVER, KEY, Running, running

from databox.store import audit
from databox.store.file import StoreFile
from databox.wire.errors import Unavailable
from databox.wire.ledger import Access, Refused, StoreHead


def records(folder: Path) -> list[tuple[int, audit.Record]]:
    file = StoreFile(folder / "store.db", KEY)
    rows = list(file.reader().chain())
    file.close()
    assert audit.broken_at(rows) is None
    return [each for row in rows for each in audit.unpack(row.blob)]


def sums(store: Running) -> list[tuple[str, str, str, int, int]]:
    return [
        (each.client, each.operation, each.source, each.count, each.items)
        for each in store.ledger
        if isinstance(each, Access)
    ]


def test_each_kind_of_access_leaves_a_record(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path) as store:
            await store.ask("POST", "/load/ts", {"data": 1, "timestamp": 10}, caller=DRIVER)
            await store.ask("POST", "/key/kv", 1, caller=DRIVER)
            await store.ask("GET", "/load/ts/latest")
            await store.ask("GET", "/load/ts/since", {"startTimestamp": 11})
            await store.ask("GET", "/key/kv")
            await store.ask("GET", "/nothing/kv")
            await store.ask("GET", "/load/ts/latest", key="wrong")
            await store.ask("GET", "/status", key="")

    asyncio.run(story())
    assert [(one.client, one.operation, one.source, one.items) for _, one in records(tmp_path)] == [
        (DRIVER, "write", "load", 1),
        (DRIVER, "write", "key", 1),
        (APP, "read", "load", 1),
        (APP, "read", "load", 0),
        (APP, "read", "key", 1),
        (APP, "read", "nothing", 0),
        (APP, "refuse", "GET /load/ts/latest", 1),
    ]


def test_the_head_of_a_long_answer_is_on_the_record(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path) as store:
            many = {"timestamps": [*range(10)], "data": ["x" * 200_000] * 10}
            for first in (0, 100):
                moved = {**many, "timestamps": [first + t for t in range(10)]}
                await store.ask("POST", "/load/ts/columns", moved, caller=DRIVER)
            await store.ask("HEAD", "/load/ts/points", caller=APP)

    asyncio.run(story())
    reads = [each for _, each in records(tmp_path) if each.operation == "read"]
    assert [each.client for each in reads] == [APP]


def test_an_answer_that_was_received_is_on_the_disk(tmp_path: Path) -> None:
    """A copy of the files, taken when the answer came, already has the record."""

    async def story() -> None:
        async with running(tmp_path / "store") as store:
            await store.ask("POST", "/load/ts", {"data": 1}, caller=DRIVER)
            await store.ask("GET", "/load/ts/latest")
            for each in store.folder.glob("store.db*"):
                (copy / each.name).write_bytes(each.read_bytes())

    copy = tmp_path / "copy"
    (tmp_path / "store").mkdir()
    copy.mkdir()
    asyncio.run(story())
    assert [one.operation for _, one in records(copy)] == ["write", "read"]


def test_the_ledger_hears_one_line_a_kind_and_the_head(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path) as store:
            for t in range(3):
                await store.ask("POST", "/load/ts", {"data": 1, "timestamp": t}, caller=DRIVER)
                await store.ask("GET", "/load/ts/latest")
            await store.ask("GET", "/load/ts/latest", caveats=["granularity >= PT1M"])
            await store.store.report()
            assert sums(store) == [
                (DRIVER, "write", "load", 3, 3),
                (APP, "read", "load", 3, 3),
                (APP, "read", "load", 1, 0),
            ]
            head = store.ledger[-1]
            assert isinstance(head, StoreHead)
            assert head.records == 7
            await store.store.report()
            assert store.ledger[-1] is head

    asyncio.run(story())


def test_what_the_ledger_missed_is_told_later_and_once(tmp_path: Path) -> None:
    async def first() -> None:
        async with running(tmp_path) as store:
            store.ledger_is_away = True
            await store.ask("POST", "/load/ts", {"data": 1}, caller=DRIVER)
            await store.store.report()
            await store.ask("GET", "/load/ts/latest")

    async def second() -> None:
        async with running(tmp_path) as store:
            await store.store.report()
            heads = [each for each in store.ledger if isinstance(each, StoreHead)]
            assert sums(store) == [(DRIVER, "write", "load", 1, 1), (APP, "read", "load", 1, 1)]
            # The batch that was settled before the ledger was lost is sent as it was.
            assert [each.records for each in heads] == [1, 2]

    asyncio.run(first())
    asyncio.run(second())


def test_a_batch_whose_answer_was_lost_is_sent_again_the_same(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path) as store:
            real = store._send
            lost = []

            async def deaf(events: tuple[object, ...]) -> None:
                lost.append(events)
                raise Unavailable("the answer was lost")

            store.store._reporter._send = deaf
            await store.ask("POST", "/load/ts", {"data": 1}, caller=DRIVER)
            await store.store.report()
            await store.ask("POST", "/load/ts", {"data": 2}, caller=DRIVER)
            await store.store.report()
            store.store._reporter._send = real
            await store.store.report()
            assert lost[0] == lost[1]
            assert tuple(store.ledger[: len(lost[0])]) == lost[0]
            assert sums(store) == [(DRIVER, "write", "load", 1, 1), (DRIVER, "write", "load", 1, 1)]

    asyncio.run(story())


def test_refusals_without_end_are_counted_not_stored_one_by_one(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path) as store:
            for _ in range(50):
                assert (await store.ask("GET", "/load/ts/latest", key="wrong")).status == 401

    asyncio.run(story())
    found = [one for _, one in records(tmp_path)]
    assert [one.items for one in found] == [1, 49]


def test_the_last_words_are_told_before_the_store_stops(tmp_path: Path) -> None:
    stores: list[Running] = []

    async def story() -> None:
        async with running(tmp_path) as store:
            stores.append(store)
            await store.ask("POST", "/load/ts", {"data": 1}, caller=DRIVER)
            await store.ask("GET", "/x/kv", key="wrong")

    asyncio.run(story())
    kinds = [type(event) for event in stores[0].ledger]
    assert kinds == [Access, Refused, StoreHead]


def test_a_label_comes_from_the_drivers_own_words(tmp_path: Path) -> None:
    pairs = {
        "urn:X-hypercat:rels:hasDescription:en": "CPU \n load" + "x" * 200,
        "urn:X-hypercat:rels:isContentType": "text/json",
        "urn:X-databox:rels:hasVendor": "Databox",
        "urn:X-databox:rels:hasType": "loadavg1",
        "urn:X-databox:rels:hasDatasourceid": "load",
        "urn:X-databox:rels:hasStoreType": "store-json",
    }
    item = {
        "item-metadata": [{"rel": rel, "val": val} for rel, val in pairs.items()],
        "href": "https://hue-store:443/load",
    }

    async def story() -> None:
        async with running(tmp_path) as store:
            await store.ask("POST", "/cat", item, caller=DRIVER)
            await store.ask("POST", "/load/ts", 1, caller=DRIVER)
            await store.store.report()
            labels = {each.label for each in store.ledger if isinstance(each, Access)}
            assert labels == {("CPU  load" + "x" * 200)[:80]}
            assert msgspec.json.encode(store.ledger)

    asyncio.run(story())
