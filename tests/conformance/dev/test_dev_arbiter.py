"""The arbiter of 2017 over HTTPS: exact texts, the order of checks, forms, Basic credentials.

Source: the arbiter of the Databox project, March to July 2017.
"""

import base64
import json

import pytest
from tests.conformance.dev.development import CM_KEY, Component, Development

ROOT = [
    ("urn:X-hypercat:rels:isContentType", "application/vnd.hypercat.catalogue+json"),
    ("urn:X-hypercat:rels:hasDescription:en", "Databox Root Catalogue"),
    ("urn:X-hypercat:rels:hasHomepage", "http://www.databoxproject.uk/"),
    ("urn:X-hypercat:rels:containsContentType", "application/vnd.hypercat.catalogue+json"),
    ("urn:Xhypercat:rels:supportsSearch", "urn:X-hypercat:search:simple"),
]
MANAGER_ONLY = (
    "upsert-container-info",
    "delete-container-info",
    "grant-container-permissions",
    "revoke-container-permissions",
)
INVALID_CM = (401, "Unauthorized: Arbiter key invalid")


@pytest.fixture
def app(dev: Development) -> Component:
    return dev.component()


def basic(user: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:".encode()).decode()}


def grant_form(name: str, method: str = "GET", path: str = "/load/*") -> dict[str, str]:
    return {
        "name": name,
        "route[target]": "demo",
        "route[path]": path,
        "route[method]": method,
    }


def test_status_needs_no_credential(dev: Development) -> None:
    assert dev.ask("arbiter", "GET", "/status").said == (200, "active")


def test_routes_match_in_any_case_and_with_a_slash(dev: Development) -> None:
    assert dev.ask("arbiter", "GET", "/STATUS/").said == (200, "active")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/cat"),
        ("POST", "/token"),
        ("GET", "/store/secret"),
        *(("POST", f"/cm/{name}") for name in MANAGER_ONLY),
    ],
)
def test_without_a_credential_the_first_answer_is_missing(
    dev: Development, method: str, path: str
) -> None:
    assert dev.ask("arbiter", method, path).said == (401, "Missing API key")


@pytest.mark.parametrize("name", MANAGER_ONLY)
def test_the_managers_paths_refuse_any_other_key_before_parameters(
    dev: Development, app: Component, name: str
) -> None:
    assert dev.manage(name, shown=app.key).said == INVALID_CM
    assert dev.manage(name, shown="nobody's").said == INVALID_CM


@pytest.mark.parametrize("name", MANAGER_ONLY)
def test_the_manager_is_told_of_missing_parameters(dev: Development, name: str) -> None:
    assert dev.manage(name).said == (400, "Missing parameters")
    assert dev.ask("arbiter", "POST", f"/cm/{name}", CM_KEY).said == (400, "Missing parameters")


@pytest.mark.parametrize("missing", ["name", "route[target]", "route[path]", "route[method]"])
def test_a_grant_needs_every_field(dev: Development, app: Component, missing: str) -> None:
    fields = grant_form(app.name)
    del fields[missing]
    for what in ("grant", "revoke"):
        said = dev.form(f"/cm/{what}-container-permissions", fields).said
        assert said == (400, "Missing parameters")


def test_an_upsert_answers_what_was_posted_and_nothing_else(dev: Development) -> None:
    first = dev.form("/cm/upsert-container-info", {"name": "plain", "colour": "red"})
    assert first.json() == {"name": "plain", "colour": "red"}
    second = dev.manage("upsert-container-info", name="plain", type="app", key="k")
    assert second.json() == {"name": "plain", "colour": "red", "type": "app", "key": "k"}


def test_a_store_gets_a_catalogue_item_once_it_is_one(dev: Development) -> None:
    dev.manage("upsert-container-info", name="late", key="late's")
    found = dev.manage("upsert-container-info", name="late", type="store").json()
    assert found["catItem"] == {
        "item-metadata": [
            {
                "rel": "urn:X-hypercat:rels:isContentType",
                "val": "application/vnd.hypercat.catalogue+json",
            },
            {"rel": "urn:X-hypercat:rels:hasDescription:en", "val": "late"},
        ],
        "href": "https://late:8080",
    }
    assert dev.manage("delete-container-info", name="late").said == (200, "")


def test_deleting_what_is_not_there_is_no_error(dev: Development) -> None:
    assert dev.form("/cm/delete-container-info", {"name": "nobody"}).said == (200, "")


def test_a_grant_answers_the_caveats_of_its_exact_route(dev: Development, app: Component) -> None:
    path = "/cm/grant-container-permissions"
    fields = grant_form(app.name)
    assert dev.form(path, fields).json() == []
    assert dev.form(path, {**fields, "caveats[0]": "time < 9"}).json() == ["time < 9"]
    more = dev.form(path, {**fields, "caveats[0]": "startTimestamp >= 5"})
    assert more.json() == ["time < 9", "startTimestamp >= 5"]


