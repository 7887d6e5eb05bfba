"""The interface of 2017: exact answers, and what it left open."""

import base64
import json
from typing import Any

import apsw
import pytest
from tests.unit.arbiter.world import NOW, MakeWorld, World, key

from databox.arbiter.launch import Setting
from databox.kit.http.message import Request
from databox.wire import tokens
from databox.wire.ledger import Granted, Refused, Revoked, TokenMinted

LOAD = {"target": "os-store", "path": "/load/*", "method": "GET"}
GRANT = "/cm/grant-container-permissions"
REVOKE = "/cm/revoke-container-permissions"
UPSERT = "/cm/upsert-container-info"
DELETE = "/cm/delete-container-info"


def granted(world: World, name: str = "graph", *, caveats: Any = None, **route: str) -> Any:
    body = {"name": name, "route": LOAD | route}
    if caveats is not None:
        body["caveats"] = caveats
    response = world.ask("POST", GRANT, body)
    assert response.status == 200, response.body
    return json.loads(response.body)


def with_secret(world: World) -> str:
    return world.ask("GET", "/store/secret", by="os-store").body.decode()


def lines(token: bytes) -> list[str]:
    return list(tokens.parse(token.decode()).caveats)


# Credentials.


def test_status_needs_no_credential(world: World) -> None:
    response = world.send(Request("GET", "/status", "", {}, "/status", caller="graph"))
    assert (response.status, response.body) == (200, b"active")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/cat"),
        ("GET", "/store/secret"),
        ("POST", "/token"),
        ("POST", UPSERT),
        ("POST", DELETE),
        ("POST", GRANT),
        ("POST", REVOKE),
    ],
)
def test_without_a_credential_nothing_is_told(world: World, method: str, path: str) -> None:
    response = world.send(Request(method, path, "", {}, path, caller="manager"))
    assert (response.status, response.body) == (401, b"Missing API key")


@pytest.mark.parametrize("path", [UPSERT, DELETE, GRANT, REVOKE])
def test_only_the_manager_manages(world: World, path: str) -> None:
    response = world.ask("POST", path, {"name": "x"}, by="graph")
    assert (response.status, response.body) == (401, b"Unauthorized: Arbiter key invalid")


@pytest.mark.parametrize("path", [UPSERT, DELETE, GRANT, REVOKE])
def test_the_managers_key_manages_on_its_own_pair_alone(world: World, path: str) -> None:
    response = world.ask("POST", path, {"name": "x"}, by="graph", x_api_key=key("manager"))
    assert (response.status, response.body) == (401, b"Unauthorized: Arbiter key invalid")


@pytest.mark.parametrize("path", ["/STORE/Secret", "/store/secret/"])
def test_case_and_a_slash_at_the_end_do_not_matter(world: World, path: str) -> None:
    assert world.ask("GET", path, by="os-store").status == 200


def test_basic_authentication_serves_as_well(world: World) -> None:
    basic = base64.b64encode(f"{key('os-store')}:".encode()).decode()
    response = world.ask(
        "GET", "/store/secret", by="os-store", x_api_key="", authorization=f"Basic {basic}"
    )
    assert response.status == 200


def test_a_stolen_key_is_of_no_use_on_another_pair(world: World) -> None:
    response = world.ask("GET", "/store/secret", by="graph", x_api_key=key("os-store"))
    assert (response.status, response.body) == (401, b"Invalid API key")


def test_without_pairs_the_key_alone_tells_who_calls(make_world: MakeWorld) -> None:
    world = make_world(setting=Setting(pairs=False))
    assert world.ask("GET", "/store/secret", by="", x_api_key=key("os-store")).status == 200


# Records.


def test_upsert_answers_what_was_posted_and_the_item_of_a_new_store(world: World) -> None:
    posted = {"name": "new-store", "type": "store", "key": "k", "colour": "blue"}
    response = world.ask("POST", UPSERT, posted)
    assert json.loads(response.body) == posted | {
        "catItem": {
            "item-metadata": [
                {
                    "rel": "urn:X-hypercat:rels:isContentType",
                    "val": "application/vnd.hypercat.catalogue+json",
                },
                {"rel": "urn:X-hypercat:rels:hasDescription:en", "val": "new-store"},
            ],
            "href": "https://new-store:8080",
        }
    }


