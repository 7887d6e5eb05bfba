import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.manager import plan
from databox.wire import api
from databox.wire.errors import BadRequest
from databox.wire.manifest import ExportAsk, Manifest, SourceAsk
from databox.wire.sla import Choices, ExportChoice, SourceChoice

NOW = 1_700_000_000_000
URL = "https://example.test/summary"


def row(store="os-monitor-store", source="cpu", kind="cpu-load", actuator=False, fields=()):
    return api.SourceRow(
        store=store,
        id=source,
        type=kind,
        description="",
        unit="",
        vendor="",
        store_type="",
        actuator=actuator,
        driver="os-monitor",
        fields=fields,
    )


APP = Manifest(
    name="graph",
    datasources=(SourceAsk(type="cpu-load", clientid="LOAD", exact=("PT1M", "PT1H")),),
    export_whitelist=(ExportAsk(url=URL),),
)


def chosen(**changes):
    choice = {"clientid": "LOAD", "store": "os-monitor-store", "source": "cpu", "exact": "PT1M"}
    return Choices(sources=(SourceChoice(**{**choice, **changes}),))


def test_grant_keeps_what_its_source_or_its_places_are_called():
    picked = msgspec.structs.replace(chosen(), exports=(ExportChoice(url=URL, allowed=True),))
    called = msgspec.structs.replace(row(), description="Processor load")
    labels = [grant.label for grant in plan.grants(APP, picked, [called], NOW)]
    assert labels == ["Processor load", "example.test"]


def test_a_picked_source_becomes_one_grant_with_its_limits_as_caveats():
    choices = chosen(since=5, until=NOW + 1)
    (grant,) = plan.grants(APP, choices, [row()], NOW)
    assert (grant.target, grant.kind, grant.source) == ("os-monitor-store", "source", "cpu")
    assert grant.caveats == (
        'datasources = ["cpu"]',
        "granularity >= PT1M",
        "startTimestamp >= 5",
        f"time < {NOW + 1}",
    )
    assert {route.method for route in grant.routes} == {"GET"}


def test_to_act_on_one_source_is_not_to_act_on_another_spelt_alike():
    asks = (SourceAsk(type="lamp", clientid="LOAD", exact=("PT1M",), act=True),)
    app = msgspec.structs.replace(APP, datasources=asks)
    picked = chosen(act=True, until=NOW + 1)
    _, act = plan.grants(app, picked, [row(kind="lamp", actuator=True)], NOW)
    assert act.caveats == ('datasources = ["cpu"]', f"time < {NOW + 1}")


def test_to_act_is_not_to_delete():
    asks = (SourceAsk(type="lamp", clientid="LOAD", exact=("PT1M",), act=True),)
    app = msgspec.structs.replace(APP, datasources=asks)
    _, act = plan.grants(app, chosen(act=True), [row(kind="lamp", actuator=True)], NOW)
    assert [route.path for route in act.routes] == ["/cpu/ts", "/cpu/kv"]


PLACES = Manifest(name="walks", datasources=(SourceAsk(type="location", clientid="LOAD"),))
WHERE = row(kind="location", fields=("lat", "lon", "speed"))


def test_how_exact_a_place_is_becomes_a_distance():
    (grant,) = plan.grants(PLACES, chosen(exact="10 km"), [WHERE], NOW)
    assert grant.caveats == ('datasources = ["cpu"]', "precision >= 10 km")
    assert grant.exact == "10 km"


def test_windows_are_no_choice_for_places():
    with pytest.raises(BadRequest) as caught:
        plan.grants(PLACES, chosen(exact="PT1H"), [WHERE], NOW)
    assert caught.value.field == "choices.sources.LOAD.exact"


def test_picked_members_become_a_caveat():
    (grant,) = plan.grants(PLACES, chosen(exact="raw", fields=("lat", "lon")), [WHERE], NOW)
    assert grant.caveats == ('datasources = ["cpu"]', 'fields = ["lat","lon"]')
    assert grant.fields == ("lat", "lon")