def test_revoking_answers_what_is_left_or_null(dev: Development, app: Component) -> None:
    fields = {**grant_form(app.name), "caveats[0]": "startTimestamp >= 5"}
    dev.form("/cm/grant-container-permissions", fields)
    path = "/cm/revoke-container-permissions"
    assert dev.form(path, fields).json() == []
    assert dev.form(path, grant_form(app.name)).said == (200, "null")


def test_the_checks_of_a_token_come_in_their_order(dev: Development, app: Component) -> None:
    unready = dev.component("store").name
    ask = {"target": "demo", "path": "/load/ts", "method": "GET"}
    stranger = dev.send("arbiter", "POST", "/token", "nobody's", {})
    assert stranger.said == (401, "Invalid API key")
    assert dev.send("arbiter", "POST", "/token", app.key, {}).said == (400, "Missing parameters")
    for field in ask:
        left = {name: value for name, value in ask.items() if name != field}
        said = dev.send("arbiter", "POST", "/token", app.key, left).said
        assert said == (400, "Missing parameters")
    assert app.asks("GET", "/x", "nowhere").said == (
        400,
        "Target nowhere has not been approved for arbitering",
    )
    assert app.asks("GET", "/x", unready).said == (
        400,
        f"Target {unready} has not registered itself for arbitering",
    )
    assert app.asks("GET", "/load/ts").said == (401, "Insufficient route permissions")
    app.may("GET", "/load/*")
    assert app.asks("GET", "/load/ts").status == 200


def test_a_token_is_asked_for_by_form_and_basic_credential(
    dev: Development, app: Component
) -> None:
    app.may("GET", "/load/*")
    body = b"target=demo&path=%2Fload%2Fts&method=GET"
    headers = {"Content-Type": "application/x-www-form-urlencoded", **basic(app.key)}
    answer = dev.ask("arbiter", "POST", "/token", None, body, headers=headers)
    assert answer.status == 200
    raw = base64.urlsafe_b64decode(answer.text + "=" * (-len(answer.text) % 4))
    for words in (b"target = demo", b"path = /load/ts", b"method = GET"):
        assert words in raw


def test_the_header_wins_over_basic(dev: Development, app: Component) -> None:
    answer = dev.ask("arbiter", "POST", "/token", "nobody's", b"", headers=basic(app.key))
    assert answer.said == (401, "Invalid API key")


def test_a_stores_secret_is_the_same_at_each_call(dev: Development) -> None:
    store = dev.component("store")
    first, second = (dev.ask("arbiter", "GET", "/store/secret", store.key) for _ in range(2))
    assert first.said == second.said
    assert len(first.text) == 43
    assert first.text.isalnum()


def test_a_secret_is_for_stores_alone(dev: Development, app: Component) -> None:
    dev.manage("upsert-container-info", name="untyped", key="untyped's")

    def secret(key: str) -> tuple[int, str]:
        return dev.ask("arbiter", "GET", "/store/secret", key).said

    assert secret("nobody's") == (401, "Invalid API key")
    assert secret("untyped's") == (500, "Container type unknown by arbiter")
    assert secret(app.key) == (
        403,
        'Container type "app" cannot use arbiter token minting capabilities'
        " as it is not a store type",
    )


def test_the_root_catalogue_begins_as_it_did_in_2017(dev: Development) -> None:
    text = dev.ask("arbiter", "GET", "/cat", "unknown").text
    pairs = [{"rel": rel, "val": val} for rel, val in ROOT]
    whole = json.dumps({"catalogue-metadata": pairs, "items": []}, separators=(",", ":"))
    assert text == whole


def test_the_root_catalogue_shows_a_store_to_who_may_read_its_own(
    dev: Development, app: Component
) -> None:
    def hosts(**query: str) -> list[str]:
        words = "&".join(f"{name}={value}" for name, value in query.items())
        answer = dev.ask("arbiter", "GET", f"/cat?{words}", app.key)
        return [item["href"] for item in answer.json()["items"]]

    demo = f"https://demo:{dev.ports['demo']}"
    assert hosts() == []
    app.may("GET", "/cat")
    assert hosts() == [demo]
    assert hosts(href=demo) == [demo]
    assert hosts(val="demo", rel="urn:X-hypercat:rels:hasDescription:en") == [demo]
    assert hosts(val="other") == []


def test_body_that_is_no_json_is_refused(dev: Development, app: Component) -> None:
    kind = {"Content-Type": "application/json"}
    assert dev.ask("arbiter", "POST", "/token", app.key, b"{", headers=kind).status == 400
