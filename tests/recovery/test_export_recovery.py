"""Exports when things end in the middle: a process, the box, or the owner's permission."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.export.peers import Answer
from tests.conformance.export.world import BUSY, GOOD, LATER, SLOW, App, World, never, url_of, world
from tests.recovery.running import gone as ended
from tests.recovery.running import soon

PART = "export-service"
HOSTS = (GOOD, SLOW, BUSY, LATER)


@pytest.fixture(scope="module")
def whole_world(shared_home: Path) -> Iterator[World]:
    with world(shared_home) as made:
        yield made


@pytest.fixture
def outside(whole_world: World) -> Iterator[World]:
    yield whole_world
    whole_world.clear()


@pytest.fixture(scope="module")
def app(whole_world: World) -> App:
    return whole_world.app("Sender", HOSTS)


def in_the_middle(outside: World, app: App) -> str:
    """An export whose destination has all of it, and does not answer; gives its id."""
    peer = outside.peers[SLOW]
    peer.answer = Answer(200, after=threading.Event())
    before = len(peer.came)
    number = app.send(SLOW)
    soon(lambda: len(peer.came) > before)
    assert outside.export(number)["state"] == "sending"
    return number


def kill(outside: World) -> None:
    """kill -9 of the export service; it is back when this returns."""
    pid = outside.box.pid_of(PART)
    os.kill(pid, signal.SIGKILL)
    soon(lambda: outside.box.pid_of(PART) != pid)
    soon(lambda: outside.box.call("GET", "/api/exports")[0] == 200)


def release(outside: World) -> None:
    """Let the destination answer from now on."""
    waiting = outside.peers[SLOW].answer.after
    outside.peers[SLOW].answer = Answer(200)
    assert waiting is not None
    waiting.set()


def test_killed_while_sending_the_end_is_unknown_until_the_owner_says(
    outside: World, app: App
) -> None:
    number = in_the_middle(outside, app)
    came = len(outside.peers[SLOW].came)
    kill(outside)
    release(outside)
    shown = outside.export(number)
    assert (shown["state"], shown["detail"]) == ("unknown", "the box stopped while sending")
    soon(lambda: outside.story(number)[-1].get("outcome") == "unknown")
    never(lambda: len(outside.peers[SLOW].came) != came, for_seconds=4)
    outside.ok("POST", f"/api/exports/{number}/retry")
    outside.until(number, "sent")
    keys = [each.headers["idempotency-key"] for each in outside.peers[SLOW].came[came - 1 :]]
    assert keys == [number, number], "the destination can tell that it is the same one"
    kinds = [event["type"] for event in outside.story(number)]
    assert kinds == ["export-intent", "export-outcome"] * 2


def test_what_comes_after_an_unknown_one_goes_on(outside: World, app: App) -> None:
    number = in_the_middle(outside, app)
    later = app.send(GOOD)
    kill(outside)
    release(outside)
    outside.until(later, "sent")
    assert outside.export(number)["state"] == "unknown"


def test_an_acknowledged_export_survives_a_kill_at_once(outside: World, app: App) -> None:
    outside.peers[BUSY].answer = Answer(503)
    first = app.send(BUSY)
    numbers = [app.send(GOOD, f'{{"n": {n}}}') for n in range(20)]
    kill(outside)
    outside.ok("POST", f"/api/exports/{first}/cancel")
    for number in numbers:
        outside.until(number, "sent", within=20)
    came = [each.headers["idempotency-key"] for each in outside.peers[GOOD].came]
    assert [key for key in came if key in numbers] == numbers, "each once, in order"


def test_the_queue_goes_on_after_a_restart_of_the_box(outside: World, app: App) -> None:
    number = app.send(LATER, '{"n": "kept"}')
    waits = outside.until(number, "retrying")
    outside.box.kill()
    outside.start()
    soon(lambda: outside.box.get("/api/status")["state"] == "running", within=20)
    soon(lambda: outside.box.log_in()[0] == 200, within=20)
    soon(lambda: outside.box.call("GET", f"/api/exports/{number}")[0] == 200, within=20)
    kept = outside.export(number)
    assert kept["sha256"] == waits["sha256"]
    assert kept["tries"] >= waits["tries"]
    outside.peers[LATER].up()
    outside.until(number, "sent", within=30)
    assert [each.body for each in outside.peers[LATER].came] == [b'{"n": "kept"}']


def test_stopping_access_cancels_what_waits(outside: World) -> None:
    late = outside.app("Late", (BUSY, GOOD))
    outside.peers[BUSY].answer = Answer(503)
    first, second = late.send(BUSY), late.send(GOOD)
    outside.until(first, "retrying")
    came = len(outside.peers[BUSY].came), len(outside.peers[GOOD].came)
    outside.ok("POST", "/api/stop-access", {"component": "late"})
    shown = [outside.export(number) for number in (first, second)]
    assert [(each["state"], each["detail"]) for each in shown] == [
        ("cancelled", "its permission ended")
    ] * 2
    never(
        lambda: (len(outside.peers[BUSY].came), len(outside.peers[GOOD].came)) != came,
        for_seconds=4,
    )
    soon(lambda: outside.story(second)[-1].get("outcome") == "cancelled")
    status, answer = outside.box.call("POST", f"/api/exports/{first}/retry")
    assert (status, answer["error"]["code"]) == (403, "grant-ended")
    assert answer["error"]["remedy"]


def test_access_stopped_while_the_service_is_away_holds_when_it_is_back(outside: World) -> None:
    gone = outside.app("Gone", (BUSY,))
    outside.peers[BUSY].answer = Answer(503)
    number = gone.send(BUSY)
    outside.until(number, "retrying")
    pid = outside.box.pid_of(PART)
    os.kill(pid, signal.SIGSTOP)
    try:
        outside.ok("POST", "/api/stop-access", {"component": "gone"})
        assert ended(pid), "killed, so that it cannot wake up and send"
        outside.peers[BUSY].answer = Answer(200)
        came = len(outside.peers[BUSY].came)
    finally:
        # Not there any more if the box has lost patience with it.
        with_patience(pid)
    outside.until(number, "cancelled")
    never(lambda: len(outside.peers[BUSY].came) != came, for_seconds=3)


def with_patience(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return


def test_a_permission_that_ends_by_its_time_ends_what_waits(outside: World) -> None:
    outside.peers[BUSY].answer = Answer(503)
    short = outside.app("Short", (BUSY,))
    until = int(time.time() * 1000) + 8000
    choice = {"url": url_of(BUSY), "allowed": True, "until": until}
    change = {"component": "short", "choices": {"exports": [choice]}, "text": "until soon"}
    outside.ok("POST", "/api/components/short/choices", change)
    number = short.send(BUSY)
    outside.until(number, "retrying")
    outside.until(number, "cancelled", within=30)
    assert outside.export(number)["detail"] == "its permission ended"
    tries = [each for each in outside.story(number) if each["type"] == "export-intent"]
    assert tries, "the control: it was tried while it was permitted"
    outside.peers[BUSY].answer = Answer(200)


def test_uninstalling_cancels_what_waits(outside: World) -> None:
    leaving = outside.app("Leaving", (BUSY,))
    outside.peers[BUSY].answer = Answer(503)
    number = leaving.send(BUSY)
    outside.until(number, "retrying")
    outside.ok("POST", "/api/components/leaving/uninstall", {"keep": False})
    assert outside.export(number)["state"] == "cancelled"


def test_the_ledger_is_whole_after_all_of_it(outside: World) -> None:
    assert outside.box.get("/api/history/verdict")["ok"]
