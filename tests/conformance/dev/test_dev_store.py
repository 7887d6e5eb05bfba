"""A store of 2017 over HTTPS: time series, values, catalogue, what a token permits.

Source: the store of the Databox project, March to July 2017.
"""

import base64

import pytest
from tests.conformance.dev.development import Component, Development

ITEM = {
    "urn:X-hypercat:rels:hasDescription:en": "Load",
    "urn:X-hypercat:rels:isContentType": "text/json",
    "urn:X-databox:rels:hasVendor": "Acme",
    "urn:X-databox:rels:hasType": "load",
    "urn:X-databox:rels:hasDatasourceid": "cat-load",
    "urn:X-databox:rels:hasStoreType": "store-json",
}


@pytest.fixture
def driver(dev: Development) -> Component:
    component = dev.component("driver")
    for method in ("GET", "POST"):
        component.may(method, "/*")
    return component


def item(dev: Development, **changed: str | None) -> dict[str, object]:
    pairs = {**ITEM, **{f"urn:X-databox:rels:{rel}": val for rel, val in changed.items()}}
    return {
        "item-metadata": [{"rel": rel, "val": val} for rel, val in pairs.items() if val],
        "href": f"https://demo:{dev.ports['demo']}/cat-load",
    }


def test_status_needs_a_token_as_all_else(dev: Development, driver: Component) -> None:
    assert driver.get("/status").said == (200, "active")


@pytest.mark.parametrize("path", ["/cat", "/x/ts/latest", "/x/kv", "/ws", "/sub/x/ts"])
def test_without_a_token_the_answer_is_missing(dev: Development, path: str) -> None:
    assert dev.ask("demo", "GET", path).said == (401, "Missing API key/token")


@pytest.mark.parametrize("token", ["x", "e30", "MDAwMA", "a" * 12_000])
def test_what_is_no_token_is_invalid(dev: Development, token: str) -> None:
    assert dev.ask("demo", "GET", "/x/kv", token).said == (401, "Invalid API key/token")


def test_a_token_holds_for_its_target_path_and_method_alone(
    dev: Development, driver: Component
) -> None:
    invalid = (401, "Invalid API key/token")
    token = driver.token("GET", "/a1/kv")
    assert dev.ask("demo", "GET", "/a1/kv", token).status == 404
    assert dev.ask("demo", "GET", "/a2/kv", token).said == invalid
    assert dev.send("demo", "POST", "/a1/kv", token, 1).said == invalid
    assert dev.ask("other", "GET", "/a1/kv", token).said == invalid


def test_a_token_may_be_a_basic_user_name(dev: Development, driver: Component) -> None:
    user = base64.b64encode(f"{driver.token('GET', '/none/kv')}:".encode()).decode()
    answer = dev.ask("demo", "GET", "/none/kv", headers={"Authorization": f"Basic {user}"})
    assert answer.status == 404


def test_a_reading_is_answered_as_it_is_stored(driver: Component) -> None:
    stored = driver.post("/first/ts", {"data": {"load": 0}}).json()
    assert (stored["datasource_id"], stored["data"]) == ("first", {"load": 0})
    assert isinstance(stored["timestamp"], int)
    assert driver.get("/first/ts/latest").json()[0]["data"] == {"load": 0}


def test_latest_of_nothing_is_an_empty_list(driver: Component) -> None:
    assert driver.get("/nothing/ts/latest").json() == []


def test_ranges_are_asked_by_a_body_and_hold_both_ends(driver: Component) -> None:
    for t in (30, 10, 20, 40):
        driver.post("/many/ts", {"data": t, "timestamp": t})

    def found(command: str, **body: int) -> list[int]:
        return [each["data"] for each in driver.get(f"/many/ts/{command}", body).json()]

    assert found("since", startTimestamp=20) == [20, 30, 40]
    assert found("range", startTimestamp=10, endTimestamp=30) == [10, 20, 30]


def test_a_timestamp_caveat_binds_what_is_asked(dev: Development, driver: Component) -> None:
    for t in (10, 20):
        driver.post("/old/ts", {"data": t, "timestamp": t})
    app = dev.component()
    app.may("GET", "/old/*", "startTimestamp >= 15")
    found = app.get("/old/ts/since", {"startTimestamp": 15}).json()
    assert [each["data"] for each in found] == [20]
    refused = app.get("/old/ts/since", {"startTimestamp": 10})
    assert refused.said == (401, "Invalid API key/token")


def test_an_unknown_command_is_not_found(driver: Component) -> None:
    assert driver.get("/first/ts/between").status == 404


@pytest.mark.parametrize("value", [{"a": [1, None]}, [1, 2], "text", 0, False, None])
def test_any_json_value_is_kept_and_echoed(driver: Component, value: object) -> None:
    assert driver.post("/any/kv", value).json() == value
    assert driver.get("/any/kv/").json() == value


def test_a_value_that_is_not_there_is_told_in_json(driver: Component) -> None:
    answer = driver.get("/missing/kv")
    assert answer.said == (404, '{"status":404,"error":"Document not found"}')


def test_an_item_is_created_then_replaced_and_located(dev: Development, driver: Component) -> None:
    first = driver.post("/cat", item(dev))
    assert first.said == (201, "")
    assert first.headers["Location"] == f"https://demo:{dev.ports['demo']}"
    second = driver.post("/cat", item(dev, hasVendor="Other"))
    assert second.said == (200, "")
    catalogue = driver.get("/cat").json()
    assert catalogue["catalogue-metadata"][1]["val"] == "Databox Datasource Catalogue"
    assert catalogue["items"] == [item(dev, hasVendor="Other")]


@pytest.mark.parametrize("left_out", ["hasVendor", "hasType", "hasDatasourceid", "hasStoreType"])
def test_an_item_without_a_required_pair_is_refused(
    dev: Development, driver: Component, left_out: str
) -> None:
    assert driver.post("/cat", item(dev, **{left_out: None})).status == 400
