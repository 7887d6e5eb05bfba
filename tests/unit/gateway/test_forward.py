import asyncio

import pytest

from databox.gateway.forward import Forward
from databox.kit.http.message import Request, Response
from databox.kit.http.router import Router
from databox.kit.http.target import split_target
from databox.wire.errors import DataboxError


class FakePeople:
    """Everybody is signed in; notes for which paths tokens were asked."""

    def __init__(self):
        self.asked = []

    async def caller(self, request):
        return None

    async def token(self, person, target, method, path):
        self.asked.append((target, method, path))
        return "token"

    async def acting(self, person, target, method, path, act):
        return await act(await self.token(person, target, method, path))


class FakeDialer:
    def __init__(self):
        self.sent = []

    async def fetch(self, callee, method, path, **_):
        self.sent.append((callee, method, path))
        return Response(200, b"{}")


def forward(target):
    people, dialer, router = FakePeople(), FakeDialer(), Router()
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
