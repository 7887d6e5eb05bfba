"""Serves the lines of the table of endpoints: checks the right, decodes, calls, encodes.

So a service is a set of functions from a request message to a reply message, and no service can
forget a check: the right stands in the table and is enforced here.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from databox.kit.http.message import Answer, Request, Response
from databox.kit.http.router import Router
from databox.wire.api import Nothing
from databox.wire.endpoints import BY_NAME, Endpoint, Raw, Right
from databox.wire.errors import BadRequest, Denied
from databox.wire.manifest import invalid

Reply = Any
TypedHandler = Callable[["Call"], Reply | Awaitable[Reply]]


class TokenCheck(Protocol):
    """The guard, as far as this file needs it."""

    def check(self, request: Request) -> Any:
        """Verify the request's token and give what it says; raises `Denied`."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an endpoint: the decoded message, and the request around it."""

    message: Any
    request: Request

    @property
    def args(self) -> dict[str, str]:
        """What the placeholders of the path stood for."""
        return dict(self.request.args)

    @property
    def user(self) -> str:
        """The signed-in person behind the call, empty when a part calls for itself."""
        return getattr(self.request.token, "user", "") or ""


class Table:
    """Fills a router with endpoints."""

    def __init__(self, router: Router, guard: TokenCheck | None) -> None:
        self._router = router
        self._guard = guard

    def serve(self, name: str, handler: TypedHandler) -> None:
        """Answer the endpoint called `name` by `handler`.

        The handler gets a `Call` and returns the endpoint's reply message, or an answer of the
        HTTP layer where the table says `Raw`.

        Raises:
            ValueError: the endpoint needs a token and there is no guard.
        """
        endpoint = BY_NAME[name]
        if endpoint.right in (Right.TOKEN, Right.OWNER) and self._guard is None:
            raise ValueError(f"{name} needs a guard")
        self._router.add(
            endpoint.method,
            endpoint.path,
            _Served(endpoint, handler, self._guard),
            max_body=endpoint.max_body,
        )


class _Served:
    """One endpoint with its handler."""

    def __init__(self, endpoint: Endpoint, handler: TypedHandler, guard: TokenCheck | None) -> None:
        self._endpoint = endpoint
        self._handler = handler
        self._guard = guard
        raw = endpoint.request in (Raw, Nothing)
        self._decoder = None if raw else msgspec.json.Decoder(endpoint.request)

    def __call__(self, request: Request) -> Answer | Awaitable[Answer]:
        self._permit(request)
        message = self._decode(request) if self._decoder else None
        reply = self._handler(Call(message, request))
        if inspect.isawaitable(reply):
            return self._later(reply)
        return _answer(reply)

    async def _later(self, reply: Awaitable[Reply]) -> Answer:
        return _answer(await reply)

    def _permit(self, request: Request) -> None:
        right, callers = self._endpoint.right, self._endpoint.callers
        if callers and not _among(request.caller, callers):
            raise Denied("this interface is not for you", found=request.caller)
        if right in (Right.TOKEN, Right.OWNER):
            assert self._guard is not None
            request.token = self._guard.check(request)
        if right is Right.OWNER and request.token.role != "owner":
            raise Denied("only the owner may do this")

    def _decode(self, request: Request) -> Any:
        assert self._decoder is not None
        try:
            return self._decoder.decode(request.body)
        except msgspec.ValidationError as error:
            raise invalid(error, whole="body") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequest(
                "the body is not JSON",
                code="not-json",
                field="body",
                found=str(error),
                remedy="Send a JSON object",
            ) from error


def _among(caller: str, callers: tuple[str, ...]) -> bool:
    return caller in callers or ("store" in callers and caller.endswith("-store"))


def _answer(reply: Reply) -> Answer:
    if reply is None:
        return Response(200, b"{}")
    if isinstance(reply, msgspec.Struct) and not isinstance(reply, Response):
        return Response(200, msgspec.json.encode(reply))
    answer: Answer = reply
    return answer