def test_upsert_merges_field_by_field(world: World) -> None:
    world.ask("POST", UPSERT, {"name": "thing", "key": "k", "a": 1})
    response = world.ask("POST", UPSERT, {"name": "thing", "a": 2, "b": 3})
    assert response.body == b'{"name":"thing","key":"k","a":2,"b":3}'


def test_upsert_takes_a_form(world: World) -> None:
    response = world.ask(
        "POST", UPSERT, b"name=thing&type=app", content_type="application/x-www-form-urlencoded"
    )
    assert json.loads(response.body) == {"name": "thing", "type": "app"}


def test_a_posted_item_replaces_the_made_one(world: World) -> None:
    item = {"item-metadata": [], "href": "https://127.0.0.3:8080"}
    posted = {"name": "new-store", "type": "store", "catItem": item}
    assert json.loads(world.ask("POST", UPSERT, posted).body)["catItem"] == item


@pytest.mark.parametrize("path", [UPSERT, DELETE])
@pytest.mark.parametrize("body", [None, {}, {"name": ""}, [], b"not json at all"])
def test_a_record_needs_a_name(world: World, path: str, body: Any) -> None:
    response = world.ask("POST", path, body)
    assert response.status == 400
    if not isinstance(body, bytes):
        assert response.body == b"Missing parameters"


@pytest.mark.parametrize("name", ["a:b", "a/b", "a b", "x" * 65, "é", "-", 5, {"a": 1}])
def test_a_name_that_cannot_stand_in_a_token_is_refused(world: World, name: Any) -> None:
    assert world.ask("POST", UPSERT, {"name": name}).status == 400


@pytest.mark.parametrize("field", ["secret", "caveats", "paths", "key_digest", "id"])
def test_a_posted_field_never_reaches_what_the_arbiter_keeps(world: World, field: str) -> None:
    secret = with_secret(world)
    granted(world)
    world.ask("POST", UPSERT, {"name": "os-store", field: "evil"})
    assert with_secret(world) == secret
    assert lines(world.token("graph", "os-store", "/load/ts").body)[0] == "target = os-store"


def test_delete_forgets_the_record_its_secret_and_its_grants(world: World) -> None:
    with_secret(world)
    granted(world)
    assert world.ask("POST", DELETE, {"name": "graph"}).body == b""
    assert world.token("graph", "os-store", "/load/ts").body == b"Invalid API key"
    assert world.ask("POST", DELETE, {"name": "graph"}).status == 200
    assert len(world.entries(Revoked)) == 1


# Secrets.


def test_a_store_gets_the_same_secret_at_each_call(world: World) -> None:
    secret = with_secret(world)
    assert tokens.is_secret(secret)
    assert with_secret(world) == secret


def test_an_app_gets_no_secret(world: World) -> None:
    response = world.ask("GET", "/store/secret", by="graph")
    assert response.status == 403
    assert response.body == (
        b'Container type "app" cannot use arbiter token minting capabilities'
        b" as it is not a store type"
    )


def test_a_component_without_type_gets_no_secret(world: World) -> None:
    world.ask("POST", UPSERT, {"name": "thing", "key": key("thing")})
    response = world.ask("GET", "/store/secret", by="thing")
    assert (response.status, response.body) == (500, b"Container type unknown by arbiter")


def test_an_unknown_key_gets_no_secret(world: World) -> None:
    response = world.ask("GET", "/store/secret", by="stranger")
    assert (response.status, response.body) == (401, b"Invalid API key")


# Tokens.


def test_a_token_has_its_parts_in_the_known_order(world: World) -> None:
    secret = with_secret(world)
    granted(world, path="/load/ts", caveats=["startTimestamp >= 5"])
    response = world.token("graph", "os-store", "/load/ts")
    macaroon = tokens.parse(response.body.decode())
    tokens.verify(macaroon, secret)
    assert macaroon.location == "https://arbiter:443"
    assert macaroon.identifier.startswith("graph:g1:")
    assert macaroon.caveats == (
        "target = os-store",
        "path = /load/ts",
        "method = GET",
        "startTimestamp >= 5",
    )


