"""Passes calls of the public API on to the part that answers, with the person's own token."""

from databox.gateway.people import People, Person
from databox.kit.dialer import Dialer
from databox.kit.http.client import error_of
from databox.kit.http.message import Request, Response
from databox.kit.http.router import Router
from databox.wire.endpoints import ENDPOINTS, Endpoint
from databox.wire.errors import NotFound, Unauthenticated
from databox.wire.names import STORE_SUFFIX, any_name

STORES = "/api/stores/{store}"


class Forward:
    """One handler for every public endpoint that another part answers."""

    def __init__(self, people: People, dialer: Dialer) -> None:
        self._people = people
        self._dialer = dialer

    def mount(self, router: Router) -> None:
        """Add them all, straight from the table."""
        for endpoint in ENDPOINTS:
            if not endpoint.public or endpoint.service == "gateway":
                continue
            if endpoint.service == "store":
                router.add(endpoint.method, STORES + endpoint.path, self.to_store)
            else:
                router.add(
                    endpoint.method,
                    endpoint.path,
                    _To(self, endpoint),
                    max_body=endpoint.max_body,
                )

    async def to_store(self, request: Request) -> Response:
        """A read of one store by the signed-in person.

        Raises:
            NotFound: the name is not one of a store.
        """
        person = await self._people.caller(request)
        store = any_name(request.args["store"], field="store")
        if not store.endswith(STORE_SUFFIX):
            raise NotFound("there is no such source", field="store", found=store)
        prefix = STORES.replace("{store}", store)
        if not request.target.startswith(prefix):
            # With an escape in it what is cut off would not be what was checked.
            raise NotFound("a store's name is written as it is", field="store", found=store)
        path, target = (text.removeprefix(prefix) for text in (request.path, request.target))
        return await self._pass(request, person, store, path, target)

    async def to_part(self, request: Request, endpoint: Endpoint) -> Response:
        """Any other public call."""
        person = await self._people.caller(request)
        return await self._pass(request, person, endpoint.service, request.path, request.target)

    async def _pass(
        self, request: Request, person: Person, callee: str, path: str, target: str
    ) -> Response:
        """Ask as the person.

        Raises:
            DataboxError: what the callee refused with.
        """

        async def ask(token: str) -> Response:
            headers = {"x-api-key": token, "content-type": "application/json"}
            response = await self._dialer.fetch(
                callee, request.method, target, headers=headers, body=request.body
            )
            ours = response.content_type == "application/json"
            if response.status == Unauthenticated.status or (ours and response.status >= 400):
                raise error_of(response)
            return Response(response.status, response.body, response.content_type)

        return await self._people.acting(person, callee, request.method, path, ask)


class _To:
    """Remembers which line of the table a route stands for."""

    def __init__(self, forward: Forward, endpoint: Endpoint) -> None:
        self._forward = forward
        self._endpoint = endpoint

    async def __call__(self, request: Request) -> Response:
        return await self._forward.to_part(request, self._endpoint)
