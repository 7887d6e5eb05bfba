"""Revoking never widens what remains, whatever was granted and in whichever way it is ended."""

import json
from dataclasses import dataclass, field

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.arbiter.world import MakeWorld, World, key

from databox.kit.guard import EndedGrants, Guard
from databox.wire import tokens
from databox.wire.errors import Denied

CLIENTS = ("graph", "hello")
METHODS = ("GET", "POST")
PATHS = ("/*", "/load/*", "/load/ts", "/:source/ts", "/cat", "/ws")
ASKED = ("/load/ts", "/load/ts/latest", "/cat", "/load/*", "/*")
CAVEATS = (
    "granularity >= PT1M",
    "granularity >= P1D",
    "precision >= 1 km",
    "precision >= 100 m",
    'fields = ["lat","lon"]',
    'fields = ["lat"]',
    "rate <= 60/PT1M",
    "rate <= 5/PT1H",
    "startTimestamp >= 5",
    'datasources = ["load"]',
    "colour = blue",
)

ROUTES = st.fixed_dictionaries(
    {
        "target": st.just("os-store"),
        "method": st.sampled_from(METHODS),
        "path": st.sampled_from(PATHS),
    }
)
NAMED = st.fixed_dictionaries({"name": st.sampled_from(CLIENTS), "route": ROUTES})
GRANTS = st.lists(
    st.tuples(NAMED, st.lists(st.sampled_from(CAVEATS), max_size=3, unique=True)),
    min_size=1,
    max_size=6,
)
SEVERAL = st.lists(ROUTES, min_size=1, max_size=3)
ENDINGS = st.lists(
    st.one_of(
        NAMED.map(lambda named: ("route", named)),
        st.sampled_from(CLIENTS).map(lambda name: ("client", name)),
        st.integers(1, 9).map(lambda number: ("grant", f"g{number}")),
    ),
    min_size=1,
    max_size=4,
)
Permits = frozenset[tuple[str, str, str, frozenset[str]]]


@dataclass
class Book:
    """All that could ever be minted, looked up after each step."""

    world: World
    seen: set[str] = field(default_factory=set)

    def mintable(self) -> Permits:
        """For each client: method, path and the conditions under which it may be asked for.

        Tokens are asked for without a grant's name and with that of each there has been.
        """
        # So many tokens in one minute would be refused, and look like a permission that ended.
        self.world.clock.advance(60_000)
        return frozenset(
            (client, method, path, frozenset(tokens.parse(token).caveats))
            for client in CLIENTS
            for method in METHODS
            for path in ASKED
            for name in ("", *(f"g{number}" for number in range(1, 20)))
            if (token := self._token(client, method, path, name))
        )

    def _token(self, client: str, method: str, path: str, grant: str) -> str:
        answer = self.world.token(client, "os-store", path, method, grant=grant)
        assert answer.status in (200, 401), answer.body
        token = answer.body.decode() if answer.status == 200 else ""
        self.seen |= {token} if token else set()
        return token


def _end(world: World, ending: tuple[str, object]) -> None:
    match ending:
        case ("route", dict() as named):
            world.ask("POST", "/cm/revoke-container-permissions", named)
        case ("client", name):
            world.ask("POST", "/cm/delete-container-info", {"name": name})
            # It comes back, as after an update, without what it was allowed.
            with world.state.transaction():
                world.state.records.put(str(name), "app", key(str(name)))
        case (_, grant):
            world.ask("POST", f"/grants/{grant}/end")


def _play(
    make_world: MakeWorld,
    granted: list[tuple[dict[str, object], list[str]]],
    several: list[dict[str, object]],
    endings: list[tuple[str, object]],
) -> None:
    world = make_world(apsw.Connection(":memory:"))
    secret = world.ask("GET", "/store/secret", by="os-store").body.decode()
    for named, caveats in granted:
        body = {**named, "caveats": caveats} if caveats else named
        assert world.ask("POST", "/cm/grant-container-permissions", body).status == 200
    routes = [{"method": each["method"], "path": each["path"]} for each in several]
    whole = {"client": "graph", "target": "os-store", "kind": "part", "routes": routes}
    assert world.ask("POST", "/grants", whole).status == 200
    book = Book(world)
    before = book.mintable()
    for ending in endings:
        _end(world, ending)
        after = book.mintable()
        assert after <= before, ending
        _only_mintable_ones_pass(world, book, secret)
        before = after


def _only_mintable_ones_pass(world: World, book: Book, secret: str) -> None:
    """No token of an ended grant gets past the guard of a store that knows what ended."""
    told = json.loads(world.ask("GET", "/epoch", by="os-store").body)
    guard = Guard(
        "os-store", secret, world.clock, EndedGrants(told["epoch"], told["ended"]), pairs=False
    )
    for token in book.seen:
        grant = tokens.parse(token).identifier.split(":")[1]
        if grant in told["ended"]:
            with pytest.raises(Denied):
                guard.check(_Asked(), token)


@dataclass
class _Asked:
    method: str = "GET"
    path: str = "/load/ts"
    caller: str = "graph"
    headers: dict[str, str] = field(default_factory=dict)


OFTEN = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(OFTEN, max_examples=60)
@given(GRANTS, SEVERAL, ENDINGS)
def test_revoking_never_widens_what_can_be_minted(
    make_world: MakeWorld,
    granted: list[tuple[dict[str, object], list[str]]],
    several: list[dict[str, object]],
    endings: list[tuple[str, object]],
) -> None:
    _play(make_world, granted, several, endings)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(OFTEN, max_examples=2000)
@given(GRANTS, SEVERAL, ENDINGS)
def test_revoking_never_widens_what_can_be_minted_long(
    make_world: MakeWorld,
    granted: list[tuple[dict[str, object], list[str]]],
    several: list[dict[str, object]],
    endings: list[tuple[str, object]],
) -> None:
    _play(make_world, granted, several, endings)
