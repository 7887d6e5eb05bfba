"""A grant opens the endpoints of a store that its words say, the richer ones included."""

import pytest

from databox.manager import plan
from databox.wire import api
from databox.wire.endpoints import STORE, Endpoint, Right
from databox.wire.manifest import Manifest, SourceAsk
from databox.wire.patterns import compile_pattern
from databox.wire.sla import Choices, SourceChoice

NOW = 1_700_000_000_000
SERVED = [endpoint for endpoint in STORE if endpoint.right is Right.TOKEN]
OF_A_SOURCE = [each for each in SERVED if each.path.startswith("/{source}/")]
OF_ALL = {"store.cat", "store.ws", "store.sub", "store.unsub"}


def opened(grants: tuple[api.GrantRequest, ...], endpoint: Endpoint) -> bool:
    path = endpoint.path.replace("{source}", "cpu").replace("{key}", "cpu").replace("{kind}", "ts")
    return any(
        route.method == endpoint.method and compile_pattern(route.path).matches(path)
        for grant in grants
        for route in grant.routes
    )


def app(act: bool) -> tuple[api.GrantRequest, ...]:
    ask = SourceAsk(type="cpu-load", clientid="LOAD", act=act)
    row = api.SourceRow(
        store="hue-store", id="cpu", type="cpu-load", description="", unit="", vendor="",
        store_type="", actuator=True, driver="hue",
    )  # fmt: skip
    choice = SourceChoice(clientid="LOAD", store="hue-store", source="cpu", exact="raw", act=act)
    manifest = Manifest(name="graph", datasources=(ask,))
    return plan.grants(manifest, Choices(sources=(choice,)), [row], NOW)


def driver() -> tuple[api.GrantRequest, ...]:
    return plan.grants(Manifest(name="hue", databox_type="driver"), Choices(), [], NOW)


@pytest.mark.parametrize("endpoint", SERVED, ids=lambda each: each.name)
def test_a_driver_reaches_all_of_its_own_store(endpoint: Endpoint) -> None:
    assert opened(driver(), endpoint)


@pytest.mark.parametrize("endpoint", OF_A_SOURCE, ids=lambda each: each.name)
def test_an_app_reads_its_source_in_every_way_and_writes_in_none(endpoint: Endpoint) -> None:
    assert opened(app(act=False), endpoint) == (endpoint.method == "GET")


@pytest.mark.parametrize("endpoint", SERVED, ids=lambda each: each.name)
def test_an_app_that_may_act_writes_single_values_alone(endpoint: Endpoint) -> None:
    if endpoint.method == "POST":
        assert opened(app(act=True), endpoint) == (endpoint.name in {"ts.write", "kv.write"})


@pytest.mark.parametrize("endpoint", SERVED, ids=lambda each: each.name)
def test_an_app_does_not_reach_what_is_of_all_sources(endpoint: Endpoint) -> None:
    if not endpoint.path.startswith(("/{source}/", "/{key}/")) and endpoint.name not in OF_ALL:
        assert not opened(app(act=True), endpoint)
