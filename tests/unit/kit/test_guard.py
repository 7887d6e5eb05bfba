"""The guard: everything it looks at can make it say no, and it says why."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.kit.clock import FixedClock
from databox.kit.guard import CACHED, MAX_CACHED_TOKEN, EndedGrants, Guard, credential, fetch_guard
from databox.kit.http.message import Response
from databox.kit.steady import SteadyClock
from databox.wire import tokens
from databox.wire.api import Epoch
from databox.wire.caveats import Duty
from databox.wire.errors import Denied, Unauthenticated, Unavailable
from databox.wire.tokens import BadToken

SECRET = "s" * 43
NOW = 1_500_000_000_000


@dataclass
class Request:
    method: str = "GET"
    path: str = "/load/ts/latest"
    caller: str = "graph"
    headers: dict[str, str] = field(default_factory=dict)


def token(*extra: str, identifier: str = "graph:g1:n", target: str = "os-store") -> str:
    fixed = (f"target = {target}", "path = /load/*", "method = GET")
    return tokens.mint(SECRET, location="l", identifier=identifier, caveats=(*fixed, *extra))


def guard(
    *, ended: EndedGrants | None = None, clock: FixedClock | None = None, pairs: bool = True
) -> Guard:
    return Guard(
        "os-store",
        SECRET,
        clock or FixedClock(NOW),
        ended or EndedGrants(0, ()),
        keeps=(Duty.SINCE, Duty.EXACT),
        pairs=pairs,
    )


def test_a_good_token_says_who_asks_under_which_caveats() -> None:
    verified = guard().check(Request(), token("startTimestamp >= 5"))
    assert (verified.client, verified.grant, verified.caveats.since) == ("graph", "g1", 5)
    assert not verified.is_owner


def test_the_token_is_taken_from_the_headers() -> None:
    assert guard().check(Request(headers={"x-api-key": token()})).client == "graph"


@pytest.mark.parametrize(
    ("request_", "text", "code"),
    [
        (Request(caller="thief"), token(), "token-client"),
        (Request(method="POST"), token(), "token-method"),
        (Request(path="/memory/ts"), token(), "token-path"),
        (Request(), token(f"time < {NOW}"), "token-expired"),
        (Request(), token(target="other-store"), "token-target"),
        (Request(), token("target = other-store"), "token-target"),
        (Request(), token("destination = x"), "token-caveat"),
        (Request(), token("precision >= 1 km"), "token-caveat"),
        (Request(), token('fields = ["a"]'), "token-caveat"),
        (Request(), token("rate <= 5/PT1M"), "token-caveat"),
        (Request(), token("colour = blue"), "bad-token"),
        (Request(), token("precision >= 1 furlong"), "bad-token"),
        (Request(), token(identifier="graph"), "token-client"),
        (Request(), token(identifier=":g1:n"), "token-client"),
        (Request(), token(identifier="graph:g9:n"), "grant-ended"),
        (Request(), token("role = owner"), "token-user"),
        (Request(), token("user = x", "role = owner"), "token-user"),
        (Request(), token(identifier="graph:user:n"), "token-user"),
        (Request(), token("user = x", identifier="graph:user:n"), "token-user"),
        (Request(), token()[:-5], "bad-token"),
    ],
)
def test_a_token_that_does_not_fit_is_refused_with_its_reason(
    request_: Request, text: str, code: str
) -> None:
    with pytest.raises(BadToken) as caught:
        guard(ended=EndedGrants(3, ["g9"])).check(request_, text)
    assert caught.value.code == code


def test_no_token_is_told_from_a_bad_one() -> None:
    with pytest.raises(Unauthenticated) as caught:
        guard().check(Request())
    assert caught.value.code == "token-missing"


def test_a_remembered_token_is_refused_once_its_time_is_over() -> None:
    clock = FixedClock(NOW)
    checker, text = guard(clock=clock), token(f"time < {NOW + 10}")
    checker.check(Request(), text)
    clock.advance(10)
    with pytest.raises(BadToken, match="expired"):
        checker.check(Request(), text)


def test_a_remembered_token_is_refused_once_its_grant_ended() -> None:
    ended = EndedGrants(0, ())
    checker, text = guard(ended=ended), token()
    checker.check(Request(), text)
    ended.apply(1, ["g1"])
    with pytest.raises(BadToken, match="stopped"):
        checker.check(Request(), text)


def test_an_old_list_of_ended_grants_brings_none_back() -> None:
    ended = EndedGrants(5, ["g1", "g2"])
    ended.apply(4, ["g1"])
    assert ended.epoch == 5
    assert ended.has_ended("g2")


def test_the_owner_is_known_by_a_token_of_the_arbiter_alone() -> None:
    personal = token("user = Ada", "role = owner", identifier="gateway:user:n")
    verified = guard().check_owner(Request(caller="gateway"), personal)
    assert (verified.user, verified.is_owner) == ("Ada", True)
    with pytest.raises(Denied):
        guard().check_owner(Request(), token())


def test_a_guest_does_not_become_the_owner_by_adding_a_caveat() -> None:
    guest = token("user = Bob", "role = guest", identifier="gateway:user:n")
    raised = tokens.parse(guest).restrict("role = owner").serialize()
    with pytest.raises(BadToken):
        guard().check_owner(Request(caller="gateway"), raised)


@given(st.lists(st.sampled_from(["user = Bob", "user = Ada", "role = owner", "role = member"])))
def test_a_member_stays_the_member_whatever_is_added(added: list[str]) -> None:
    member = token("user = Bob", "role = member", identifier="gateway:user:n")
    narrowed = tokens.parse(member).restrict(*added).serialize()
    try:
        verified = guard().check(Request(caller="gateway"), narrowed)
    except BadToken:
        assert {"user = Ada", "role = owner"} & set(added)
        return
    assert (verified.user, verified.role, verified.is_owner) == ("Bob", "member", False)


def test_without_pairs_any_caller_may_show_its_token() -> None:
    assert guard(pairs=False).check(Request(caller=""), token()).client == "graph"


@given(
    st.lists(
        st.sampled_from(
            [
                "path = /load/ts/latest",
                "method = POST",
                "time < 5",
                "role = owner",
                "user = x",
                "target = os-store",
                "destination = d",
                "startTimestamp >= 9",
                "precision >= 1 km",
                'fields = ["a"]',
                "rate <= 5/PT1M",
                "nonsense",
            ]
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(["/load/ts/latest", "/load/kv", "/other"]),
    st.sampled_from(["GET", "POST"]),
)
def test_adding_caveats_to_a_token_never_opens_a_request(
    added: list[str], path: str, method: str
) -> None:
    request, text = Request(path=path, method=method), token()
    narrowed = tokens.parse(text).restrict(*added).serialize()
    try:
        guard().check(request, narrowed)
    except Denied:
        return
    guard().check(request, text)


def test_failures_do_not_push_out_good_tokens() -> None:
    checker, good = guard(), token()
    checker.check(Request(), good)
    for number in range(CACHED + 1):
        with pytest.raises(BadToken):
            checker.check(Request(), good + "A" * (number + 1))
    assert list(checker._known) == [good]


def test_at_most_so_many_tokens_are_remembered() -> None:
    checker = guard()
    for number in range(CACHED + 3):
        checker.check(Request(), token(identifier=f"graph:g1:{number}"))
    assert len(checker._known) == CACHED


def test_a_long_token_is_good_but_not_remembered() -> None:
    checker = guard()
    text = tokens.parse(token()).restrict(*[f"time < {NOW + 10**9 + n}" for n in range(50)])
    assert len(text.serialize()) > MAX_CACHED_TOKEN
    checker.check(Request(), text.serialize())
    assert not checker._known


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ""),
        ({"x-api-key": "k"}, "k"),
        ({"authorization": "Basic azo="}, "k"),
        ({"authorization": "basic azpw"}, "k"),
        ({"x-api-key": "k", "authorization": "Basic b3RoZXI6"}, "k"),
        ({"authorization": "Bearer k"}, ""),
        ({"authorization": "Basic !!!"}, ""),
        ({"authorization": "Basic /w=="}, ""),
    ],
)
def test_credential_is_read_from(headers: dict[str, str], expected: str) -> None:
    assert credential(headers) == expected


def test_time_does_not_go_back_when_the_clock_does() -> None:
    inner = FixedClock(NOW)
    clock = SteadyClock(inner, 0)
    assert clock.now() == NOW
    inner.advance(-1000)
    assert clock.now() == NOW


def test_time_does_not_go_below_the_stored_mark() -> None:
    assert SteadyClock(FixedClock(NOW), NOW + 5).now() == NOW + 5


def test_the_mark_is_stored_about_once_a_minute() -> None:
    inner, saved = FixedClock(NOW), list[int]()
    clock = SteadyClock(inner, 0, saved.append)
    for _ in range(121):
        clock.now()
        inner.advance(1000)
    assert saved == [NOW, NOW + 60_000, NOW + 120_000]


class Arbiter:
    """Knows the service only from the third time on, as when everything starts at once."""

    def __init__(self) -> None:
        self.asked = 0

    async def call(self, name: str, /) -> Epoch:
        assert name == "epoch"
        return Epoch(epoch=4, ended=("g1",), now=NOW)

    async def fetch(
        self, callee: str, method: str, path: str, *, headers: dict[str, str]
    ) -> Response:
        assert (callee, method, path) == ("arbiter", "GET", "/store/secret")
        self.asked += 1
        if self.asked == 1:
            raise Unavailable("not there yet")
        known = self.asked > 2 and headers == {"x-api-key": "key"}
        return Response(200, SECRET.encode()) if known else Response(401, b"Invalid API key")


def fetched(clock: FixedClock) -> Guard:
    return asyncio.run(fetch_guard("os-store", Arbiter(), "key", clock))


def test_a_service_that_starts_learns_which_grants_have_ended() -> None:
    with pytest.raises(BadToken, match="stopped"):
        fetched(FixedClock(NOW)).check(Request(), token())


def test_a_service_that_starts_takes_over_the_time_that_the_arbiter_has_seen() -> None:
    with pytest.raises(BadToken, match="expired"):
        fetched(FixedClock(5)).check(Request(), token(f"time < {NOW}", identifier="graph:g2:n"))
