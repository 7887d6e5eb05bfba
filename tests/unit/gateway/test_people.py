import asyncio

import pytest
from tests.unit.gateway.test_proof import EXPECTED, KEY, NOW, URL, proof

from databox.gateway.hosts import Origins
from databox.gateway.live import Live
from databox.gateway.people import People, Person
from databox.gateway.proof import jwk_of, thumbprint
from databox.kit.clock import FixedClock
from databox.wire.api import SessionOwner, UserToken
from databox.wire.errors import Unauthenticated, Unavailable

OWNER = SessionOwner(
    user="Ana", role="owner", thumbprint=thumbprint(jwk_of(KEY.public_key())), expires=NOW + 10**9
)
PATH = URL.partition("8989")[2]


class FakeArbiter:
    """Knows one session."""

    def __init__(self):
        self.away = False
        self.known = True

    async def call(self, name, message, **_):
        if self.away:
            raise Unavailable("the arbiter is away")
        if not self.known:
            raise Unauthenticated("nobody")
        return OWNER


def people():
    arbiter = FakeArbiter()
    return arbiter, People(arbiter, Origins(8989), FixedClock(NOW))


def prove(some, text):
    return asyncio.run(some.prove(EXPECTED.session, text, "GET", PATH))


def test_a_proof_works_once_for_a_session():
    _, some = people()
    assert prove(some, proof()).user == "Ana"
    with pytest.raises(Unauthenticated, match="used before"):
        prove(some, proof())


def test_proofs_of_no_session_leave_no_trace_that_could_shut_the_owner_out():
    arbiter, some = people()
    arbiter.known = False
    for number in range(3):
        with pytest.raises(Unauthenticated):
            prove(some, proof(jti=str(number)))
    arbiter.known = True
    for number in range(3):
        assert prove(some, proof(jti=str(number))).user == "Ana"


class FakeSocket:
    def __init__(self):
        self.closed = False

    def close(self, code, reason):
        self.closed = True


@pytest.mark.parametrize("trouble", ["away", "ended"])
def test_a_live_view_ends_when_nobody_can_say_that_its_session_holds(trouble):
    arbiter, some = people()
    arbiter.away, arbiter.known = trouble == "away", trouble != "ended"
    socket, person = FakeSocket(), Person("d", "Ana", "owner", "t", NOW + 10**9)

    async def watch():
        await Live(some, arbiter)._guard(socket, person)

    if trouble == "away":
        with pytest.raises(Unavailable):
            asyncio.run(watch())
    else:
        asyncio.run(watch())
    assert socket.closed


class Minting:
    """Mints tokens with numbers."""

    def __init__(self):
        self.minted = 0

    async def call(self, name, message, **_):
        assert name == "user-token"
        self.minted += 1
        return UserToken(token=f"token {self.minted}", expires=NOW + 10**6)


ANA = Person("d", "Ana", "owner", "t", NOW + 10**9)


def acting(refuse):
    """Act twice as Ana at a store that refuses some tokens; gives the tokens that were tried."""
    tried = []

    async def act(token):
        tried.append(token)
        if token in refuse:
            raise Unauthenticated("no", code="bad-token")

    async def both():
        some = People(Minting(), Origins(8989), FixedClock(NOW))
        for _ in range(2):
            await some.acting(ANA, "a-store", "GET", "/x/ts/latest", act)

    asyncio.run(both())
    return tried


def test_a_token_is_kept_as_long_as_it_is_taken():
    assert acting(()) == ["token 1", "token 1"]


def test_a_token_that_a_new_store_refuses_is_asked_for_again_and_kept():
    assert acting(("token 1",)) == ["token 1", "token 2", "token 2"]


def test_a_store_that_refuses_everything_does_not_look_like_an_ended_session():
    with pytest.raises(Unavailable, match="could not look this up"):
        acting(("token 1", "token 2"))