@pytest.mark.parametrize("fields", [("home",), ("lat", "home"), ()])
def test_members_that_the_source_does_not_declare_are_refused(fields):
    with pytest.raises(BadRequest) as caught:
        plan.grants(PLACES, chosen(exact="raw", fields=fields), [WHERE], NOW)
    assert caught.value.field == "choices.sources.LOAD.fields"


DAY = 86_400_000
MONTH = Manifest(
    name="graph",
    datasources=(SourceAsk(type="cpu-load", clientid="LOAD", exact=("PT1M",), far_back=30),),
)


@pytest.mark.parametrize("since", [None, 5, NOW - 32 * DAY])
def test_more_history_than_was_asked_for_is_refused_by_name(since):
    with pytest.raises(BadRequest) as caught:
        plan.grants(MONTH, chosen(since=since), [row()], NOW)
    assert caught.value.field == "choices.sources.LOAD.since"
    assert caught.value.remedy == "Allow 30 days or less"


@pytest.mark.parametrize("since", [NOW - 30 * DAY - 3_600_000, NOW])
def test_as_much_history_as_was_asked_for_is_granted_also_from_a_screen_left_open(since):
    (grant,) = plan.grants(MONTH, chosen(since=since), [row()], NOW)
    assert grant.since == since


def test_history_that_was_allowed_long_ago_stays_allowed():
    held = chosen(since=NOW - 400 * DAY)
    (grant,) = plan.grants(MONTH, held, [row()], NOW, held=held)
    assert grant.since == NOW - 400 * DAY
    with pytest.raises(BadRequest):
        plan.grants(MONTH, held, [row()], NOW, held=chosen(since=NOW - 400 * DAY, source="other"))


def test_all_allowed_destinations_are_one_grant_that_ends_with_the_first():
    choices = Choices(exports=(ExportChoice(url=URL, allowed=True, until=NOW + 7),))
    (grant,) = plan.grants(APP, choices, [], NOW)
    assert grant.target == "export-service"
    assert grant.destinations == (URL,)
    assert grant.caveats == (f'destination = ["{URL}"]', f"time < {NOW + 7}")


def test_nothing_is_granted_when_nothing_is_chosen():
    assert plan.grants(APP, Choices(), [row()], NOW) == ()


def test_a_driver_gets_its_own_store():
    (grant,) = plan.grants(Manifest(name="hue", databox_type="driver"), Choices(), [], NOW)
    assert (grant.client, grant.target, grant.kind) == ("hue", "hue-store", "own")


@pytest.mark.parametrize(
    ("choices", "field"),
    [
        (chosen(clientid="OTHER"), "choices.sources"),
        (chosen(source="gone"), "choices.sources.LOAD"),
        (chosen(exact="raw"), "choices.sources.LOAD.exact"),
        (chosen(act=True), "choices.sources.LOAD.act"),
        (chosen(until=NOW), "choices.sources.LOAD.until"),
        (
            Choices(exports=(ExportChoice(url="https://else.test/", allowed=True),)),
            "choices.exports",
        ),
        (Choices(sources=chosen().sources * 2), "choices.sources"),
    ],
)
def test_an_sla_that_grants_more_than_asked_is_refused_by_name(choices, field):
    with pytest.raises(BadRequest) as caught:
        plan.grants(APP, choices, [row()], NOW)
    assert caught.value.field == field


def test_a_source_of_another_type_is_refused():
    with pytest.raises(BadRequest, match="another type"):
        plan.grants(APP, chosen(), [row(kind="location")], NOW)


@given(st.sampled_from(["raw", "PT1M", "PT1H"]), st.booleans(), st.none() | st.integers(0, 2 * NOW))
def test_no_choice_gets_through_that_is_finer_or_wider_than_the_ask(exact, act, until):
    try:
        wanted = plan.grants(APP, chosen(exact=exact, act=act, until=until), [row()], NOW)
    except BadRequest:
        return
    assert exact in APP.datasources[0].exact
    assert not act
    assert all(route.method == "GET" for grant in wanted for route in grant.routes)
