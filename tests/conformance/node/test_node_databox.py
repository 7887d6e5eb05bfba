"""node-databox 0.5.6, unmodified, in the sandbox: every public function and what it gives.

The probe calls each once and shows what came; here stands what should.
"""

import json
import re
from typing import Any

import pytest
from tests.box_by_script import wait_for
from tests.conformance.node.node_box import NodeBox

STORE = "https://lamp-store:443"
NO_ROUTE = "Insufficient route permissions"

Results = dict[str, Any]


def gave(results: Results, name: str) -> Any:
    assert "gave" in results[name], results[name]
    return results[name]["gave"]


def refused(results: Results, name: str) -> Any:
    assert "refused" in results[name], results[name]
    return results[name]["refused"]


def data(results: Results, name: str) -> list[Any]:
    return [each["data"] for each in gave(results, name)]


def test_peers_are_names_on_the_usual_port(results: Results) -> None:
    assert gave(results, "environment") == {
        "arbiter": "https://arbiter:443",
        "exports": "https://export-service:443",
        "greeting": "hello probe",
        "lamp": f"{STORE}/lamp",
        "name": "probe",
        "version": "0.5.6",
    }


def test_wait_for_store_status(results: Results) -> None:
    assert gave(results, "status") == "nothing"
    assert "status is active not standby" in refused(results, "status.other")


def test_get_https_credentials(results: Results) -> None:
    assert gave(results, "credentials") == [True, True]


def test_catalog_get_root_catalog(results: Results) -> None:
    root = gave(results, "catalog.root")
    assert root["catalogue-metadata"][1]["val"] == "Databox Root Catalogue"
    assert [item["href"] for item in root["items"]] == [STORE]


def test_catalog_list_available_stores(results: Results) -> None:
    assert gave(results, "catalog.stores") == [
        {"description": "lamp-store", "hostname": "lamp-store", "href": STORE}
    ]


def test_catalog_get_store_catalog_shows_what_was_picked(results: Results) -> None:
    [item] = gave(results, "catalog.store")["items"]
    assert item["href"] == f"{STORE}/lamp"
    pairs = {pair["rel"].rpartition(":")[2]: pair["val"] for pair in item["item-metadata"]}
    assert (pairs["hasType"], pairs["isActuator"], pairs["hasUnit"]) == ("lamp", True, "%")


def test_catalog_walk_store_catalogs(results: Results) -> None:
    assert gave(results, "catalog.walk") == [gave(results, "catalog.store")]


def test_catalog_map_store_catalogs(results: Results) -> None:
    assert gave(results, "catalog.map") == [[0, 1]]


def test_catalog_register_datasource_is_for_the_stores_own_driver(lamp: NodeBox) -> None:
    rows = {row.id: row for row in lamp.client.call("sources").sources}
    assert (rows["lamp"].type, rows["lamp"].actuator, rows["lamp"].vendor) == (
        "lamp",
        True,
        "Databox",
    )
    assert rows["state"].type == "lamp-state"


def test_catalog_register_datasource_in_anothers_store_is_refused(results: Results) -> None:
    assert refused(results, "catalog.register") == NO_ROUTE
    assert refused(results, "catalog.register.partly") == "Missing required metadata"


def test_key_value_read_of_nothing(results: Results) -> None:
    missing = {"status": 404, "error": "Document not found"}
    assert refused(results, "kv.missing") == missing


@pytest.mark.parametrize(
    ("name", "value"), [("kv.{}", {"hue": 120}), ("kv.{}.by.key", ["a", 1, None])]
)
def test_key_value_write_then_read(results: Results, name: str, value: object) -> None:
    assert gave(results, name.format("write")) == value
    assert gave(results, name.format("read")) == value


def test_timeseries_write_answers_the_record(results: Results) -> None:
    for name, value in (("ts.write", {"on": True}), ("ts.write.by.id", {"on": False})):
        stored = gave(results, name)
        assert (stored["datasource_id"], stored["data"]) == ("lamp", value)
        assert isinstance(stored["timestamp"], int)


@pytest.mark.parametrize("form", ["", ".by.id"])
def test_timeseries_reads(results: Results, form: str) -> None:
    both = [{"on": True}, {"on": False}]
    assert data(results, f"ts.latest{form}") == both[1:]
    assert data(results, f"ts.since{form}") == both
    assert data(results, f"ts.range{form}") == both


def test_timeseries_range_before_anything(results: Results) -> None:
    assert gave(results, "ts.range.past") == []


def test_subscriptions_subscribe_before_connecting(results: Results) -> None:
    assert refused(results, "sub.early").startswith("No open WebSocket connection to client")


def test_subscriptions_events_come_until_unsubscribed(results: Results) -> None:
    assert gave(results, "sub.connect") == "open"
    assert gave(results, "sub.subscribe") == ""
    assert gave(results, "sub.event") == {"host": "lamp-store", "id": "lamp", "data": {"level": 7}}
    assert gave(results, "sub.unsubscribe") == ""
    assert gave(results, "sub.silence") == []


def test_subscriptions_of_values(results: Results) -> None:
    assert gave(results, "sub.subscribe.kv") == ""
    assert gave(results, "sub.event.kv")["data"] == {"hue": 240}
    assert gave(results, "sub.unsubscribe.kv") == ""


def test_export_longpoll_answers_that_it_is_pending(results: Results) -> None:
    answer = gave(results, "export.longpoll")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer["id"])
    assert (answer["state"], answer["ext_response"]) == ("Pending", {})


def test_export_longpoll_to_another_place_is_refused(results: Results) -> None:
    assert refused(results, "export.other") == "Invalid API key/token"


def test_export_queue_never_was_there(results: Results) -> None:
    assert refused(results, "export.queue") == "Unimplemented"


@pytest.mark.parametrize("name", ["kv.other", "ts.other", "sub.other"])
def test_the_source_beside_the_picked_one_is_out_of_reach(results: Results, name: str) -> None:
    assert refused(results, name) == NO_ROUTE


@pytest.mark.usefixtures("results")
def test_the_driver_did_what_the_app_wrote(lamp: NodeBox) -> None:
    def told() -> list[Any]:
        shown: dict[str, Any] = json.loads(lamp.page("lamp").body)
        assert shown["trouble"] == ""
        commands: list[Any] = shown["told"]
        return commands

    wait_for(10, lambda: {"level": 8} in told())
    assert told() == [{"on": True}, {"on": False}, {"level": 7}, {"level": 8}]
