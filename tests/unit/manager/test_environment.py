import json
from pathlib import Path

from databox.manager.environment import environment, timezone_of
from databox.wire import api
from databox.wire.manifest import Manifest, Run
from databox.wire.sla import Choices, SourceChoice

ROW = api.SourceRow(
    store="os-monitor-store",
    id="cpu",
    type="cpu-load",
    description="Load",
    unit="%",
    vendor="Databox",
    store_type="store-json",
    actuator=False,
    driver="os-monitor",
)


def made(manifest, choices=None, wanted=()):
    return environment(manifest, choices or Choices(), [ROW], wanted, timezone="CET-1CEST")


def test_an_app_finds_the_arbiter_and_its_own_name():
    found = made(Manifest(name="graph"))
    assert found["DATABOX_LOCAL_NAME"] == "graph"
    assert found["DATABOX_ARBITER_ENDPOINT"] == "https://arbiter:443"
    assert found["TZ"] == "CET-1CEST"


def test_a_driver_finds_its_store():
    found = made(Manifest(name="hue", databox_type="driver"))
    assert found["DATABOX_STORE_ENDPOINT"] == "https://hue-store:443"


def test_a_picked_source_is_named_with_how_exact_it_may_be_seen():
    picked = SourceChoice(clientid="LOAD", store="os-monitor-store", source="cpu", exact="PT1M")
    item = json.loads(made(Manifest(name="graph"), Choices(sources=(picked,)))["DATASOURCE_LOAD"])
    assert item["href"] == "https://os-monitor-store:443/cpu"
    assert {"rel": "urn:X-databox:rels:hasGranularity", "val": "PT1M"} in item["item-metadata"]


def test_an_author_cannot_take_the_place_of_the_boxs_own_names():
    run = Run(command=("x",), environment={"DATABOX_LOCAL_NAME": "other", "LEVEL": "2"})
    found = made(Manifest(name="graph", run=run))
    assert (found["DATABOX_LOCAL_NAME"], found["LEVEL"]) == ("graph", "2")


def test_the_time_zone_is_read_from_the_systems_file():
    berlin = Path("/usr/share/zoneinfo/Europe/Berlin")
    if berlin.exists():
        assert timezone_of(berlin.read_bytes()) == "CET-1CEST,M3.5.0,M10.5.0/3"
    assert timezone_of(b"") == "UTC0"


def test_a_distance_and_picked_members_are_told_beside_every_value():
    picked = SourceChoice(
        clientid="LOAD", store="os-monitor-store", source="cpu", exact="1 km", fields=("lat", "lon")
    )
    item = json.loads(made(Manifest(name="graph"), Choices(sources=(picked,)))["DATASOURCE_LOAD"])
    pairs = {pair["rel"].rpartition(":")[2]: pair["val"] for pair in item["item-metadata"]}
    assert pairs["hasGranularity"] == "raw"
    assert pairs["hasPrecision"] == "1 km"
    assert pairs["hasFields"] == "lat, lon"
