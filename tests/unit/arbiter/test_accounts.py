"""The owner, signing in, sessions, and tokens for whoever is signed in."""

import json
from typing import Any

import apsw
import pytest
from tests.unit.arbiter.world import MakeWorld, World

from databox.arbiter.people import MAX_SESSIONS, digest
from databox.kit.guard import EndedGrants, Guard
from databox.kit.http.message import Request, Response
from databox.wire.errors import Denied
from databox.wire.ledger import Login, Refused, TokenMinted

THUMBPRINT = "t" * 43
RIGHT = "correct horse battery"
OWNER = {"name": "Ada", "passphrase": RIGHT, "recovery_part": "K7Q2X"}
DAY = 24 * 3_600_000


def post(world: World, path: str, body: dict[str, Any], by: str = "gateway") -> Response:
    return world.ask("POST", path, body, by=by)


def sign_in(world: World, passphrase: str = RIGHT) -> Response:
    return post(world, "/sessions", {"passphrase": passphrase, "thumbprint": THUMBPRINT})


def session(world: World) -> str:
    return digest(json.loads(sign_in(world).body)["session"])


def code(response: Response) -> str:
    return str(json.loads(response.body)["error"]["code"])


@pytest.fixture
def owned(world: World) -> World:
    """A box with an owner."""
    assert post(world, "/owner", OWNER).status == 200
    return world


def test_the_owner_is_made_once(owned: World) -> None:
    assert code(post(owned, "/owner", OWNER)) == "owner-exists"
    assert json.loads(owned.ask("GET", "/owner", by="gateway").body)["user"] == "Ada"


def test_a_box_without_owner_says_so(world: World) -> None:
    assert world.ask("GET", "/owner", by="gateway").status == 404
    assert code(sign_in(world)) == "no-owner"


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", " "), ("name", "a\nb"), ("name", "x" * 61), ("passphrase", "short")],
)
def test_an_account_that_cannot_be_kept_is_refused(world: World, field: str, value: str) -> None:
    assert post(world, "/owner", OWNER | {field: value}).status == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/owner"),
        ("GET", "/owner"),
        ("POST", "/sessions"),
        ("POST", "/sessions/check"),
        ("POST", "/user-token"),
        ("POST", "/sessions/operator"),
        ("POST", "/owner/passphrase"),
        ("POST", "/owner/recovery"),
        ("POST", "/components"),
        ("POST", "/grants"),
        ("GET", "/grants"),
    ],
)
def test_an_app_is_denied_and_that_is_written_down(owned: World, method: str, path: str) -> None:
    assert owned.ask(method, path, {}, by="graph").status == 403
    assert [(entry.client, entry.path) for entry in owned.entries(Refused)] == [("graph", path)]


def test_the_passphrase_is_not_in_the_database(owned: World) -> None:
    dump = str(owned.connection.execute("SELECT * FROM arbiter_owner").fetchall())
    assert RIGHT not in dump
    assert "k7q2x" not in dump.lower()


# Signing in.


def test_the_right_passphrase_opens_a_session_of_thirty_days(owned: World) -> None:
    held = json.loads(post(owned, "/sessions/check", {"digest": session(owned)}).body)
    now = owned.clock.now()
    assert held == {
        "user": "Ada",
        "role": "owner",
        "thumbprint": THUMBPRINT,
        "expires": now + 30 * DAY,
        "proven": False,
    }


def test_the_session_itself_is_not_in_the_database(owned: World) -> None:
    opened = json.loads(sign_in(owned).body)["session"]
    dump = str(owned.connection.execute("SELECT * FROM arbiter_session").fetchall())
    assert opened not in dump


def test_a_wrong_passphrase_is_refused_and_written_down(owned: World) -> None:
    assert code(sign_in(owned, "wrong")) == "wrong-passphrase"
    (entry,) = owned.entries(Login)
    assert (entry.user, entry.ok, entry.session) == ("Ada", False, "")