def test_each_token_has_an_identifier_of_its_own(world: World) -> None:
    with_secret(world)
    granted(world)
    two = [tokens.parse(world.token("graph", "os-store", "/load/ts").body.decode()) for _ in "12"]
    assert two[0].identifier != two[1].identifier


@pytest.mark.parametrize("missing", ["target", "path", "method"])
def test_a_token_needs_all_parameters(world: World, missing: str) -> None:
    body = {key: value for key, value in LOAD.items() if key != missing}
    response = world.ask("POST", "/token", body, by="graph")
    assert (response.status, response.body) == (400, b"Missing parameters")


def test_the_checks_of_a_token_come_in_their_order(world: World) -> None:
    stranger = world.ask("POST", "/token", {}, by="stranger")
    assert (stranger.status, stranger.body) == (401, b"Invalid API key")
    assert world.ask("POST", "/token", {}, by="graph").body == b"Missing parameters"
    unknown = world.token("graph", "nowhere", "/x")
    assert (unknown.status, unknown.body) == (
        400,
        b"Target nowhere has not been approved for arbitering",
    )
    early = world.token("graph", "os-store", "/x")
    assert (early.status, early.body) == (
        400,
        b"Target os-store has not registered itself for arbitering",
    )
    with_secret(world)
    refused = world.token("graph", "os-store", "/x")
    assert (refused.status, refused.body) == (401, b"Insufficient route permissions")


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/load/ts/latest", "GET", 200),
        ("/LOAD/ts", "GET", 200),
        ("/load/*", "GET", 200),
        ("/load", "GET", 401),
        ("/load2/ts", "GET", 401),
        ("/load/ts", "POST", 401),
        ("/load/ts", "get", 401),
        ("/load/(.{5})", "GET", 400),
        ("/" + "x" * 300, "GET", 400),
    ],
)
def test_a_wildcard_covers(world: World, path: str, method: str, status: int) -> None:
    with_secret(world)
    granted(world)
    assert world.token("graph", "os-store", path, method).status == status


def test_a_grant_is_for_its_client_alone(world: World) -> None:
    with_secret(world)
    granted(world)
    assert world.token("hello", "os-store", "/load/ts").status == 401


def test_a_wildcards_caveats_are_kept_for_a_concrete_path(world: World) -> None:
    world.ask("GET", "/store/secret", by="export-service")
    route = {"target": "export-service", "path": "/lp/export/", "method": "POST"}
    granted(world, **route, caveats=['destination = ["https://a.example"]'])
    token = world.token("graph", "export-service", "/lp/export", "POST")
    assert 'destination = ["https://a.example"]' in lines(token.body)


def test_a_pattern_in_a_token_does_not_reach_beyond_the_granted_one(world: World) -> None:
    with_secret(world)
    granted(world, path="/:source/ts")
    token = world.token("graph", "os-store", "/(.*)/ts")
    assert lines(token.body)[-1] == "path = /:source/ts"


def test_a_lifetime_may_be_asked_for(world: World) -> None:
    with_secret(world)
    granted(world)
    token = world.token("graph", "os-store", "/load/ts", lifetime=60)
    assert lines(token.body)[-1] == f"time < {NOW + 60_000}"
    assert world.token("graph", "os-store", "/load/ts", lifetime="x").status == 400


def test_the_client_may_name_the_grant(world: World) -> None:
    with_secret(world)
    granted(world)
    granted(world, path="/load/ts", caveats=["startTimestamp >= 5"])
    assert len(lines(world.token("graph", "os-store", "/load/ts").body)) == 4
    assert len(lines(world.token("graph", "os-store", "/load/ts", grant="g1").body)) == 3
    assert world.token("graph", "os-store", "/load/ts", grant="g9").status == 401


