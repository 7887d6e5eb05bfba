"""Components, grants and epochs, between the parts of the box."""

import json
from typing import Any

import pytest
from tests.unit.arbiter.world import NOW, World, key

from databox.kit.guard import EndedGrants, Guard
from databox.kit.http.message import Request, Response
from databox.wire.errors import Denied
from databox.wire.ledger import Granted, Revoked

GRANT: dict[str, Any] = {
    "client": "graph",
    "target": "os-store",
    "kind": "source",
    "routes": [{"method": "GET", "path": "/load/*"}, {"method": "GET", "path": "/cat"}],
    "caveats": ['datasources = ["load"]', f"time < {NOW + 1000}"],
    "source": "load",
    "until": NOW + 1000,
}


def make(world: World, **changed: Any) -> Response:
    return world.ask("POST", "/grants", GRANT | changed)


def made(world: World, **changed: Any) -> str:
    return str(json.loads(make(world, **changed).body)["id"])


def epoch(world: World, by: str = "os-store") -> dict[str, Any]:
    return dict(json.loads(world.ask("GET", "/epoch", by=by).body))


def in_force(world: World) -> list[str]:
    return [grant["id"] for grant in json.loads(world.ask("GET", "/grants").body)["grants"]]


# Components.


@pytest.mark.parametrize(
    ("by", "kind", "status"),
    [
        ("manager", "app", 200),
        ("manager", "driver", 200),
        ("manager", "store", 403),
        ("manager", "part", 403),
        ("box", "store", 200),
        ("box", "part", 200),
        ("graph", "app", 403),
    ],
)
def test_who_may_make_a_component_known(world: World, by: str, kind: str, status: int) -> None:
    body = {"name": "newcomer", "type": kind, "key": key("newcomer")}
    assert world.ask("POST", "/components", body, by=by).status == status


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "A:b"), ("key", "???"), ("key", "c2hvcnQ="), ("type", "king"), ("extra", 1)],
)
def test_a_component_that_is_malformed_is_refused(world: World, field: str, value: object) -> None:
    body = {"name": "newcomer", "type": "app", "key": key("newcomer"), field: value}
    assert world.ask("POST", "/components", body).status == 400


def test_a_component_does_not_change_its_type(world: World) -> None:
    body = {"name": "os-store", "type": "app", "key": key("evil")}
    assert world.ask("POST", "/components", body).status == 409


def test_a_new_key_replaces_the_old_one(world: World) -> None:
    world.ask(
        "POST", "/components", {"name": "os-store", "type": "store", "key": key("n")}, by="box"
    )
    assert world.ask("GET", "/store/secret", by="os-store").status == 401
    assert world.ask("GET", "/store/secret", by="os-store", x_api_key=key("n")).status == 200


def test_a_components_key_is_not_in_the_database(world: World) -> None:
    dump = str(world.connection.execute("SELECT * FROM arbiter_record").fetchall())
    assert key("graph") not in dump


@pytest.mark.parametrize("name", ["graph", "os-store"])
def test_removing_a_component_ends_its_grants_on_either_side(world: World, name: str) -> None:
    made(world)
    assert world.ask("POST", f"/components/{name}/remove").status == 200
    assert in_force(world) == []
    assert [entry.why for entry in world.entries(Revoked)] == ["uninstall"]


def test_a_part_of_the_box_cannot_be_removed(world: World) -> None:
    assert world.ask("POST", "/components/manager/remove").status == 403


def test_a_removed_store_that_comes_back_has_another_secret(world: World) -> None:
    before = world.ask("GET", "/store/secret", by="os-store").body
    world.ask("POST", "/components/os-store/remove")
    again = {"name": "os-store", "type": "store", "key": key("os-store")}
    world.ask("POST", "/components", again, by="box")
    assert world.ask("GET", "/store/secret", by="os-store").body != before


# Grants.


def test_a_grant_reads_back_as_it_was_asked_for(world: World) -> None:
    grant = json.loads(make(world).body)
    listed = json.loads(world.ask("GET", "/grants").body)["grants"]
    assert listed == [grant]
    assert {key: grant[key] for key in GRANT if key != "routes"} == {
        key: value for key, value in GRANT.items() if key != "routes"
    }
    assert (grant["id"], grant["made"], grant["ended"]) == ("g1", NOW, None)


def test_a_grant_is_written_down(world: World) -> None:
    make(world)
    (entry,) = world.entries(Granted)
    assert entry.routes == ("GET /load/*", "GET /cat")
    assert entry.caveats == tuple(GRANT["caveats"])


