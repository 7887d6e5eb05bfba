import asyncio

import apsw
import pytest

from databox.export.queue import MOST_BYTES_WAITING, MOST_WAITING, Queue
from databox.export.states import Outcome, State
from databox.export.workers import Workers
from databox.kit.clock import FixedClock
from databox.wire import ledger
from databox.wire.errors import Conflict, Unavailable


class Story:
    """A queue with a destination and a ledger that do as they are told."""

    def __init__(self, *outcomes):
        self.clock = FixedClock()
        self.queue = Queue(apsw.Connection(":memory:"))
        self.outcomes = list(outcomes)
        self.sent = []
        self.written = []
        self.ledger_away = 0
        self.ended = set()
        self.workers = Workers(self.queue, self.send, self.record, self.permits, self.clock)

    async def send(self, export):
        self.sent.append(export.id)
        return self.outcomes.pop(0)

    async def record(self, event):
        if self.ledger_away:
            self.ledger_away -= 1
            raise Unavailable("the ledger is away")
        self.written.append(event)

    async def permits(self, export):
        return export.grant not in self.ended

    def add(self, client="app", grant="g1", body=b"{}"):
        export = self.queue.add(
            client=client, grant=grant, url="https://a.test/", body=body, now=self.clock.now()
        )
        self.workers.nudge(client)
        return export

    async def settled(self, export, *states):
        for _ in range(200):
            if self.queue.get(export.id).state in states:
                return self.queue.get(export.id)
            await asyncio.sleep(0.005)
        raise AssertionError(self.queue.get(export.id).state)


OK = Outcome(200, "answered 200", sent=True)
DOWN = Outcome(0, "refused", sent=False)


def test_the_intent_is_written_before_anything_leaves():
    async def story():
        one = Story(OK)
        await one.settled(one.add(), State.SENT)
        return one

    one = asyncio.run(story())
    assert [type(event) for event in one.written] == [ledger.ExportIntent, ledger.ExportOutcome]
    assert one.written[0].sha256 == one.queue.get(one.sent[0]).sha256


def test_without_the_ledger_nothing_leaves(monkeypatch):
    monkeypatch.setattr("databox.export.workers._AGAIN_S", 0.01)

    async def story():
        one = Story(OK)
        one.ledger_away = 3
        export = one.add()
        await asyncio.sleep(0.005)
        early = list(one.sent)
        await one.settled(export, State.SENT)
        return early, one.sent, export.id

    early, sent, number = asyncio.run(story())
    assert early == []
    assert sent == [number]


def test_a_destination_that_is_down_is_tried_again_later():
    async def story():
        one = Story(DOWN, OK)
        export = one.add()
        waiting = await one.settled(export, State.RETRYING)
        one.clock.advance(2_000)
        one.workers.nudge("app")
        done = await one.settled(export, State.SENT)
        return waiting.next_try, done.tries

    next_try, tries = asyncio.run(story())
    assert next_try == FixedClock().now() + 2_000
    assert tries == 2


def test_a_cancelled_export_never_leaves():
    async def story():
        one = Story(DOWN)
        export = one.add()
        waiting = await one.settled(export, State.RETRYING)
        one.workers.cancel(waiting, "by Ana")
        one.clock.advance(10_000)
        one.workers.nudge("app")
        await asyncio.sleep(0.02)
        return one.sent, one.queue.get(export.id).state

    sent, state = asyncio.run(story())
    assert len(sent) == 1
    assert state is State.CANCELLED


def test_what_is_over_cannot_be_cancelled():
    async def story():
        one = Story(OK)
        done = await one.settled(one.add(), State.SENT)
        with pytest.raises(Conflict):
            one.workers.cancel(done, "too late")

    asyncio.run(story())


def test_each_client_has_its_own_queue():
    async def story():
        one = Story(DOWN, OK)
        slow = one.add(client="slow")
        await one.settled(slow, State.RETRYING)
        quick = one.add(client="quick")
        await one.settled(quick, State.SENT)
        return one.queue.get(slow.id).state

    assert asyncio.run(story()) is State.RETRYING


def test_what_waited_when_its_permission_ended_is_cancelled_and_told():
    async def story():
        one = Story(DOWN)
        export = one.add()
        await one.settled(export, State.RETRYING)
        one.ended.add("g1")
        one.workers.nudge("app")
        over = await one.settled(export, State.CANCELLED)
        return over.detail, len(one.sent), one.written[-1].outcome

    assert asyncio.run(story()) == ("its permission ended", 1, "cancelled")


