"""The newest reading is right whatever comes late, or while it is looked up."""

import asyncio
from collections.abc import Callable

from databox.kit.guard import Verified
from databox.store import latest
from databox.store.latest import Latest
from databox.store.readings import Reading
from databox.wire.caveats import Caveats


def reading(t: int, seq: int = 0) -> Reading:
    return Reading(t, str(seq).encode(), str(seq))


def load(known: Latest, found: Reading | None, *written: Reading) -> Reading | None:
    """Look up, with these written while it takes."""

    async def find() -> Reading | None:
        for each in written:
            known.written("load", each)
        return found

    return asyncio.run(known.load("load", find))


def test_a_late_reading_alone_is_not_taken_for_the_newest() -> None:
    known = Latest()
    known.written("load", reading(5))
    assert known.get("load") is None


def test_a_later_reading_takes_the_place_and_an_earlier_one_does_not() -> None:
    known = Latest()
    load(known, reading(10, 1))
    known.written("load", reading(9, 2))
    assert known.get("load") == reading(10, 1)
    known.written("load", reading(10, 3))
    assert known.get("load") == reading(10, 3)


def test_what_is_written_during_the_look_up_counts() -> None:
    known = Latest()
    assert load(known, reading(10), reading(11, 1), reading(9, 2)) == reading(11, 1)
    assert known.get("load") == reading(11, 1)


def test_a_first_reading_during_the_look_up_counts() -> None:
    assert load(Latest(), None, reading(3)) == reading(3)
    assert load(Latest(), None) is None


def test_a_prepared_answer_is_used_only_while_its_reading_is_the_newest() -> None:
    known = Latest()
    first = load(known, reading(1))
    assert first is not None
    ada = Verified("graph", "g1", "", "", Caveats())
    bob = Verified("graph", "g1", "", "", Caveats())
    prepared = known.answer("load", first, ada)
    assert known.prepared("load", ada) is prepared
    assert known.prepared("load", bob) is None
    known.written("load", reading(2))
    assert known.prepared("load", ada) is None


def test_memory_is_bounded() -> None:
    known = Latest()
    verified = Verified("graph", "g1", "", "", Caveats())
    for number in range(latest.MOST + 10):
        name = f"source{number}"

        async def find() -> Reading | None:
            return reading(1)

        found = asyncio.run(known.load(name, find))
        assert found is not None
        known.answer(name, found, verified)
    assert len(known._readings) == latest.MOST
    assert len(known._prepared) <= latest.MOST


def test_what_is_forgotten_is_looked_up_again() -> None:
    known = Latest()
    load(known, reading(5))
    known.forget("load")
    assert known.get("load") is None
    assert load(known, reading(3)) == reading(3)


def test_what_was_found_before_a_deletion_is_not_kept() -> None:
    known = Latest()

    async def find() -> Reading | None:
        known.forget("load")
        return reading(5)

    asyncio.run(known.load("load", find))
    assert known.get("load") is None


def overlapping(known: Latest, between: Callable[[], None]) -> Reading | None:
    """Look up twice, so that the first is done only after `between` and the second's beginning.

    Gives what the second, which finds the reading of 1, takes for the newest.
    """

    async def whole() -> Reading | None:
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        second: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def find(until: asyncio.Future[None]) -> Reading | None:
            await until
            return reading(1)

        one = asyncio.create_task(known.load("load", lambda: find(first)))
        await asyncio.sleep(0)
        between()
        other = asyncio.create_task(known.load("load", lambda: find(second)))
        await asyncio.sleep(0)
        first.set_result(None)
        await one
        known.written("load", reading(2))
        second.set_result(None)
        return await other

    return asyncio.run(whole())


def test_what_is_written_counts_when_another_look_up_is_over() -> None:
    known = Latest()
    assert overlapping(known, lambda: known.forget("load")) == reading(2)
    assert known.get("load") == reading(2)


def test_what_was_deleted_before_the_look_up_does_not_count() -> None:
    known = Latest()

    def write_and_delete() -> None:
        known.written("load", reading(9))
        known.forget("load")

    assert overlapping(known, write_and_delete) == reading(2)