@pytest.mark.parametrize("side", ["client", "target"])
def test_a_grant_needs_two_known_sides(world: World, side: str) -> None:
    assert make(world, **{side: "nobody"}).status == 404


def test_a_grant_whose_words_and_caveats_differ_is_refused(world: World) -> None:
    assert make(world, until=None).status == 400


def test_ending_a_grant_refuses_the_next_token(world: World) -> None:
    world.ask("GET", "/store/secret", by="os-store")
    grant = made(world)
    assert world.token("graph", "os-store", "/load/ts").status == 200
    ended = json.loads(world.ask("POST", f"/grants/{grant}/end").body)
    assert ended["ended"] == NOW
    assert world.token("graph", "os-store", "/load/ts").status == 401


def test_ending_a_grant_twice_changes_nothing(world: World) -> None:
    grant = made(world)
    first = world.ask("POST", f"/grants/{grant}/end").body
    world.clock.advance(5)
    assert world.ask("POST", f"/grants/{grant}/end").body == first
    assert epoch(world)["epoch"] == 1
    assert len(world.entries(Revoked)) == 1


@pytest.mark.parametrize("grant", ["g99", "x1", "g", "g01", "g-1", "g9999999999999999999999"])
def test_a_grant_that_is_not_there_cannot_be_ended(world: World, grant: str) -> None:
    made(world)
    assert world.ask("POST", f"/grants/{grant}/end").status == 404


def test_a_grant_ends_by_itself_when_its_time_is_over(world: World) -> None:
    grant = made(world)
    world.clock.advance(1000)
    assert in_force(world) == []
    world.arbiter.tend()
    (entry,) = world.entries(Revoked)
    assert (entry.grant, entry.why) == (grant, "expiry")
    assert epoch(world)["ended"] == [grant]


def test_a_grant_remembers_when_it_was_last_used(world: World) -> None:
    world.ask("GET", "/store/secret", by="os-store")
    made(world)
    world.clock.advance(7)
    world.token("graph", "os-store", "/load/ts")
    assert json.loads(world.ask("GET", "/grants").body)["grants"][0]["last_used"] == NOW + 7


def test_revoking_one_route_leaves_the_others_under_a_new_grant(world: World) -> None:
    world.ask("GET", "/store/secret", by="os-store")
    made(world)
    route = {"target": "os-store", "path": "/load/*", "method": "GET"}
    world.ask("POST", "/cm/revoke-container-permissions", {"name": "graph", "route": route})
    assert in_force(world) == ["g2"]
    assert world.token("graph", "os-store", "/load/ts").status == 401
    assert b"datasources" in _text(world.token("graph", "os-store", "/cat"))


def _text(response: Response) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(response.body + b"=" * (-len(response.body) % 4))


# Epochs.


def test_the_epoch_counts_the_ends_of_grants_on_the_caller(world: World) -> None:
    assert epoch(world) == {"epoch": 0, "ended": [], "now": NOW}
    first, _, third = made(world), made(world), made(world)
    for grant in (first, third):
        world.ask("POST", f"/grants/{grant}/end")
    assert epoch(world) == {"epoch": 2, "ended": [first, third], "now": NOW}
    assert epoch(world, by="export-service") == {"epoch": 0, "ended": [], "now": NOW}


def test_the_epoch_of_a_stranger_is_not_told(world: World) -> None:
    assert world.ask("GET", "/epoch", by="stranger").status == 404


def test_a_store_that_has_the_epoch_refuses_tokens_of_ended_grants(world: World) -> None:
    secret = world.ask("GET", "/store/secret", by="os-store").body.decode()
    grant = made(world, caveats=[f"time < {NOW + 1000}"], kind="act")
    token = world.token("graph", "os-store", "/load/ts").body.decode()
    request = Request("GET", "/load/ts", "", {"x-api-key": token}, "/load/ts", caller="graph")
    ended = EndedGrants(0, ())
    guard = Guard("os-store", secret, world.clock, ended)
    assert guard.check(request).grant == grant
    world.ask("POST", f"/grants/{grant}/end")
    told = epoch(world)
    ended.apply(told["epoch"], told["ended"])
    with pytest.raises(Denied, match="stopped"):
        guard.check(request)


def test_time_goes_on_from_where_it_was_after_a_restart(world: World) -> None:
    world.clock.advance(10 * 60_000)
    epoch(world)
    world.clock.advance(-60 * 60_000)
    assert world.state.steady(world.clock).now() == NOW + 10 * 60_000