def test_a_permission_that_ends_while_it_is_sent_ends_the_tries():
    async def story():
        one = Story(DOWN)

        async def send(export):
            one.ended.add("g1")
            return await one.send(export)

        one.workers = Workers(one.queue, send, one.record, one.permits, one.clock)
        export = one.add()
        await one.settled(export, State.CANCELLED)
        return len(one.sent)

    assert asyncio.run(story()) == 1


def test_when_nobody_can_say_whether_a_permission_holds_nothing_leaves(monkeypatch):
    monkeypatch.setattr("databox.export.workers._AGAIN_S", 0.01)

    async def story():
        one = Story(OK)
        answers = [Unavailable("the arbiter is away"), True]

        async def permits(export):
            answer = answers.pop(0)
            if answer is True:
                return True
            raise answer

        one.workers = Workers(one.queue, one.send, one.record, permits, one.clock)
        export = one.add()
        await asyncio.sleep(0)
        early = list(one.sent)
        await one.settled(export, State.SENT)
        return early

    assert asyncio.run(story()) == []


def test_cancelling_while_the_intent_is_written_keeps_it_in():
    async def story():
        one = Story(OK)
        export = one.add()
        record = one.record

        async def slowly(event):
            if isinstance(event, ledger.ExportIntent):
                one.workers.cancel(one.queue.get(export.id), "by Ana")
            await record(event)

        one.workers._record = slowly
        await one.settled(export, State.CANCELLED)
        await asyncio.sleep(0.02)
        return one.sent, [type(event) for event in one.written]

    sent, written = asyncio.run(story())
    assert sent == []
    assert written == [ledger.ExportIntent, ledger.ExportOutcome]


def test_an_outcome_that_the_ledger_missed_is_told_after_a_fall(tmp_path):
    path = str(tmp_path / "q.db")
    before = Queue(apsw.Connection(path))
    export = before.add(client="app", grant="g1", url="https://a.test/", body=b"{}", now=0)
    before.set(export, State.SENDING)

    async def story():
        one = Story()
        one.queue = Queue(apsw.Connection(path))
        one.workers = Workers(one.queue, one.send, one.record, one.permits, one.clock)
        one.workers.start()
        await asyncio.sleep(0.02)
        one.workers.start()
        await asyncio.sleep(0.02)
        return one.sent, [event.outcome for event in one.written]

    assert asyncio.run(story()) == ([], ["unknown"])


def test_a_destination_that_never_comes_back_fails_with_its_reason():
    async def story():
        one = Story(*[DOWN] * 6)
        export = one.add()
        for tries in range(1, 6):
            waiting = await one.settled(export, State.RETRYING)
            assert waiting.tries == tries
            one.clock.advance(waiting.next_try - one.clock.now())
            one.workers.nudge("app")
            while one.queue.get(export.id).tries == tries:
                await asyncio.sleep(0.001)
        return await one.settled(export, State.FAILED)

    failed = asyncio.run(story())
    assert (failed.tries, failed.detail) == (6, "refused")


def test_a_client_cannot_fill_the_queue():
    queue = Queue(apsw.Connection(":memory:"))
    for _ in range(MOST_WAITING):
        queue.add(client="a", grant="g", url="https://a.test/", body=b"", now=0)
    with pytest.raises(Unavailable):
        queue.add(client="a", grant="g", url="https://a.test/", body=b"", now=0)


def test_a_client_cannot_fill_the_disk():
    queue = Queue(apsw.Connection(":memory:"))
    megabyte = bytes(1024 * 1024)
    for _ in range(MOST_BYTES_WAITING // len(megabyte)):
        queue.add(client="a", grant="g", url="https://a.test/", body=megabyte, now=0)
    with pytest.raises(Unavailable):
        queue.add(client="a", grant="g", url="https://a.test/", body=b"x", now=0)


def test_old_exports_are_let_go_but_none_that_the_ledger_does_not_know(monkeypatch):
    monkeypatch.setattr("databox.export.queue.MOST_KEPT", 2)
    queue = Queue(apsw.Connection(":memory:"))
    made = []
    for number in range(5):
        export = queue.add(client="a", grant="g", url="https://a.test/", body=b"", now=number)
        over = queue.set(export, State.SENT)
        if number:
            queue.written(over)
        made.append(export.id)
    assert [each.id for each in queue.newest()] == [made[4], made[3], made[0]]


def test_after_a_fall_while_sending_the_end_is_unknown(tmp_path):
    path = str(tmp_path / "q.db")
    first = Queue(apsw.Connection(path))
    export = first.add(client="a", grant="g", url="https://a.test/", body=b"x", now=0)
    first.set(export, State.SENDING)
    assert Queue(apsw.Connection(path)).get(export.id).state is State.UNKNOWN
