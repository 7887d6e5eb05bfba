import json
import threading
import time
from typing import Any

import pytest

from databox.sdk import Driver
from databox.sdk.buffer import Buffer, Waiting
from databox.sdk.peers import Peers
from databox.sdk.schedule import Schedule, next_turn
from databox.sdk.writer import Offer, Writer, catalogue_item
from databox.wire import manifest
from databox.wire.errors import BadRequest

STORE = "os-monitor-store"
OFFER = Offer("cpu-load", "cpu-load", "Load", "%", "Databox", False)
REQUIRED = (
    "urn:X-hypercat:rels:hasDescription:en",
    "urn:X-hypercat:rels:isContentType",
    "urn:X-databox:rels:hasVendor",
    "urn:X-databox:rels:hasType",
    "urn:X-databox:rels:hasDatasourceid",
    "urn:X-databox:rels:hasStoreType",
)


def waiting(n: int) -> Waiting:
    return Waiting("cpu-load", json.dumps({"data": n, "timestamp": n}).encode())


def numbers(fake: Any) -> list[int]:
    return [record["data"] for record in fake.records.get("cpu-load", [])]


def test_driver_registers_then_writes_in_order(fake: Any, peers: Peers) -> None:
    buffer = Buffer(100)
    for n in range(3):
        buffer.put(waiting(n))
    writer = Writer(peers, STORE, [OFFER], buffer)
    for _ in range(3):
        writer.step()
    assert list(fake.catalogue) == ["https://os-monitor-store:443/cpu-load"]
    assert numbers(fake) == [0, 1, 2]


def test_nothing_is_lost_while_store_and_arbiter_restart(fake: Any, peers: Peers) -> None:
    driver = Driver("Test driver")
    load = driver.source("cpu-load")
    driver.start(peers, STORE)
    for n in range(60):
        if n == 10:
            fake.store.stop()
        if n == 20:
            fake.arbiter.stop()
        if n == 30:
            fake.end_tokens()
            fake.arbiter.start()
            fake.store.start()
        load.write(n)
        time.sleep(0.01)
    assert driver.flush(10)
    assert sorted(set(numbers(fake))) == list(range(60))


def test_reading_is_kept_until_the_store_has_answered(fake: Any, peers: Peers) -> None:
    buffer = Buffer(100)
    buffer.put(waiting(1))
    writer = Writer(peers, STORE, [], buffer, sleep=lambda _: None)
    fake.denied = True
    writer.step()
    assert not buffer.empty(0)
    fake.denied = False
    writer.step()
    assert buffer.empty(0)
    assert numbers(fake) == [1]


def test_reading_that_the_store_never_takes_does_not_hold_up_the_rest(
    fake: Any, peers: Peers, capsys: pytest.CaptureFixture[str]
) -> None:
    buffer = Buffer(100)
    buffer.put(waiting(4711))
    writer = Writer(peers, STORE, [], buffer)
    fake.store._answer = lambda *_: (413, b"too large")
    writer.step()
    assert buffer.empty(0)
    log = capsys.readouterr().err
    assert "refused source=cpu-load" in log
    assert "4711" not in log


def test_source_is_registered_again_when_the_store_was_emptied(fake: Any, peers: Peers) -> None:
    buffer = Buffer(100)
    writer = Writer(peers, STORE, [OFFER], buffer, sleep=lambda _: None)
    writer.step(timeout=0)
    fake.catalogue.clear()
    known, fake.store._answer = fake.store._answer, lambda *_: (404, b"")
    buffer.put(waiting(1))
    writer.step()
    fake.store._answer = known
    writer.step()
    assert len(fake.catalogue) == 1
    assert numbers(fake) == [1]


def test_oldest_readings_go_when_the_buffer_is_full() -> None:
    buffer = Buffer(2)
    for n in range(3):
        buffer.put(waiting(n))
    assert buffer.first(0) == waiting(1)
    assert buffer.dropped == 1


def test_reading_given_up_on_its_way_takes_no_other_with_it() -> None:
    buffer = Buffer(2)
    buffer.put(waiting(0))
    first = buffer.first(0)
    assert first is not None
    buffer.put(waiting(1))
    buffer.put(waiting(2))
    buffer.done(first)
    assert buffer.first(0) == waiting(1)


def test_item_has_every_required_pair() -> None:
    item: Any = catalogue_item(OFFER, STORE)
    assert set(REQUIRED) <= {pair["rel"] for pair in item["item-metadata"]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_value_that_is_not_json_is_refused_where_it_is_written(value: object) -> None:
    source = Driver("Test driver").source("cpu-load")
    with pytest.raises(BadRequest, match="cpu-load"):
        source.write(value)


def test_manifest_of_a_driver_says_what_it_provides_and_reaches() -> None:
    driver = Driver("Weather", outside=("https://api.example",))
    driver.source("rain", type="rainfall", unit="mm")
    found = manifest.decode(driver.manifest(["/app/main.py"]).encode())
    assert found.databox_type == "driver"
    assert [(each.id, each.type, each.unit) for each in found.provides] == [
        ("rain", "rainfall", "mm")
    ]
    assert found.external_whitelist[0].urls == ("https://api.example",)
    assert found.run is not None
    assert (found.run.command, found.run.web()) == (("python3", "main.py"), None)


def test_two_sources_of_one_id_are_refused() -> None:
    driver = Driver("Weather")
    driver.source("rain")
    with pytest.raises(BadRequest, match="rain"):
        driver.source("rain")


def test_turns_are_whole_multiples_of_the_period() -> None:
    assert (next_turn(10.2, 1), next_turn(11.0, 1), next_turn(3599, 3600)) == (11, 12, 3600)


def test_jobs_run_each_at_its_own_turns() -> None:
    clock = [0.5]
    schedule = Schedule(now=lambda: clock[0])
    ran: list[tuple[str, float]] = []

    class Stopped:
        """Waiting takes no time but moves the clock."""

        def is_set(self) -> bool:
            return clock[0] > 4

        def wait(self, seconds: float) -> bool:
            clock[0] += seconds
            return self.is_set()

    schedule._stopped = Stopped()  # type: ignore[assignment]
    schedule.every(seconds=1)(lambda: ran.append(("one", clock[0])))
    schedule.every(seconds=2)(lambda: ran.append(("two", clock[0])))
    schedule.run()
    assert [at for name, at in ran if name == "one"] == [1, 2, 3, 4]
    assert [at for name, at in ran if name == "two"] == [2, 4]


def test_job_that_fails_runs_again(capsys: pytest.CaptureFixture[str]) -> None:
    schedule = Schedule()
    runs: list[int] = []

    def job() -> None:
        runs.append(1)
        if len(runs) == 2:
            schedule.stop()
        raise ValueError("a mistake")

    schedule.every(seconds=0.01)(job)
    thread = threading.Thread(target=schedule.run)
    thread.start()
    thread.join(5)
    assert len(runs) == 2
    assert "a mistake" in capsys.readouterr().err


@pytest.mark.parametrize("period", [{}, {"weeks": 1}, {"seconds": 0}, {"seconds": -1}])
def test_period_that_is_none_is_refused(period: dict[str, float]) -> None:
    with pytest.raises(BadRequest):
        Schedule().every(**period)
