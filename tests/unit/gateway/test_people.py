import asyncio

import pytest
from tests.unit.gateway.test_proof import EXPECTED, KEY, NOW, URL, proof

from databox.gateway.hosts import Origins
from databox.gateway.live import Live
from databox.gateway.people import People, Person
from databox.gateway.proof import jwk_of, thumbprint
from databox.kit.clock import FixedClock
from databox.wire.api import SessionOwner
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