def test_a_client_cannot_fill_the_ledger_with_tokens(world: World) -> None:
    with_secret(world)
    granted(world)
    answers = [world.token("graph", "os-store", "/load/ts").status for _ in range(620)]
    assert answers.count(200) == len(world.entries(TokenMinted)) == 600
    world.clock.advance(60_000)
    assert world.token("graph", "os-store", "/load/ts").status == 200


# Grants and revocation.


def test_granting_answers_the_caveats_of_that_route(world: World) -> None:
    assert granted(world) == []
    assert granted(world, caveats=["time < 5"]) == ["time < 5"]
    assert granted(world, caveats=["endTimestamp <= 9"]) == ["time < 5", "endTimestamp <= 9"]
    assert granted(world) == ["time < 5", "endTimestamp <= 9"]


def test_granting_takes_a_form(world: World) -> None:
    form = (
        b"name=graph&route%5Btarget%5D=os-store&route[path]=%2Fload%2F*&route[method]=GET"
        b"&caveats[0]=time+%3C+5&caveats[1]=startTimestamp+%3E%3D+1"
    )
    response = world.ask("POST", GRANT, form, content_type="application/x-www-form-urlencoded")
    assert json.loads(response.body) == ["time < 5", "startTimestamp >= 1"]


def test_a_caveat_added_later_ends_tokens_without_it(world: World) -> None:
    granted(world)
    granted(world, caveats=["time < 5"])
    assert world.state.grants.epoch("os-store", NOW).ended == ("g1",)


def test_granting_makes_a_record_for_an_unknown_name(world: World) -> None:
    granted(world, "unheard-of")
    assert world.state.records.find("unheard-of") is not None


@pytest.mark.parametrize("path", [GRANT, REVOKE])
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "graph"},
        {"route": LOAD},
        {"name": "graph", "route": "x"},
        *({"name": "graph", "route": LOAD | {each: ""}} for each in LOAD),
    ],
)
def test_a_route_needs_all_its_parts(world: World, path: str, body: Any) -> None:
    response = world.ask("POST", path, body)
    assert (response.status, response.body) == (400, b"Missing parameters")


@pytest.mark.parametrize("caveats", [[5], {"a": "b"}, ["x\ny"], ["x" * 7000], ["a"] * 2 + [None]])
def test_caveats_are_texts_within_bounds(world: World, caveats: Any) -> None:
    body = {"name": "graph", "route": LOAD, "caveats": caveats}
    assert world.ask("POST", GRANT, body).status == 400


def test_revoking_a_route_answers_null_and_refuses_the_next_token(world: World) -> None:
    with_secret(world)
    granted(world)
    response = world.ask("POST", REVOKE, {"name": "graph", "route": LOAD})
    assert response.body == b"null"
    assert world.token("graph", "os-store", "/load/ts").status == 401


@pytest.mark.parametrize("exact", ["/foo/bar", "/foo/*"])
def test_revoking_a_wildcard_takes_exact_routes_along(world: World, exact: str) -> None:
    with_secret(world)
    granted(world, path=exact)
    world.ask("POST", REVOKE, {"name": "graph", "route": LOAD | {"path": "/*"}})
    assert world.token("graph", "os-store", "/foo/bar").status == 401


def test_revoking_leaves_other_methods_targets_and_names(world: World) -> None:
    with_secret(world)
    granted(world, method="POST")
    granted(world, "hello")
    world.ask("POST", REVOKE, {"name": "graph", "route": LOAD | {"path": "/*"}})
    assert world.token("graph", "os-store", "/load/ts", "POST").status == 200
    assert world.token("hello", "os-store", "/load/ts").status == 200


def test_revoking_caveats_answers_those_that_stay(world: World) -> None:
    granted(world, caveats=["time < 5", "endTimestamp <= 9"])
    body = {"name": "graph", "route": LOAD, "caveats": ["time < 5"]}
    assert world.ask("POST", REVOKE, body).body == b'["endTimestamp <= 9"]'
    assert world.ask("POST", REVOKE, body | {"name": "hello"}).body == b"[]"


# The root catalogue.