def test_after_several_wrong_ones_even_the_right_one_has_to_wait(owned: World) -> None:
    for _ in range(5):
        assert code(sign_in(owned, "wrong")) == "wrong-passphrase"
    refused = sign_in(owned)
    assert code(refused) == "too-many-tries"
    assert b"Wait 1 seconds" in refused.body
    owned.clock.advance(1000)
    assert sign_in(owned).status == 200


def test_the_wait_survives_a_restart(make_world: MakeWorld) -> None:
    connection = apsw.Connection(":memory:")
    before = make_world(connection)
    post(before, "/owner", OWNER)
    for _ in range(5):
        sign_in(before, "wrong")
    assert code(sign_in(make_world(connection))) == "too-many-tries"


def test_the_wait_is_not_shortened_by_setting_the_clock_back(owned: World) -> None:
    for _ in range(5):
        sign_in(owned, "wrong")
    owned.clock.advance(-DAY)
    assert b"Wait 1 seconds" in sign_in(owned).body


def test_a_right_one_forgives_the_wrong_ones(owned: World) -> None:
    for _ in range(3):
        for _ in range(3):
            sign_in(owned, "wrong")
        assert sign_in(owned).status == 200


def test_a_new_passphrase_signs_every_browser_out(owned: World) -> None:
    opened = session(owned)
    assert post(owned, "/owner/passphrase", {"passphrase": "another one"}, by="box").status == 200
    assert post(owned, "/sessions/check", {"digest": opened}).status == 401
    assert code(sign_in(owned)) == "wrong-passphrase"
    assert sign_in(owned, "another one").status == 200


@pytest.mark.parametrize(("part", "status"), [("K7Q2X", 200), (" k7q2x ", 200), ("WRONG", 400)])
def test_the_recovery_code_is_proven_by_its_last_part(owned: World, part: str, status: int) -> None:
    assert post(owned, "/owner/recovery-proof", {"part": part}).status == status


def test_nothing_of_the_recovery_code_is_kept_once_it_is_proven(owned: World) -> None:
    post(owned, "/owner/recovery-proof", {"part": "K7Q2X"})
    assert owned.state.people.owner().recovery == ""


def test_the_recovery_part_cannot_be_guessed_through(owned: World) -> None:
    codes = [code(post(owned, "/owner/recovery-proof", {"part": str(n)})) for n in range(6)]
    assert codes[-1] == "too-many-tries"


def proven(world: World) -> bool:
    return bool(json.loads(world.ask("GET", "/owner", by="gateway").body).get("proven", False))


def test_the_recovery_code_counts_as_proven_only_once_it_was_typed(owned: World) -> None:
    before = proven(owned)
    post(owned, "/owner/recovery-proof", {"part": "K7Q2X"})
    assert (before, proven(owned)) == (False, True)


def test_a_new_recovery_code_is_to_be_proven_in_place_of_the_old(owned: World) -> None:
    post(owned, "/owner/recovery-proof", {"part": "K7Q2X"})
    assert post(owned, "/owner/recovery", {"part": "W3W3W"}, by="box").status == 200
    assert not proven(owned)
    assert code(post(owned, "/owner/recovery-proof", {"part": "K7Q2X"})) == "recovery-part"
    assert post(owned, "/owner/recovery-proof", {"part": "w3w3w"}).status == 200
    assert proven(owned)


def test_the_gateway_cannot_say_what_the_recovery_code_is(owned: World) -> None:
    assert post(owned, "/owner/recovery", {"part": "W3W3W"}).status == 403


def test_who_opened_the_box_by_the_recovery_code_has_it(owned: World) -> None:
    post(owned, "/owner/passphrase", {"passphrase": "another one"}, by="box")
    assert proven(owned)


def test_a_recovery_code_that_nobody_was_shown_cannot_be_proven(world: World) -> None:
    post(world, "/owner", OWNER | {"recovery_part": ""})
    assert not proven(world)
    assert code(post(world, "/owner/recovery-proof", {"part": ""})) == "recovery-lost"


# Sessions.


