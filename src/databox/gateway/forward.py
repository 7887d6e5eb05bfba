"""Passes calls of the public API on to the part that answers, with the person's own token."""

from http import HTTPStatus

from databox.gateway.people import People, Person
from databox.kit.dialer import Dialer
from databox.kit.http.client import error_of
from databox.kit.http.message import Answer, Request, Response, Stream
from databox.kit.http.router import Router
from databox.kit.http.wire import Body
from databox.wire.endpoints import ENDPOINTS, Endpoint
from databox.wire.errors import DataboxError, NotFound, Unauthenticated
from databox.wire.names import STORE_SUFFIX, any_name

STORES = "/api/stores/{store}"
JSON = "application/json"
MOST_TOLD = 64 * 1024
"""Bytes of a refusal that are read."""

_SENT_ON = ("accept", "content-type", "range", "if-range", "if-none-match")
_TOLD_ON = frozenset({"etag", "accept-ranges", "content-range"})
_SAVED = ("Content-Disposition", "attachment")
"""What a store keeps comes from anybody, and must not become a page of the dashboard's origin."""


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
            prefix = STORES if endpoint.service == "store" else ""
            router.add(
                endpoint.method,
                prefix + endpoint.path,
                _To(self, endpoint),
                max_body=endpoint.max_body,
                streamed=endpoint.body_streams,
            )

    async def to_store(self, request: Request, endpoint: Endpoint) -> Answer:
        """A call of one store by the signed-in person.

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
        if endpoint.body_streams or endpoint.reply_streams:
            return await self._stream(request, person, store, path, target)
        answer = await self._pass(request, person, store, path, target)
        if answer.content_type == JSON:
            return answer
        return Response(answer.status, answer.body, answer.content_type, (_SAVED,))

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
            ours = response.content_type == JSON
            if response.status == Unauthenticated.status or (ours and response.status >= 400):
                raise error_of(response)
            return Response(response.status, response.body, response.content_type)

        return await self._people.acting(person, callee, request.method, path, ask)

    async def _stream(
        self, request: Request, person: Person, store: str, path: str, target: str
    ) -> Answer:
        """Ask as the person, and pass on what comes both ways while it comes.

        Raises:
            DataboxError: what the store refused with, or why the body ended.
        """
        sent = {name: request.headers[name] for name in _SENT_ON if name in request.headers}
        length = request.headers.get("content-length")
        body = Body(request.stream, int(length) if length else None) if request.stream else b""

        async def ask(token: str) -> Stream:
            headers = {**sent, "x-api-key": token}
            answer = await self._dialer.stream(
                store, request.method, target, headers=headers, body=body
            )
            if answer.status >= 400:
                await _raise_refusal(answer)
            return answer

        # Whoever may have the whole may have its head.
        method = "GET" if request.method == "HEAD" else request.method
        acting = self._people.acting_once if request.stream else self._people.acting
        answer = await acting(person, store, method, path, ask)
        told = (*(each for each in answer.headers if each[0] in _TOLD_ON), _SAVED)
        if answer.status == HTTPStatus.NOT_MODIFIED:
            await answer.close()
            return Response(answer.status, b"", "", told)
        return Stream(answer.status, answer.content_type, answer.chunks, told, answer.length)


async def _raise_refusal(answer: Stream) -> None:
    """Raise what a store refused with, where it is one of our errors; else it passes as it is."""
    ours = answer.content_type == JSON and _error(answer).status == answer.status
    if not ours and answer.status != Unauthenticated.status:
        return
    body = bytearray()
    try:
        async for part in answer.chunks:
            body += part
            if len(body) > MOST_TOLD:
                break
    finally:
        await answer.close()
    raise _error(answer, bytes(body))


def _error(answer: Stream, body: bytes = b"") -> DataboxError:
    return error_of(Response(answer.status, body, answer.content_type))


class _To:
    """Remembers which line of the table a route stands for."""

    def __init__(self, forward: Forward, endpoint: Endpoint) -> None:
        self._forward = forward
        self._endpoint = endpoint

    async def __call__(self, request: Request) -> Answer:
        if self._endpoint.service == "store":
            return await self._forward.to_store(request, self._endpoint)
        return await self._forward.to_part(request, self._endpoint)