def test_the_manager_sees_every_store(world: World) -> None:
    items = json.loads(world.ask("GET", "/cat").body)["items"]
    assert [item["href"] for item in items] == ["https://os-store:443"]


def test_an_app_sees_only_stores_whose_catalogue_it_may_read(world: World) -> None:
    granted(world)
    assert json.loads(world.ask("GET", "/cat", by="graph").body)["items"] == []
    granted(world, path="/cat")
    assert len(json.loads(world.ask("GET", "/cat", by="graph").body)["items"]) == 1


def test_an_unknown_key_sees_an_empty_catalogue(world: World) -> None:
    response = world.ask("GET", "/cat", by="graph", x_api_key="unknown")
    assert response.status == 200
    assert json.loads(response.body)["items"] == []


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 1),
        ("val=os-store", 1),
        ("val=other", 0),
        ("href=https%3A%2F%2Fos-store%3A443", 1),
        ("rel=urn:X-hypercat:rels:hasDescription:en&val=os-store", 1),
    ],
)
def test_the_catalogue_can_be_searched(world: World, query: str, count: int) -> None:
    assert len(json.loads(world.ask("GET", f"/cat?{query}").body)["items"]) == count


# The page, the ledger, restarts.


def test_the_page_shows_routes_and_caveats_and_no_key(world: World) -> None:
    granted(world, caveats=["time < 5"])
    page = world.ask("GET", "/ui", by="gateway").body.decode()
    assert "GET os-store /load/*" in page
    assert "time &lt; 5" in page
    assert key("graph") not in page
    assert world.ask("GET", "/ui", by="graph").status == 401


def test_changes_are_written_down(world: World) -> None:
    with_secret(world)
    granted(world)
    world.token("graph", "os-store", "/load/ts")
    world.ask("POST", REVOKE, {"name": "graph", "route": LOAD})
    (made,), (minted,), (ended,) = map(world.entries, (Granted, TokenMinted, Revoked))
    assert (made.grant, made.client, made.routes) == ("g1", "graph", ("GET /load/*",))
    assert (minted.grant, minted.path) == ("g1", "/load/ts")
    assert ended.grant == "g1"


def test_a_refusal_is_written_down_once_a_minute(world: World) -> None:
    with_secret(world)
    for _ in range(5):
        world.token("graph", "os-store", "/load/ts")
    assert [entry.count for entry in world.entries(Refused)] == [1]
    world.clock.advance(60_000)
    world.arbiter.tend()
    first, rest = world.entries(Refused)
    assert (first.client, first.target, first.method, first.path, first.why) == (
        "graph",
        "os-store",
        "GET",
        "/load/ts",
        "Insufficient route permissions",
    )
    assert rest.count == 4


def test_a_change_whose_entry_cannot_be_written_does_not_happen(world: World) -> None:
    with_secret(world)
    world.connection.execute("DROP TABLE entry")
    response = world.ask("POST", GRANT, {"name": "graph", "route": LOAD})
    assert response.status == 503
    assert world.state.grants.all(ended=True) == ()


def test_an_entry_is_not_written_for_a_change_that_fails(world: World) -> None:
    world.connection.execute("DROP TABLE arbiter_grant")
    response = world.ask("POST", GRANT, {"name": "graph", "route": LOAD})
    assert response.status == 503
    assert world.stored() == 0


def test_everything_survives_a_restart(make_world: MakeWorld) -> None:
    connection = apsw.Connection(":memory:")
    before = make_world(connection)
    secret = with_secret(before)
    granted(before, caveats=["startTimestamp >= 5"])
    after = make_world(connection)
    assert with_secret(after) == secret
    assert "startTimestamp >= 5" in lines(after.token("graph", "os-store", "/load/ts").body)


def test_a_grant_id_is_never_used_again(make_world: MakeWorld) -> None:
    connection = apsw.Connection(":memory:")
    granted(make_world(connection))
    connection.execute("DELETE FROM arbiter_grant")
    world = make_world(connection)
    granted(world)
    assert world.entries(Granted)[0].grant == "g2"