def test_a_session_ends_by_itself(owned: World) -> None:
    opened = session(owned)
    owned.clock.advance(30 * DAY)
    assert post(owned, "/sessions/check", {"digest": opened}).status == 401
    owned.arbiter.tend()
    assert owned.connection.execute("SELECT * FROM arbiter_session").fetchall() == []


def test_signing_out_ends_a_session(owned: World) -> None:
    opened = session(owned)
    assert post(owned, "/sessions/end", {"digest": opened}).status == 200
    assert post(owned, "/sessions/check", {"digest": opened}).status == 401


def test_the_oldest_session_goes_where_there_are_too_many(owned: World) -> None:
    with owned.state.transaction():
        for number in range(MAX_SESSIONS + 1):
            owned.state.people.open_session(THUMBPRINT, number)
    kept = owned.connection.execute("SELECT min(made), count(*) FROM arbiter_session").fetchall()
    assert kept == [(1, MAX_SESSIONS)]


def test_an_operators_session_ends_when_the_box_starts_again(make_world: MakeWorld) -> None:
    connection = apsw.Connection(":memory:")
    before = make_world(connection)
    post(before, "/owner", OWNER)
    browser = session(before)
    made = post(before, "/sessions/operator", {"thumbprint": THUMBPRINT}, by="box")
    operator = digest(json.loads(made.body)["session"])
    assert post(before, "/sessions/check", {"digest": operator}).status == 200
    after = make_world(connection)
    assert post(after, "/sessions/check", {"digest": operator}).status == 401
    assert post(after, "/sessions/check", {"digest": browser}).status == 200


def test_an_operators_session_can_be_made_before_there_is_an_owner(world: World) -> None:
    made = post(world, "/sessions/operator", {"thumbprint": THUMBPRINT}, by="box")
    assert json.loads(made.body)["user"] == "owner"


# Tokens of the signed-in person.


def user_token(world: World, target: str, path: str, method: str = "GET") -> Response:
    asked = {"digest": session(world), "target": target, "path": path, "method": method}
    return post(world, "/user-token", asked)


def request(path: str, token: str, caller: str = "gateway") -> Request:
    return Request("GET", path, "", {"x-api-key": token}, path, caller=caller)


def test_the_signed_in_owner_sees_the_grants(owned: World) -> None:
    token = json.loads(user_token(owned, "arbiter", "/api/grants").body)["token"]
    assert owned.send(request("/api/grants", token)).status == 200
    assert owned.send(request("/api/grants", token, caller="graph")).status == 401
    assert owned.send(request("/api/grants", "")).status == 401


def test_a_persons_token_is_good_at_its_target_for_five_minutes(owned: World) -> None:
    secret = owned.ask("GET", "/store/secret", by="os-store").body.decode()
    token = json.loads(user_token(owned, "os-store", "/load/ts/latest").body)["token"]
    guard = Guard("os-store", secret, owned.clock, EndedGrants(0, ()))
    verified = guard.check_owner(request("/load/ts/latest", token))
    assert (verified.client, verified.user) == ("gateway", "Ada")
    owned.clock.advance(5 * 60_000)
    with pytest.raises(Denied, match="expired"):
        guard.check(request("/load/ts/latest", token))


def test_a_persons_token_is_written_down(owned: World) -> None:
    user_token(owned, "ledger", "/api/history")
    (entry,) = owned.entries(TokenMinted)
    assert (entry.grant, entry.client, entry.target) == ("user", "gateway", "ledger")


@pytest.mark.parametrize(
    ("target", "path", "status"),
    [
        ("os-store", "/load/ts/latest", 503),
        ("gone-store", "/load/ts/latest", 404),
        ("os-store", "/elsewhere", 400),
    ],
)
def test_a_persons_token_needs_a_target_that_is_there(
    owned: World, target: str, path: str, status: int
) -> None:
    assert user_token(owned, target, path).status == status


def test_an_ended_session_gets_no_token(owned: World) -> None:
    asked = {"digest": "0" * 64, "target": "ledger", "path": "/api/history", "method": "GET"}
    assert post(owned, "/user-token", asked).status == 401
