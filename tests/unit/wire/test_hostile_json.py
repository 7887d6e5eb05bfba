"""What the JSON decoder raises besides its own errors is a bad request like any other."""

from collections.abc import Callable

import pytest

from databox.kit.http.message import Request, Response
from databox.kit.http.router import Router
from databox.kit.table import Table
from databox.wire import catalogue, manifest
from databox.wire.errors import BadRequest


def by_the_table(body: bytes) -> object:
    router = Router()
    Table(router, None).serve("login", lambda _: Response(200))
    request = Request("POST", "/api/login", "", {}, "/api/login", body)
    return router.resolve(request).handler(request)


@pytest.mark.parametrize("read", [manifest.decode, catalogue.decode_source, by_the_table])
@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"\xff","href":"\xff","passphrase":"\xff"}',
        b'{"\xff":1}',
        b'{"item-metadata":[],"name":"a","author":%b' % (b"[" * 20_000),
        b"[" * 20_000,
        b'"\xed\xa0\x80"',
    ],
)
def test_it_is_refused_and_not_a_failure_of_ours(
    read: Callable[[bytes], object], body: bytes
) -> None:
    with pytest.raises(BadRequest):
        read(body)
