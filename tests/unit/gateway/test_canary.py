"""The judgement over a browser, and the pages it is made by."""

from pathlib import Path

import pytest

from databox.gateway.canary import ATTEMPTS, PATIENCE_MS, SETTLE_MS, Canaries, Run, judge
from databox.gateway.hosts import Origins
from databox.gateway.people import Person
from databox.kit.clock import FixedClock
from databox.kit.http.message import Request
from databox.wire.errors import NotFound

NOW = 1_700_000_000_000
ANA = Person("ana", "Ana", "owner", "t", NOW + 10**9)
EVE = Person("eve", "Eve", "owner", "t", NOW + 10**9)


def run(ran=ATTEMPTS, out=(), last=NOW):
    return Run(person="ana", outside="o", began=NOW, last=last, ran=set(ran), out=set(out))


def state(found, after):
    return judge(found, NOW + after).state


def test_a_browser_is_sealed_when_all_was_tried_and_nothing_got_out():
    assert state(run(), SETTLE_MS) == "sealed"


def test_what_got_out_is_waited_for():
    assert state(run(), SETTLE_MS - 1) == "running"
    assert state(run(last=NOW + 50), SETTLE_MS) == "running"


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_one_attempt_that_gets_out_is_enough(attempt):
    verdict = judge(run(out=(attempt,)), NOW + SETTLE_MS)
    assert (verdict.state, verdict.out) == ("open", (attempt,))


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_an_attempt_that_never_ran_proves_nothing(attempt):
    rest = set(ATTEMPTS) - {attempt}
    assert state(run(ran=rest), PATIENCE_MS - 1) == "running"
    assert state(run(ran=rest), PATIENCE_MS) == "open"


class World:
    def __init__(self, tmp_path: Path):
        (tmp_path / "canary.html").write_bytes(b"<!doctype html><p>canary")
        (tmp_path / "canary.js").write_bytes(b"run()")
        self.clock = FixedClock(NOW)
        self.canaries = Canaries(Origins(8989), self.clock, tmp_path)
        self.begun = self.canaries.begin(ANA)
        self.outside = self.begun.frames[0].partition("?away=")[2]

    def ask(self, path, *, outside=False, method="GET"):
        label = self.outside if outside else self.begun.id
        return self.canaries.serve(label, Request(method, path, "", {}, path))

    def verdict(self, person=ANA):
        return self.canaries.verdict(self.begun.id, person)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def headers_of(answer):
    return {name for name, _ in answer.headers}


def test_pages_carry_the_seal_and_the_guard_of_app_screens(world):
    answer = world.ask("/fetch")
    assert {"Content-Security-Policy", "Connection-Allowlist", "Permissions-Policy"} <= (
        headers_of(answer)
    )
    assert b'<script src="/databox-guard.js">' in answer.body


def test_one_page_carries_the_allowlist_alone(world):
    assert headers_of(world.ask("/allowlist")) == {"Connection-Allowlist", "Cache-Control"}


def test_what_ran_and_what_got_out_is_noted(world):
    for attempt in ATTEMPTS:
        world.ask(f"/canary/ran/{attempt}", method="POST")
    world.ask("/canary/image", outside=True)
    world.ask("/canary/out/webrtc", method="POST")
    world.clock.advance(SETTLE_MS)
    assert world.verdict().out == ("image", "webrtc")


def test_what_is_no_attempt_is_not_noted(world):
    world.ask("/canary/ran/nonsense", method="POST")
    world.ask("/favicon.ico", outside=True)
    world.clock.advance(PATIENCE_MS)
    assert world.verdict().out == ()


def test_only_who_began_a_test_learns_how_it_came_out(world):
    with pytest.raises(NotFound):
        world.verdict(EVE)


def test_names_of_a_test_lead_nowhere_after_a_minute(world):
    assert world.begun.id in world.canaries
    assert world.canaries.is_outside(world.outside)
    world.clock.advance(60_000)
    assert world.begun.id not in world.canaries
    assert not world.canaries.is_outside(world.outside)


def test_tests_do_not_pile_up(world):
    for _ in range(30):
        world.canaries.begin(ANA)
    with pytest.raises(NotFound):
        world.verdict()
