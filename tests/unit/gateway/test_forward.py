import asyncio

import pytest

from databox.gateway.forward import Forward
from databox.kit.http.message import Request, Response
from databox.kit.http.router import Router
from databox.kit.http.target import split_target
from databox.wire.errors import Conflict, DataboxError, Unauthenticated

OK = Response(200, b"{}")


class FakePeople:
    """Everybody is signed in; notes for which paths tokens were asked."""

    def __init__(self):
        self.asked = []

    async def caller(self, request):
        return None

    async def acting(self, person, target, method, path, act):
        self.asked.append((target, method, path))
        return await act("token")


class FakeDialer:
    def __init__(self, answer):
        self.sent = []
        self.answer = answer

    async def fetch(self, callee, method, path, **_):
        self.sent.append((callee, method, path))
        return self.answer


def forward(target, answer=OK):
    people, dialer, router = FakePeople(), FakeDialer(answer), Router()
    Forward(people, dialer).mount(router)
    path, query = split_target(target.encode())
    request = Request("GET", path, query, {}, target)
    asyncio.run(router.resolve(request).handler(request))
    return people, dialer


def test_a_store_is_asked_for_what_the_token_is_for():
    people, dialer = forward("/api/stores/a-store/x%20y/kv?a=1")
    assert people.asked == [("a-store", "GET", "/x y/kv")]
    assert dialer.sent == [("a-store", "GET", "/x%20y/kv?a=1")]


@pytest.mark.parametrize("target", ["/api/%73tores/a-store/x/kv", "/%61pi/stores/%61-store/x/kv"])
def test_an_escape_before_the_stores_own_path_is_refused(target):
    with pytest.raises(DataboxError, match="written as it is"):
        forward(target)


def test_what_a_part_refuses_with_is_raised_again_so_that_it_can_be_told():
    body = b'{"error": {"code": "until-past", "message": "it has ended", "remedy": "Choose"}}'
    with pytest.raises(Conflict) as error:
        forward("/api/components", Response(409, body))
    assert (error.value.code, error.value.remedy) == ("until-past", "Choose")


def test_a_refused_token_is_known_as_such_whatever_the_store_says():
    with pytest.raises(Unauthenticated):
        forward("/api/stores/a-store/x/kv", Response(401, b"Invalid API key/token", "text/plain"))


def test_what_a_store_of_2017_answers_otherwise_passes_as_it_is():
    router = Router()
    answer = Response(404, b"Not there", "text/plain")
    Forward(FakePeople(), FakeDialer(answer)).mount(router)
    request = Request("GET", "/api/stores/a-store/x/kv", "", {}, "/api/stores/a-store/x/kv")
    given = asyncio.run(router.resolve(request).handler(request))
    assert (given.status, given.body) == (404, b"Not there")
