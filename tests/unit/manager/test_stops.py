"""What the owner stops while a change is under way."""

from hypothesis import given
from hypothesis import strategies as st

from databox.manager.stops import Stops, covers, without
from databox.wire.api import Grant, GrantRequest, StopAccessRequest
from databox.wire.sla import Choices, ExportChoice, SourceChoice

NAMES = st.sampled_from(["", "graph", "hue", "hue-store"])


def wanted(**fields: str) -> GrantRequest:
    given = {"client": "graph", "target": "hue-store", "kind": "source", "source": "lamp"} | fields
    return GrantRequest(routes=(), **given)  # type: ignore[arg-type]


def made(number: str = "g1", **fields: str) -> Grant:
    given = {"client": "graph", "target": "hue-store", "kind": "source", "source": "lamp"} | fields
    return Grant(id=number, **given)  # type: ignore[arg-type]


def test_what_was_stopped_meanwhile_is_not_granted() -> None:
    stops = Stops()
    stops.begin()
    stops.ask(StopAccessRequest(store="hue-store"))
    assert stops.forbids(wanted())
    assert stops.over == (wanted(),)


def test_what_was_stopped_before_the_change_is_its_own_affair() -> None:
    stops = Stops()
    stops.ask(StopAccessRequest(store="hue-store"))
    stops.begin()
    assert not stops.forbids(wanted())


def test_a_stop_of_something_else_forbids_nothing() -> None:
    stops = Stops()
    stops.ask(StopAccessRequest(component="weather"))
    assert not stops.forbids(wanted())


def test_a_stop_by_number_ends_that_one_and_no_new_one() -> None:
    stop = StopAccessRequest(grant="g1")
    assert covers(stop, made("g1"))
    assert not covers(stop, made("g2"))
    assert not covers(stop, wanted())


@given(NAMES, NAMES, NAMES, st.sampled_from(["own", "part"]))
def test_no_stop_ends_a_drivers_own_store_or_our_parts(
    component: str, store: str, source: str, kind: str
) -> None:
    stop = StopAccessRequest(component=component, store=store, source=source)
    assert not covers(stop, made(kind=kind))


def test_choices_lose_what_ended_and_keep_the_rest() -> None:
    lamp, door = (
        SourceChoice(clientid=name.upper(), store="hue-store", source=name)
        for name in ("lamp", "door")
    )
    export = ExportChoice(url="https://a.example/in", allowed=True)
    choices = Choices(sources=(lamp, door), exports=(export,))
    assert without(choices, made()).sources == (door,)
    assert without(choices, made()).exports == (export,)
    assert without(choices, made(kind="export")).exports == ()
