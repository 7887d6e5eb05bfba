"""Lives of parts and instances, as rules."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from databox.box.lifecycle import PART, STORE, Act, Ended, Event, Life, Pause, Policy, State, step

POLICY = Policy(first_pause=0.1, longest_pause=1.0, forgiven_after=60, most_falls=3)
FELL = Ended(clean=False, reason="code 1")
events = st.one_of(st.sampled_from(Event), st.builds(Ended, st.booleans(), st.just("end")))


def story(*events: Event | Ended, policy: Policy = POLICY) -> tuple[Life, list[object]]:
    life, acts = Life(), []
    for second, event in enumerate(events):
        life, act = step(life, event, float(second), policy)
        acts.append(act)
    return life, acts


def test_start_spawns_and_ready_runs() -> None:
    life, acts = story(Event.START, Event.READY)
    assert (life.state, acts) == (State.RUNNING, [Act.SPAWN, None])


def test_fall_pauses_longer_each_time() -> None:
    _, acts = story(Event.START, FELL, Event.DUE, FELL, Event.DUE, FELL)
    assert [act.seconds for act in acts if isinstance(act, Pause)] == [0.1, 0.2, 0.4]


def test_instance_that_falls_too_often_has_failed() -> None:
    life, _ = story(Event.START, *[FELL, Event.DUE] * 3, FELL)
    assert (life.state, life.reason) == (State.FAILED, "code 1")


def test_failed_instance_starts_again_by_hand() -> None:
    life, acts = story(Event.START, *[FELL, Event.DUE] * 3, FELL, Event.START)
    assert (life.state, life.falls, acts[-1]) == (State.STARTING, 0, Act.SPAWN)


def test_long_run_is_forgiven_its_falls() -> None:
    life = Life(State.RUNNING, since=0.0, falls=3)
    after, act = step(life, FELL, 60.0, POLICY)
    assert (after.falls, act) == (1, Pause(0.1))


def test_stop_ends_in_stopped_even_if_it_falls_meanwhile() -> None:
    life, acts = story(Event.START, Event.READY, Event.STOP, FELL)
    assert (life.state, acts[2], acts[3]) == (State.STOPPED, Act.END, None)


def test_late_start_is_killed_and_says_why() -> None:
    life, acts = story(Event.START, Event.LATE, FELL)
    assert acts[1] is Act.KILL
    assert life.reason == "not ready within 30 s"


def test_store_that_ends_by_itself_sleeps() -> None:
    life, _ = story(Event.START, Event.READY, Ended(clean=True, reason=""), policy=STORE)
    assert life.state is State.ASLEEP


def test_store_that_ends_before_it_was_ready_has_fallen() -> None:
    life, _ = story(Event.START, Ended(clean=True, reason="code 0"), policy=STORE)
    assert life.state is State.WAITING


def test_task_that_ends_well_is_not_repeated() -> None:
    life, _ = story(
        Event.START, Event.READY, Ended(clean=True, reason="done"), policy=Policy(once=True)
    )
    assert life.state is State.STOPPED


@given(st.lists(events, max_size=40))
def test_part_never_fails_for_good_and_heals_within_two_seconds(happened: list[object]) -> None:
    life, now = Life(), 0.0
    for event in happened:
        life, act = step(life, event, now, PART)  # type: ignore[arg-type]
        now += 1.0
        assert life.state is not State.FAILED
        assert not isinstance(act, Pause) or act.seconds <= 2.0


@given(st.lists(events, max_size=40))
def test_nothing_is_spawned_twice_without_an_end_between(happened: list[object]) -> None:
    life, alive = Life(), False
    for event in happened:
        if isinstance(event, Ended) and not alive:
            continue
        alive = alive and not isinstance(event, Ended)
        life, act = step(life, event, 0.0, POLICY)  # type: ignore[arg-type]
        if act is Act.SPAWN:
            assert not alive
            alive = True


@given(st.lists(events, max_size=40))
def test_after_a_stop_nothing_starts_until_it_is_asked_for(happened: list[object]) -> None:
    life = Life()
    for event in happened:
        life, _ = step(life, event, 0.0, POLICY)  # type: ignore[arg-type]
    life, _ = step(life, Event.STOP, 0.0, POLICY)
    for event in (FELL, Event.DUE, Event.READY, Event.LATE):
        life, act = step(life, event, 0.0, POLICY)
        assert act is not Act.SPAWN
        assert not isinstance(act, Pause)
    assert replace(life, since=0.0, falls=0, restarts=0, reason="").state is State.STOPPED
