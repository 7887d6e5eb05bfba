"""What the owner is told of stores."""

from databox.kit.clock import FixedClock
from databox.manager.condition import Conditions
from databox.wire.api import StoreTrouble
from databox.wire.control import InstanceState

STORE = "hue-store"


def conditions(*events: InstanceState, clock: FixedClock | None = None) -> Conditions:
    made = Conditions(clock or FixedClock(1000))
    for each in events:
        made.heard(each)
    return made


def state(name: str, **more: object) -> InstanceState:
    return InstanceState(name=STORE, state=name, **more)  # type: ignore[arg-type]


def test_a_sound_store_is_no_trouble() -> None:
    assert conditions(state("running"), state("asleep")).troubles() == ()


def test_what_a_store_tells_is_told_with_remedy_and_time() -> None:
    told = conditions(state("running", trouble="the disk is full", remedy="Free some", since=7))
    expected = StoreTrouble(store=STORE, what="the disk is full", remedy="Free some", since=7)
    assert told.troubles() == (expected,)


def test_a_store_that_falls_again_and_again_is_in_trouble_since_its_first_fall() -> None:
    clock = FixedClock(1000)
    told = conditions(state("restarting", reason="run: the disk is full"), clock=clock)
    clock.advance(5000)
    told.heard(state("starting"))
    told.heard(state("restarting", reason="run: the disk is full"))
    (trouble,) = told.troubles()
    assert (trouble.what, trouble.since) == ("it cannot start: the disk is full", 1000)


def test_a_store_that_runs_again_is_well() -> None:
    assert conditions(state("restarting", reason="x"), state("running")).troubles() == ()


def test_a_store_that_was_removed_is_forgotten() -> None:
    gone = conditions(state("running", trouble="x", catalogue="a"), state("stopped"))
    assert (gone.troubles(), gone.mark(STORE)) == ((), "")


def test_of_other_parts_nothing_is_told() -> None:
    other = InstanceState(name="graph", state="restarting", reason="x")
    assert conditions(other).troubles() == ()
