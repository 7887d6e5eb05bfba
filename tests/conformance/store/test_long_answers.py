"""Answers longer than memory should hold are sent as they are read, whole and on the record."""

import asyncio
import json
from pathlib import Path

from tests.conformance.store.running import KEY, answer, running

from databox.store.file import NewReading, StoreFile
from databox.wire.errors import DataboxError
from databox.wire.ledger import Access

COUNT = 60_000


def fill(folder: Path) -> None:
    file = StoreFile(folder / "store.db", KEY)
    file.commit({}, [NewReading("load", t, b'{"value":%d}' % t) for t in range(COUNT)], 0)
    file.close()


def test_a_long_answer_is_whole(tmp_path: Path) -> None:
    fill(tmp_path)

    async def story() -> None:
        async with running(tmp_path) as store:
            found = answer(await store.ask("GET", "/load/ts/since", {"startTimestamp": 0}))
            assert [each["data"]["value"] for each in found] == list(range(COUNT))
            await store.store.report()
            lines = [each for each in store.ledger if isinstance(each, Access)]
            assert [(each.items, each.earliest, each.latest) for each in lines] == [
                (COUNT, 0, COUNT - 1)
            ]

    asyncio.run(story())


def test_stopping_access_cuts_a_long_answer(tmp_path: Path) -> None:
    fill(tmp_path)

    async def story() -> None:
        async with running(tmp_path) as store:
            real = store.store._answers.means.read
            reads = 0

            async def read_and_stop(work: object) -> object:
                nonlocal reads
                reads += 1
                if reads == 3:
                    told = {"epoch": 1, "ended": ["g1"]}
                    await store.ask("POST", "/epoch", told, caller="manager", key="")
                return await real(work)  # type: ignore[arg-type]

            store.store._answers.means.read = read_and_stop  # type: ignore[method-assign,assignment]
            try:
                response = await store.ask("GET", "/load/ts/since", {"startTimestamp": 0})
                body = response.body
            except DataboxError:
                body = b"cut"
            assert reads >= 3
            try:
                json.loads(body)
            except ValueError:
                return
            raise AssertionError("the whole answer came")

    asyncio.run(story())
